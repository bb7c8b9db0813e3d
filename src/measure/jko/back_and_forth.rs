//! The back-and-forth method for minimising movements in the plane.

use ndarray::{Array2, Ix2};

use crate::gradient::Dissipative;
use crate::measure::grid::{Boundary, DensityFlow, FreeEnergy, Grid};
use crate::{Error, Result, State, VectorField};

/// Points along each axis into which a cell's mass is cut before it is moved.
const PARTS: usize = 4;
/// Iterations between looks at the progress, and the part that must have been gained by then.
const PATIENCE: usize = 8;
const GAIN: f64 = 0.05;

/// Minimising movements `ρ⁺ = argmin W2²(ρ⁺, ρ)/(2τ) + F(ρ⁺)` on a rectangle by the back-and-forth method, without
/// smoothing, as the proximal step of a density field (take it by [`Proximal`](crate::integrate::Proximal)): ascent on both
/// sides of the dual problem in turn,
///
/// ```text
/// J(φ) = ∫ φᶜ dρ - U*(-φ - V),   φᶜ(x) = min_y |x - y|²/(2τ) - φ(y),   ρ⁺ = U*'(-φ - V)
/// φ ← φ + (θ₁ - θ₂Δ)⁻¹ (ρ_φ - T_φ # ρ),   T_φ(x) = x - τ ∇φᶜ(x)
/// ```
///
/// For F with one diffusion: nonlinear (m > 1, densities with a free boundary) or linear. A c-transform is O(n²) for n × n
/// cells, an inverse of `θ₁ - θ₂Δ` two cosine transforms. How close it comes is limited by the
/// grid: the residual ([`residual`](Self::residual), the relative L1 distance between ρ⁺ and the transported ρ) settles at the order of a
/// cell; a step ends there. The mass is kept by a final division. Interactions `W * ρ` are taken at the density before the step.
/// Jacobs, Lee and Léger, *The back-and-forth method for Wasserstein gradient flows*, ESAIM COCV 27 (2021).
///
/// ```
/// use flowfield::{Flow, exact::Barenblatt, integrate::Proximal, measure::{BackAndForth, FreeEnergy, Grid}};
/// let b = Barenblatt::new(2, 2.0, 1.0)?;
/// let grid = Grid::plane((-2.0, 2.0, 48), (-2.0, 2.0, 48))?;
/// let mut rho = grid.density(|x| b.density(0.1, x[0].hypot(x[1])));
/// let flow = BackAndForth::new(FreeEnergy::new(&grid).power(1.0, 2.0));
/// let certificate = Flow::new(flow, Proximal::new()).steps_certified(2, 0.05, &mut rho)?;
/// assert!(certificate.is_monotone() && certificate.mass_drift < Some(1e-12));
/// assert!(grid.l1(&rho, &grid.sample(|x| b.density(0.2, x[0].hypot(x[1])))) < 0.06);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct BackAndForth {
    flow: DensityFlow<Ix2>,
    tol: f64,
    most: usize,
    iterations: u64,
    residual: f64,
    /// Cosine transforms along each axis, and the Laplacian's eigenvalues.
    cosines: [Array2<f64>; 2],
    modes: Array2<f64>,
}

impl BackAndForth {
    /// Of this free energy on a rectangle with no-flux ends.
    pub fn new(energy: FreeEnergy<Ix2>) -> Self {
        let grid = &energy.grid;
        let (shape, width) = ([grid.shape[0], grid.shape[1]], [grid.width[0], grid.width[1]]);
        let pi = std::f64::consts::PI;
        let cosine = |n: usize| {
            Array2::from_shape_fn((n, n), |(k, i)| {
                let scale = if k == 0 { 1.0 } else { 2.0 } / n as f64;
                scale.sqrt() * (pi * k as f64 * (i as f64 + 0.5) / n as f64).cos()
            })
        };
        let mode = |axis: usize, k: usize| {
            (2.0 - 2.0 * (pi * k as f64 / shape[axis] as f64).cos()) / (width[axis] * width[axis])
        };
        let modes = Array2::from_shape_fn((shape[0], shape[1]), |(i, j)| mode(0, i) + mode(1, j));
        BackAndForth {
            cosines: [cosine(shape[0]), cosine(shape[1])],
            modes,
            flow: DensityFlow::new(energy),
            tol: 1e-3,
            most: 200,
            iterations: 0,
            residual: f64::NAN,
        }
    }

    /// Tolerance of the residual (default 1e-3); a step also ends where the grid lets it come no closer.
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.tol = tol;
        self
    }

    /// Iterations so far.
    pub fn iterations(&self) -> u64 {
        self.iterations
    }

    /// The last step's residual: the part of the mass that would have to move for ρ⁺ to be the transported ρ.
    pub fn residual(&self) -> f64 {
        self.residual
    }

    /// `(θ₁ - θ₂Δ)⁻¹ r`.
    fn precondition(&self, r: &Array2<f64>, (theta1, theta2): (f64, f64)) -> Array2<f64> {
        let [a, b] = &self.cosines;
        let mut modes = a.dot(r).dot(&b.t());
        modes.zip_mut_with(&self.modes, |m, l| *m /= theta1 + theta2 * l);
        a.t().dot(&modes).dot(b)
    }

    /// `U*'(-φ - V)`.
    fn density(&self, phi: &Array2<f64>, drive: &[f64]) -> Array2<f64> {
        let u = self.flow.free_energy().spreading;
        let mut rho = phi.clone();
        for (rho, v) in rho.iter_mut().zip(drive) {
            let slope = -*rho - v;
            *rho = if u.power > 0.0 {
                let m = u.exponent;
                ((m - 1.0) / (m * u.power) * slope).max(0.0).powf(1.0 / (m - 1.0))
            } else {
                (slope / u.linear - 1.0).exp()
            };
        }
        rho
    }

    /// How fast `U*'` rises, at most, where it matters: the metric's θ₁.
    fn stiffness(&self, largest: f64) -> f64 {
        let u = self.flow.free_energy().spreading;
        if u.power == 0.0 {
            return largest / u.linear;
        }
        let m = u.exponent;
        let at = if m > 2.0 { 0.05 * largest } else { largest };
        at.powf(2.0 - m) / (m * u.power)
    }

    fn step(&mut self, tau: f64, mu: &Array2<f64>) -> Result<Array2<f64>> {
        let grid = self.flow.grid().clone();
        let mut drive = vec![0.0; mu.len()];
        self.flow.free_energy().drive(State::as_slice(mu), &mut drive);
        let (largest, mass) = (mu.iter().fold(0.0_f64, |m, &r| m.max(r)), mu.sum());
        let theta = (self.stiffness(largest), tau * largest);
        let u = self.flow.free_energy().spreading;
        let mut phi = mu.clone();
        for (phi, v) in phi.iter_mut().zip(&drive) {
            *phi = -(u.slope(phi.max(1e-12 * largest)) + v);
        }
        let mut looked = f64::INFINITY;
        for k in 0..self.most {
            self.iterations += 1;
            let psi = transform(&grid, &phi, tau);
            let gap = self.density(&phi, &drive) - pushed(&grid, mu, &psi, tau);
            self.residual = gap.iter().map(|g| g.abs()).sum::<f64>() / mass;
            if !self.residual.is_finite() {
                break;
            }
            let stuck = k % PATIENCE == PATIENCE - 1 && self.residual > (1.0 - GAIN) * looked;
            if self.residual <= self.tol || stuck {
                let rho = self.density(&phi, &drive);
                let scale = mass / rho.sum();
                return Ok(rho * scale);
            }
            if k % PATIENCE == PATIENCE - 1 {
                looked = self.residual;
            }
            phi += &self.precondition(&gap, theta);
            let mut psi = transform(&grid, &phi, tau);
            phi = transform(&grid, &psi, tau);
            let back = mu - &pushed(&grid, &self.density(&phi, &drive), &phi, tau);
            psi += &self.precondition(&back, theta);
            phi = transform(&grid, &psi, tau);
        }
        let (iterations, residual, tol) = (self.most, self.residual, self.tol);
        Err(Error::NotConverged { what: "the back-and-forth method", iterations, residual, tol })
    }
}

/// The c-transform `min_y |x - y|²/(2τ) - f(y)` over the grid, axis by axis.
fn transform(grid: &Grid<Ix2>, f: &Array2<f64>, tau: f64) -> Array2<f64> {
    let mut out = f.mapv(|v| -v);
    let mut envelope = Envelope::default();
    for axis in 0..2 {
        let curvature = grid.width[axis] * grid.width[axis] / (2.0 * tau);
        for mut line in out.lanes_mut(ndarray::Axis(axis)) {
            envelope.fill(curvature, line.iter().copied());
            line.iter_mut().zip(envelope.values(curvature)).for_each(|(v, e)| *v = e);
        }
    }
    out
}

/// The lower envelope of the parabolas `c (p - q)² + f_q` (Felzenszwalb and Huttenlocher, Theory of Computing 8, 2012).
#[derive(Debug, Default)]
struct Envelope {
    line: Vec<f64>,
    /// Which parabolas are seen, and from where on.
    seen: Vec<usize>,
    from: Vec<f64>,
}

impl Envelope {
    fn fill(&mut self, c: f64, line: impl Iterator<Item = f64>) {
        self.line.clear();
        self.line.extend(line);
        self.seen.clear();
        self.from.clear();
        for q in 0..self.line.len() {
            let mut start = f64::NEG_INFINITY;
            while let (Some(&r), Some(&from)) = (self.seen.last(), self.from.last()) {
                let (x, y) = (q as f64, r as f64);
                start = 0.5 * ((self.line[q] - self.line[r]) / (c * (x - y)) + x + y);
                if start > from {
                    break;
                }
                self.seen.pop();
                self.from.pop();
                start = f64::NEG_INFINITY;
            }
            self.seen.push(q);
            self.from.push(start);
        }
    }

    fn values(&self, c: f64) -> impl Iterator<Item = f64> + '_ {
        let mut k = 0;
        (0..self.line.len()).map(move |p| {
            while self.from.get(k + 1).is_some_and(|&from| from < p as f64) {
                k += 1;
            }
            let q = self.seen[k];
            c * (p as f64 - q as f64).powi(2) + self.line[q]
        })
    }
}

/// The mass of `mu` moved by `x ↦ x - τ ∇f(x)`: each cell cut into parts, the map bilinear between centres, and each part
/// shared by the four cells around it.
fn pushed(grid: &Grid<Ix2>, mu: &Array2<f64>, f: &Array2<f64>, tau: f64) -> Array2<f64> {
    let (n, m) = mu.dim();
    // Displacements in cells.
    let slope = |a: f64, b: f64, steps: f64, axis: usize| -tau * (b - a) / (steps * grid.width[axis].powi(2));
    let mut moves = Array2::from_elem((n, m), [0.0; 2]);
    for ((i, j), to) in moves.indexed_iter_mut() {
        let (i0, i1, j0, j1) =
            (i.saturating_sub(1), (i + 1).min(n - 1), j.saturating_sub(1), (j + 1).min(m - 1));
        *to = [
            slope(f[[i0, j]], f[[i1, j]], (i1 - i0) as f64, 0),
            slope(f[[i, j0]], f[[i, j1]], (j1 - j0) as f64, 1),
        ];
    }
    let mut out = Array2::zeros((n, m));
    let share = 1.0 / (PARTS * PARTS) as f64;
    let offset = |k: usize| (k as f64 + 0.5) / PARTS as f64 - 0.5;
    for ((i, j), &mass) in mu.indexed_iter().filter(|(_, m)| **m != 0.0) {
        for (a, b) in (0..PARTS * PARTS).map(|k| (offset(k / PARTS), offset(k % PARTS))) {
            let (p, q) = (Place::new(i as f64 + a, n), Place::new(j as f64 + b, m));
            let mut to = [i as f64 + a, j as f64 + b];
            for (s, ws) in p.ends() {
                for (t, wt) in q.ends() {
                    let by = moves[[s, t]];
                    to[0] += ws * wt * by[0];
                    to[1] += ws * wt * by[1];
                }
            }
            let (p, q) = (Place::new(to[0], n), Place::new(to[1], m));
            for (s, ws) in p.ends() {
                for (t, wt) in q.ends() {
                    out[[s, t]] += share * mass * ws * wt;
                }
            }
        }
    }
    out
}

/// A place between two of n points.
struct Place {
    left: usize,
    part: f64,
}

impl Place {
    fn new(at: f64, n: usize) -> Self {
        let at = at.clamp(0.0, n as f64 - 1.0);
        let left = (at as usize).min(n - 2);
        Place { left, part: at - left as f64 }
    }

    fn ends(&self) -> [(usize, f64); 2] {
        [(self.left, 1.0 - self.part), (self.left + 1, self.part)]
    }
}

impl VectorField<Array2<f64>> for BackAndForth {
    fn eval(&mut self, t: f64, rho: &Array2<f64>, drho: &mut Array2<f64>) {
        self.flow.eval(t, rho, drho);
    }

    fn proximal(&mut self, tau: f64, rho: &Array2<f64>, out: &mut Array2<f64>) -> Result<bool> {
        Error::setting(
            tau > 0.0 && tau.is_finite(),
            "tau",
            tau,
            "a minimising movement needs a positive step",
        )?;
        *out = self.step(tau, rho)?;
        Ok(true)
    }

    fn check(&self, rho: &Array2<f64>) -> Result<()> {
        let energy = self.flow.free_energy();
        let u = energy.spreading;
        let instead =
            "give the free energy either .diffusion(D) or .power(c, m) with m > 1, or take EntropicJko";
        if (u.linear > 0.0) == (u.power > 0.0)
            || (u.power > 0.0 && u.exponent <= 1.0)
            || energy.cap.is_finite()
        {
            return Err(Error::Unsupported {
                what: "this diffusion",
                with: "the back-and-forth method",
                instead,
            });
        }
        if energy.grid.boundary == Boundary::Periodic {
            let instead = "take no-flux ends, or EntropicJko";
            return Err(Error::Unsupported {
                what: "a periodic grid",
                with: "the back-and-forth method",
                instead,
            });
        }
        self.flow.check(rho)
    }
}

impl Dissipative<Array2<f64>> for BackAndForth {
    fn energy(&mut self, t: f64, rho: &Array2<f64>) -> (f64, f64) {
        self.flow.energy(t, rho)
    }

    fn total_mass(&self, rho: &Array2<f64>) -> Option<f64> {
        self.flow.total_mass(rho)
    }

    fn least(&self, rho: &Array2<f64>) -> Option<f64> {
        self.flow.least(rho)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transforms_are_minima_over_the_grid() {
        let grid = Grid::plane((-1.0, 1.0, 7), (0.0, 2.0, 9)).unwrap();
        let f = grid.sample(|x| (3.0 * x[0]).sin() * x[1] + x[1] * x[1]);
        let fast = transform(&grid, &f, 0.3);
        for k in 0..63 {
            let x = grid.centre(k);
            let least = (0..63)
                .map(|l| {
                    let y = grid.centre(l);
                    ((x[0] - y[0]).powi(2) + (x[1] - y[1]).powi(2)) / 0.6 - f[[l / 9, l % 9]]
                })
                .fold(f64::INFINITY, f64::min);
            assert!((fast[[k / 9, k % 9]] - least).abs() < 1e-13);
        }
    }

    #[test]
    fn pushing_keeps_the_mass_and_moves_its_centre() {
        let grid = Grid::plane((-2.0, 2.0, 20), (-2.0, 2.0, 16)).unwrap();
        let mu = grid.density(|x| (-8.0 * (x[0] * x[0] + x[1] * x[1])).exp());
        let f = grid.sample(|x| 0.5 * x[0] - 0.25 * x[1]);
        let moved = pushed(&grid, &mu, &f, 0.4);
        assert!((moved.sum() - mu.sum()).abs() < 1e-12 * mu.sum());
        assert!((grid.mean(&moved, |x| x[0]) + 0.2).abs() < 1e-6);
        assert!((grid.mean(&moved, |x| x[1]) - 0.1).abs() < 1e-6);
    }
}
