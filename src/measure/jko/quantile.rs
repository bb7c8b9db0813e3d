//! Wasserstein gradient flows on the line in Lagrangian coordinates, where W2 is Euclidean.

use std::cmp::Ordering;
use std::fmt;

use ndarray::Array1;

use crate::gradient::Dissipative;
use crate::{Error, Result, Structure, VectorField};

/// Newton iterations of a proximal step, and its tolerance relative to the length of the support.
const NEWTON: usize = 100;
const TOL: f64 = 1e-13;
const SMALL: f64 = 1e-8;

type Function<'a> = Box<dyn FnMut(f64) -> [f64; 3] + 'a>;

/// The Wasserstein gradient flow of `F(ρ) = D ∫ ρ log ρ + c ∫ ρ^m/(m-1) + ∫ V ρ` on the line, as a field on the sorted
/// edges X of N cells of fixed mass `μ_i` (a state of N + 1 numbers):
///
/// ```text
/// F(X) = Σ_cells U(μ_i / ΔX_i) ΔX_i + Σ_edges w_k V(X_k),    w_k X_k' = -∂F/∂X_k,    w_k = (μ_{k-1} + μ_k) / 2
/// ```
///
/// On the line W2 is the Euclidean distance of quantiles, so its proximal steps are exact
/// Jordan–Kinderlehrer–Otto steps of the discretised energy: N + 1 unknowns, a tridiagonal Hessian and a few
/// Newton iterations, O(N) each. Take them by [`Proximal`](crate::integrate::Proximal); F never rises, whatever τ, and the
/// order of the edges is kept. Carrillo and Moll, SIAM J. Sci. Comput. 31 (2010); Matthes and Osberger, ESAIM M2AN 48 (2014).
///
/// ```
/// use flowfield::{Flow, integrate::Proximal, measure::QuantileFlow};
/// // Standard normal quantiles in the potential x²/2 with D = 1 stay where they are.
/// let flow = QuantileFlow::new(200, 1.0).diffusion(1.0).potential(|x| [0.5 * x * x, x, 1.0]);
/// let mut x = ndarray::Array1::linspace(-0.1, 0.1, 201);
/// let certificate = Flow::new(flow, Proximal::new()).steps_certified(100, 0.1, &mut x)?;
/// assert!(certificate.is_monotone() && (x[150] - 0.6745).abs() < 0.01);          // the upper quartile
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct QuantileFlow<'a> {
    masses: Vec<f64>,
    linear: f64,
    power: f64,
    exponent: f64,
    potential: Option<Function<'a>>,
    /// Hessian (diagonal, upper), gradient, and a trial point of Newton's method.
    work: [Vec<f64>; 4],
    iterations: u64,
}

impl fmt::Debug for QuantileFlow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuantileFlow")
            .field("cells", &self.masses.len())
            .field("linear", &self.linear)
            .field("power", &self.power)
            .field("exponent", &self.exponent)
            .finish_non_exhaustive()
    }
}

impl<'a> QuantileFlow<'a> {
    /// `cells` cells of equal mass, `mass` in all.
    pub fn new(cells: usize, mass: f64) -> Self {
        Self::with_masses(vec![mass / cells as f64; cells])
    }

    /// Cells of these masses, from left to right. Smaller cells at the ends resolve a free boundary better.
    pub fn with_masses(masses: Vec<f64>) -> Self {
        let empty = || vec![0.0; masses.len() + 1];
        let work = [empty(), empty(), empty(), empty()];
        QuantileFlow { masses, linear: 0.0, power: 0.0, exponent: 2.0, potential: None, work, iterations: 0 }
    }

    /// Linear diffusion D: adds `D ∫ ρ log ρ`.
    #[must_use]
    pub fn diffusion(mut self, d: f64) -> Self {
        self.linear = d;
        self
    }

    /// Nonlinear diffusion, m > 1: adds `c ∫ ρ^m / (m - 1)`.
    #[must_use]
    pub fn power(mut self, c: f64, m: f64) -> Self {
        (self.power, self.exponent) = (c, m);
        self
    }

    /// A potential; `v` returns V, V' and V''.
    #[must_use]
    pub fn potential(mut self, v: impl FnMut(f64) -> [f64; 3] + 'a) -> Self {
        self.potential = Some(Box::new(v));
        self
    }

    /// Newton iterations so far.
    pub fn iterations(&self) -> u64 {
        self.iterations
    }

    /// The density in each cell.
    pub fn density(&self, x: &Array1<f64>) -> Array1<f64> {
        self.masses.iter().zip(x.windows(2)).map(|(m, x)| m / (x[1] - x[0])).collect()
    }

    /// The mass that edge k stands for.
    fn weight(&self, k: usize) -> f64 {
        let left = if k > 0 { self.masses[k - 1] } else { 0.0 };
        let right = self.masses.get(k).copied().unwrap_or(0.0);
        0.5 * (left + right)
    }

    /// A cell's energy `U(μ/Δ) Δ` and its first two derivatives in Δ.
    fn cell(&self, mass: f64, gap: f64) -> [f64; 3] {
        let rho = mass / gap;
        let log = self.linear * mass;
        let mut e = [log * rho.ln(), -log / gap, log / (gap * gap)];
        if self.power != 0.0 {
            let m = self.exponent;
            // μ^m Δ^{1-m} / (m - 1)
            let pressure = self.power * rho.powf(m);
            e[0] += pressure * gap / (m - 1.0);
            e[1] -= pressure;
            e[2] += m * pressure / gap;
        }
        e
    }

    /// F; infinite where edges are out of order.
    fn value(&mut self, x: &[f64]) -> f64 {
        let mut sum = 0.0;
        for (i, w) in x.windows(2).enumerate() {
            if w[1].partial_cmp(&w[0]) != Some(Ordering::Greater) {
                return f64::INFINITY;
            }
            sum += self.cell(self.masses[i], w[1] - w[0])[0];
        }
        for (k, &x) in x.iter().enumerate() {
            let w = self.weight(k);
            sum += self.potential.as_mut().map_or(0.0, |v| w * v(x)[0]);
        }
        sum
    }

    /// Fills the gradient of F and its Hessian into the work space.
    fn differentiate(&mut self, x: &[f64]) {
        for k in 0..x.len() {
            let w = self.weight(k);
            let v = self.potential.as_mut().map_or([0.0; 3], |v| v(x[k]));
            let [diagonal, upper, gradient, _] = &mut self.work;
            (diagonal[k], upper[k], gradient[k]) = (w * v[2], 0.0, w * v[1]);
        }
        for i in 0..self.masses.len() {
            let [_, first, second] = self.cell(self.masses[i], x[i + 1] - x[i]);
            let [diagonal, upper, gradient, _] = &mut self.work;
            gradient[i] -= first;
            gradient[i + 1] += first;
            diagonal[i] += second;
            diagonal[i + 1] += second;
            upper[i] -= second;
        }
    }

    /// `F(x) + Σ w (x - x₀)² / 2τ`.
    fn objective(&mut self, x: &[f64], x0: &[f64], tau: f64) -> f64 {
        let moved: f64 =
            x.iter().zip(x0).enumerate().map(|(k, (x, x0))| self.weight(k) * (x - x0) * (x - x0)).sum();
        self.value(x) + moved / (2.0 * tau)
    }

    /// Newton's method with a line search that keeps the edges in order.
    fn newton(&mut self, tau: f64, x0: &[f64], x: &mut [f64]) -> Result<()> {
        x.copy_from_slice(x0);
        let mut value = self.objective(x, x0, tau);
        let (mut decrement, mut last) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..NEWTON {
            self.iterations += 1;
            // A potential that curves down may spoil the Hessian.
            // A potential that curves down may spoil the Hessian: shift it until it is positive.
            let mut shift = 0.0;
            let slope = loop {
                match self.direction(tau, x0, x, shift) {
                    Some(slope) => break slope,
                    None => shift = 4.0 * f64::max(shift, 1e-3 / tau),
                }
            };
            let [_, _, gradient, trial] = &mut self.work;
            decrement = gradient.iter().fold(0.0_f64, |m, d| m.max(d.abs()));
            let length = x[x.len() - 1] - x[0];
            // Round-off ends the quadratic convergence: there Newton's step no longer shrinks.
            let floor = SMALL * length.max(f64::MIN_POSITIVE);
            let settled = decrement <= TOL * length || (decrement <= floor && decrement > 0.25 * last);
            last = decrement;
            let mut step = longest(x, gradient);
            let mut trial = std::mem::take(trial);
            let direction = std::mem::take(gradient);
            let noise = 64.0 * f64::EPSILON * (1.0 + value.abs());
            let found = loop {
                trial.iter_mut().zip(x.iter().zip(&direction)).for_each(|(t, (&x, &d))| *t = x - step * d);
                let new = self.objective(&trial, x0, tau);
                if new <= value - 1e-4 * step * slope + noise {
                    x.copy_from_slice(&trial);
                    value = new;
                    break true;
                }
                step *= 0.5;
                if step < 1e-10 {
                    break false;
                }
            };
            (self.work[3], self.work[2]) = (trial, direction);
            if settled {
                return Ok(());
            }
            if !found {
                break;
            }
        }
        let what = "the proximal step of the quantiles";
        Err(Error::NotConverged { what, iterations: NEWTON, residual: decrement, tol: TOL })
    }

    /// Newton's direction (minus it) in place of the gradient, and its slope; none where the shifted Hessian is not positive.
    fn direction(&mut self, tau: f64, x0: &[f64], x: &[f64], shift: f64) -> Option<f64> {
        self.differentiate(x);
        for k in 0..x.len() {
            let w = self.weight(k) / tau;
            self.work[2][k] += w * (x[k] - x0[k]);
            self.work[0][k] += w + shift * self.weight(k);
        }
        self.solve()
    }

    /// Solves the tridiagonal system in place of the gradient; the squared Newton decrement.
    fn solve(&mut self) -> Option<f64> {
        let [diagonal, upper, b, _] = &mut self.work;
        let n = b.len();
        let rhs = b.clone();
        for k in 1..n {
            let factor = upper[k - 1] / diagonal[k - 1];
            diagonal[k] -= factor * upper[k - 1];
            b[k] -= factor * b[k - 1];
        }
        if diagonal.iter().any(|d| *d <= 0.0) {
            return None;
        }
        b[n - 1] /= diagonal[n - 1];
        for k in (0..n - 1).rev() {
            b[k] = (b[k] - upper[k] * b[k + 1]) / diagonal[k];
        }
        Some(rhs.iter().zip(b.iter()).map(|(r, b)| r * b).sum())
    }
}

/// The longest part of a Newton step that shrinks no gap below a tenth.
fn longest(x: &[f64], direction: &[f64]) -> f64 {
    let gaps = x.windows(2).zip(direction.windows(2)).map(|(w, d)| (w[1] - w[0], d[0] - d[1]));
    gaps.filter(|(gap, change)| *change < -0.9 * gap).fold(1.0, |s, (gap, change)| s.min(-0.9 * gap / change))
}

impl VectorField<Array1<f64>> for QuantileFlow<'_> {
    fn eval(&mut self, _t: f64, x: &Array1<f64>, dx: &mut Array1<f64>) {
        let Some(x) = x.as_slice() else { return };
        if x.windows(2).any(|w| w[1].partial_cmp(&w[0]) != Some(Ordering::Greater)) {
            // Edges out of order are no measure: adaptive methods then take a smaller step.
            dx.fill(f64::NAN);
            return;
        }
        self.differentiate(x);
        dx.iter_mut().enumerate().for_each(|(k, d)| *d = -self.work[2][k] / self.weight(k));
    }

    fn structure(&mut self, _t: f64, _x: &Array1<f64>) -> Structure {
        Structure::Banded { lower: 1, upper: 1 }
    }

    fn proximal(&mut self, tau: f64, x0: &Array1<f64>, x1: &mut Array1<f64>) -> Result<bool> {
        Error::setting(
            tau > 0.0 && tau.is_finite(),
            "tau",
            tau,
            "a minimising movement needs a positive step",
        )?;
        let (Some(x0), Some(x1)) = (x0.as_slice(), x1.as_slice_mut()) else { return Ok(false) };
        self.newton(tau, x0, x1)?;
        Ok(true)
    }

    fn check(&self, x: &Array1<f64>) -> Result<()> {
        let cells = self.masses.len();
        Error::setting(cells >= 2, "the number of cells", cells as f64, "at least 2 are needed")?;
        Error::shape("the edges", &[cells + 1], x.shape())?;
        if let Some(row) = self.masses.iter().position(|m| !(*m > 0.0 && m.is_finite())) {
            return Err(Error::Weight { what: "the masses of the cells", row, value: self.masses[row] });
        }
        for i in 0..cells {
            let need = "edges must increase: sort them, and give every cell some length";
            Error::setting(x[i + 1] > x[i], "the length of a cell", x[i + 1] - x[i], need)?;
        }
        let need = "it must be 0 or positive, and finite";
        Error::setting(self.linear >= 0.0 && self.linear.is_finite(), "the diffusion", self.linear, need)?;
        Error::setting(
            self.power >= 0.0 && self.power.is_finite(),
            "the nonlinear diffusion",
            self.power,
            need,
        )?;
        let m = self.exponent;
        Error::setting(m > 1.0 && m.is_finite(), "the exponent m", m, "it must be above 1 and finite")
    }
}

impl Dissipative<Array1<f64>> for QuantileFlow<'_> {
    fn energy(&mut self, _t: f64, x: &Array1<f64>) -> (f64, f64) {
        let x = x.as_slice().unwrap_or(&[]);
        let value = self.value(x);
        self.differentiate(x);
        let lost = (0..x.len()).map(|k| self.work[2][k].powi(2) / self.weight(k)).sum();
        (value, lost)
    }

    fn total_mass(&self, _x: &Array1<f64>) -> Option<f64> {
        Some(self.masses.iter().sum())
    }

    fn least(&self, x: &Array1<f64>) -> Option<f64> {
        Some(self.density(x).iter().copied().fold(f64::INFINITY, f64::min))
    }
}
