//! The entropic Jordan–Kinderlehrer–Otto scheme on grids.

use ndarray::{Array, Array2, Dimension};

use crate::gradient::Dissipative;
use crate::measure::grid::{DensityFlow, FreeEnergy};
use crate::{Error, Result, State, VectorField};

/// Minimising movements `ρ⁺ = argmin W2²(ρ⁺, ρ)/(2τ) + F(ρ⁺)` on a grid, with the transport cost smoothed by an entropy of
/// weight ε, as the proximal step of a density field (take it by [`Proximal`](crate::integrate::Proximal)):
///
/// ```text
/// min ε KL(π | K) + 2τ F(πᵀ1),   π 1 = ρ,   K = exp(-|x - y|² / ε)
/// a ← ρ / (K b),   q = Kᵀ a,   b ← prox(q) / q
/// ```
///
/// K is a product of kernels along the axes, O(d n^{d+1}) a pass. The smoothing alone spreads a density by ε/2 a step, an
/// extra diffusion ε/(4τ), which is taken off the linear diffusion of F ([`compensate`](Self::compensate), on by default
/// wherever D > 0); this needs ε < 4τD. A free energy without linear diffusion cannot be
/// compensated: take ε small. Peyré, SIAM J. Imaging Sci. 8 (2015).
///
/// Interactions `W * ρ` are taken at the density before the step (semi-implicit). Away from proximal steps it is the
/// [`DensityFlow`] of the same energy.
///
/// ```
/// use flowfield::{Flow, integrate::Proximal, measure::{EntropicJko, FreeEnergy, Grid}};
/// let grid = Grid::line(-4.0, 5.0, 180)?;
/// let energy = FreeEnergy::new(&grid).diffusion(1.0).potential(|x| 0.5 * x[0] * x[0]);
/// let mut rho = grid.density(|x| (-2.0 * (x[0] - 2.0) * (x[0] - 2.0)).exp());
/// let certificate = Flow::new(EntropicJko::new(energy, 0.02), Proximal::new()).steps_certified(10, 0.05, &mut rho)?;
/// assert!(certificate.is_monotone() && certificate.mass_drift < Some(1e-12));
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct EntropicJko<D: Dimension> {
    flow: DensityFlow<D>,
    eps: f64,
    compensate: bool,
    tol: f64,
    most: usize,
    passes: u64,
    /// The kernel along each axis, and scratch.
    kernels: Vec<Array2<f64>>,
    a: Vec<f64>,
    b: Vec<f64>,
    image: Vec<f64>,
    scratch: Vec<f64>,
    drive: Vec<f64>,
}

impl<D: Dimension> EntropicJko<D> {
    /// Of this free energy, with entropic weight `eps` in units of |x - y|².
    pub fn new(energy: FreeEnergy<D>, eps: f64) -> Self {
        let grid = &energy.grid;
        let cells = energy.potential.len();
        let kernel = |(&n, &h): (&usize, &f64)| {
            Array2::from_shape_fn((n, n), |(i, j)| (-(h * (i as f64 - j as f64)).powi(2) / eps).exp())
        };
        let kernels = grid.shape.slice().iter().zip(&grid.width).map(kernel).collect();
        EntropicJko {
            flow: DensityFlow::new(energy),
            eps,
            compensate: true,
            tol: 1e-9,
            most: 20_000,
            passes: 0,
            kernels,
            a: vec![1.0; cells],
            b: vec![1.0; cells],
            image: vec![0.0; cells],
            scratch: vec![0.0; cells],
            drive: vec![0.0; cells],
        }
    }

    /// Whether to take the smoothing's extra diffusion ε/(4τ) off the linear diffusion (default: yes, where there is any).
    #[must_use]
    pub fn compensate(mut self, yes: bool) -> Self {
        self.compensate = yes;
        self
    }

    /// Tolerance: the largest relative change of a pass's scaling at which a step ends (default 1e-9).
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.tol = tol;
        self
    }

    /// Scaling passes so far.
    pub fn passes(&self) -> u64 {
        self.passes
    }

    /// `out = K v`.
    fn blur(&mut self, from_a: bool) {
        let v = if from_a { &self.a } else { &self.b };
        self.image.copy_from_slice(v);
        for (axis, kernel) in self.flow.grid().axes().zip(&self.kernels) {
            self.scratch.copy_from_slice(&self.image);
            let n = axis.cells;
            for line in 0..axis.lines {
                let first = line * axis.between;
                for i in 0..n {
                    let row = kernel.row(i);
                    let mut sum = 0.0;
                    for j in 0..n {
                        sum += row[j] * self.scratch[first + j * axis.stride];
                    }
                    self.image[first + i * axis.stride] = sum;
                }
            }
        }
    }

    /// One step; the number of passes.
    fn step(&mut self, tau: f64, rho: &[f64], out: &mut [f64]) -> Result<()> {
        let energy = self.flow.free_energy().clone();
        let mut spreading = energy.spreading;
        if self.compensate && spreading.linear > 0.0 {
            let extra = self.eps / (4.0 * tau);
            let need = "the smoothing's own diffusion eps/(4 tau) must stay below D: take eps < 4 tau D";
            Error::setting(extra < spreading.linear, "eps/(4 tau)", extra, need)?;
            spreading.linear -= extra;
        }
        energy.drive(rho, &mut self.drive);
        let sigma = 2.0 * tau / self.eps;
        let floor = f64::MIN_POSITIVE;
        self.b.fill(1.0);
        let mut change = f64::INFINITY;
        for _ in 0..self.most {
            self.passes += 1;
            self.blur(false);
            for (a, (&r, &k)) in self.a.iter_mut().zip(rho.iter().zip(&self.image)) {
                *a = r / k.max(floor);
            }
            self.blur(true);
            // The column sums with the old b have exactly the mass of ρ.
            let mut worst = 0.0_f64;
            let mut mass = 0.0;
            for (i, out) in out.iter_mut().enumerate() {
                let q = self.image[i];
                *out = self.b[i] * q;
                mass += *out;
                let p = prox(&spreading, energy.cap, q, sigma, self.drive[i]);
                worst = worst.max((p - *out).abs());
                self.b[i] = if q > floor { p / q } else { 0.0 };
            }
            change = worst / (mass / out.len() as f64);
            if change <= self.tol {
                return Ok(());
            }
        }
        let what = "the entropic minimising movement";
        Err(Error::NotConverged { what, iterations: self.most, residual: change, tol: self.tol })
    }
}

/// `argmin_p p log(p/q) - p + σ (U(p) + V p)` over `0 <= p <= κ`: `log(p/q) + σ (U'(p) + V) = 0`, by Newton's method in
/// log p, which a convex U makes monotone.
fn prox(u: &crate::measure::grid::Spreading, cap: f64, q: f64, sigma: f64, v: f64) -> f64 {
    if q <= f64::MIN_POSITIVE {
        return 0.0;
    }
    let goal = q.ln() - sigma * v;
    // Linear part alone: (1 + σD) log p = goal - σD.
    let stiff = 1.0 + sigma * u.linear;
    let mut log = (goal - sigma * u.linear) / stiff;
    if u.power != 0.0 {
        let m = u.exponent;
        for _ in 0..100 {
            let pressure = sigma * u.power * m * ((m - 1.0) * log).exp();
            let residual = stiff * log + sigma * u.linear - goal + pressure / (m - 1.0);
            let step = residual / (stiff + pressure);
            log -= step;
            if step.abs() <= 1e-14 * log.abs().max(1.0) {
                break;
            }
        }
    }
    log.exp().min(cap)
}

impl<D: Dimension> VectorField<Array<f64, D>> for EntropicJko<D> {
    fn eval(&mut self, t: f64, rho: &Array<f64, D>, drho: &mut Array<f64, D>) {
        self.flow.eval(t, rho, drho);
    }

    fn proximal(&mut self, tau: f64, rho: &Array<f64, D>, out: &mut Array<f64, D>) -> Result<bool> {
        Error::setting(
            tau > 0.0 && tau.is_finite(),
            "tau",
            tau,
            "a minimising movement needs a positive step",
        )?;
        self.step(tau, State::as_slice(rho), State::as_mut_slice(out))?;
        Ok(true)
    }

    fn check(&self, rho: &Array<f64, D>) -> Result<()> {
        let good = self.eps > 0.0 && self.eps.is_finite();
        Error::setting(good, "eps", self.eps, "it must be positive and finite")?;
        self.flow.check(rho)
    }
}

impl<D: Dimension> Dissipative<Array<f64, D>> for EntropicJko<D> {
    fn energy(&mut self, t: f64, rho: &Array<f64, D>) -> (f64, f64) {
        self.flow.energy(t, rho)
    }

    fn total_mass(&self, rho: &Array<f64, D>) -> Option<f64> {
        self.flow.total_mass(rho)
    }

    fn least(&self, rho: &Array<f64, D>) -> Option<f64> {
        self.flow.least(rho)
    }
}
