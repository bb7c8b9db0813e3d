//! Entropic transport.

use ndarray::{Array1, Array2};

use super::newton::converge;
use super::problem::Problem;
use super::symmetric;
use crate::transport::cost::{check, stored};
use crate::transport::plan::dot;
use crate::transport::weights::{balanced, checked};
use crate::transport::{Cost, Entropic};
use crate::{Error, Real, Result};

/// Entropic transport: the plan π that minimises `⟨π, c⟩ + ε KL(π | a ⊗ b)` with marginals `a` and `b`,
///
/// ```text
/// π_ij = a_i b_j exp((f_i + g_j - c_ij) / ε),    KL(π | ρ) = Σ π log(π/ρ) - π + ρ
/// ```
///
/// in the log domain, whatever ε. The temperature falls from the mean cost to ε; at each a few of Sinkhorn's
/// iterations are made in one pass over recomputed costs, and the rest on a stored kernel around the potentials
/// reached (sparse where ε is small; recomputed row by row where there is no room). Where that converges slowly,
/// Newton's method takes over. Memory: O(n + m) beside what is stored where it fits: the kernel (at
/// most 128 MB) and dear costs (at most 128 MB).
///
/// # References
/// Cuturi, *Sinkhorn distances*, 2013; Schmitzer, SIAM J. Sci. Comput. 41 (2019), for the stabilised, truncated
/// kernel; Chizat et al., Math. Comp. 87 (2018), for soft marginals.
///
/// ```
/// use flowfield::dataset::normal;
/// use flowfield::transport::{PointCost, Sinkhorn, uniform};
/// let (x, y) = (normal::<f64>((100, 2), 0), normal::<f64>((120, 2), 1));
/// let cost = PointCost::squared_euclidean(&x, &y)?;
/// let s = Sinkhorn::new(0.1).solve(&cost, &uniform::<f64>(100), &uniform(120))?;
/// assert!(s.converged && s.residual < 1e-6);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sinkhorn {
    eps: f64,
    tol: f64,
    most: usize,
    reach: f64,
    start: Option<(Vec<f64>, Vec<f64>)>,
    symmetric: bool,
}

/// The temperature falls by this factor from one level to the next.
const COOLING: f64 = 0.25;
/// The first temperature over the mean cost, where ε is below `COLD` times that cost; ε itself elsewhere.
const HOT: f64 = 0.3;
const COLD: f64 = 0.05;
/// Passes over recomputed costs at each level, before a kernel is stored.
const PASSES: usize = 2;
/// Error at which a level is left.
const LEVEL: f64 = 0.002;
/// From this tolerance upward a kernel in single precision does.
const SINGLE: f64 = 5e-7;

impl Sinkhorn {
    /// A solver at temperature `eps`, in the units of the cost.
    pub fn new(eps: f64) -> Self {
        Sinkhorn { eps, tol: 1e-6, most: 20_000, reach: f64::INFINITY, start: None, symmetric: false }
    }

    /// Largest L1 error of the marginals relative to the mass (default 1e-6); with soft marginals, largest change
    /// of the potentials in an iteration, in units of ε.
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.tol = tol;
        self
    }

    /// Most passes over all pairs (default 20,000).
    #[must_use]
    pub fn max_passes(mut self, passes: usize) -> Self {
        self.most = passes;
        self
    }

    /// Soft marginals: `ρ KL(π1 | a) + ρ KL(πᵀ1 | b)` is paid instead of meeting them. Weights may then have
    /// different sums.
    #[must_use]
    pub fn unbalanced(mut self, rho: f64) -> Self {
        self.reach = rho;
        self
    }

    /// Starts from the potentials of an earlier answer, at once at this solver's temperature.
    #[must_use]
    pub fn warm(mut self, earlier: &Entropic) -> Self {
        self.start = Some((earlier.f.to_vec(), earlier.g.to_vec()));
        self
    }

    /// For a measure and itself under a cost whose kernel exp(-c/ε) is positive definite.
    pub(super) fn symmetric(mut self) -> Self {
        self.symmetric = true;
        self
    }

    /// Solves for weights `a` (n) and `b` (m).
    ///
    /// # Errors
    /// [`Error::Setting`] for ε, tolerance or ρ that are not positive, and those of
    /// [`NetworkSimplex::solve`](crate::transport::NetworkSimplex::solve). Stopping before the tolerance is no
    /// error: the answer says so, and [`Entropic::ensure`] makes it one.
    pub fn solve<F: Real, C: Cost + ?Sized>(
        &self,
        cost: &C,
        a: &Array1<F>,
        b: &Array1<F>,
    ) -> Result<Entropic> {
        for (what, value) in [("eps", self.eps), ("tol", self.tol), ("rho", self.reach)] {
            let least = if what == "rho" { f64::INFINITY } else { f64::MAX };
            Error::setting(
                value > 0.0 && value <= least,
                what,
                value,
                "it must be positive; 0 is exact transport, see NetworkSimplex",
            )?;
        }
        let (n, m) = cost.shape();
        if n == 0 || m == 0 {
            check(cost)?;
        }
        let (mut a, mut b) = match self.reach.is_finite() {
            false => balanced(a, b, (n, m))?,
            true => (checked("the source weights", a, n)?, checked("the target weights", b, m)?),
        };
        // Hard marginals are solved for unit mass, which leaves the potentials as they are.
        let mass: f64 = if self.reach.is_finite() { 1.0 } else { a.iter().sum() };
        a.iter_mut().chain(&mut b).for_each(|w| *w /= mass);
        let mut answer = match stored(cost) {
            Some(matrix) => self.run(&matrix, &a, &b)?,
            None => self.run(cost, &a, &b)?,
        };
        answer.value *= mass;
        Ok(answer)
    }

    fn run<C: Cost + ?Sized>(&self, cost: &C, a: &[f64], b: &[f64]) -> Result<Entropic> {
        let (eps, reach) = (self.eps, self.reach);
        let mut p = Problem { cost, a, b, f: vec![], g: vec![0.0; b.len()], eps, reach, passes: 0 };
        match &self.start {
            Some((f, g)) => {
                Error::shape("the potentials to start from", &[a.len(), b.len()], &[f.len(), g.len()])?;
                (p.f, p.g) = (f.clone(), g.clone());
            }
            None => {
                p.f = vec![0.0; a.len()];
                let mean = mean_size(cost);
                p.eps = if eps < COLD * mean { HOT * mean } else { eps };
            }
        }
        // The first pass has every cost in its hands: it marks rows that are not finite.
        if !(p.pass().is_finite() && p.f.iter().all(|f| f.is_finite())) {
            check(cost)?;
        }
        let residual = if reach.is_finite() { self.soft(&mut p) } else { self.cool(&mut p) };
        let converged = residual <= self.tol;
        let mut value = dot(a, &p.f) + dot(b, &p.g);
        if reach.is_finite() {
            value = soft_value(&p);
        }
        Ok(Entropic {
            value,
            f: Array1::from(p.f),
            g: Array1::from(p.g),
            eps,
            residual,
            passes: p.passes,
            converged,
            tol: self.tol,
        })
    }

    /// Level after level; the error at the last.
    fn cool<C: Cost + ?Sized>(&self, p: &mut Problem<'_, C>) -> f64 {
        loop {
            let last = p.eps <= self.eps;
            // Single precision perturbs the marginals by a few percent of the smallest tolerance it is used for.
            let tol = if last { 0.95 * self.tol } else { LEVEL };
            let mut error = f64::INFINITY;
            // The first level has had one already.
            for _ in 0..if p.passes == 1 { 0 } else { PASSES } {
                error = p.pass();
                if error <= tol {
                    break;
                }
            }
            if self.symmetric {
                error = match self.tol >= SINGLE {
                    true => symmetric::converge::<f32, C>(p, tol, self.most),
                    false => symmetric::converge::<f64, C>(p, tol, self.most),
                };
            } else if error > tol {
                error = match self.tol >= SINGLE {
                    true => converge::<f32, C>(p, tol, self.most),
                    false => converge::<f64, C>(p, tol, self.most),
                };
            }
            if last || p.passes >= self.most {
                return error;
            }
            p.eps = (p.eps * COOLING).max(self.eps);
        }
    }

    /// The same with soft marginals, by Sinkhorn's iteration alone: it contracts by (ρ / (ρ + ε))².
    fn soft<C: Cost + ?Sized>(&self, p: &mut Problem<'_, C>) -> f64 {
        loop {
            let last = p.eps <= self.eps;
            let mut change = f64::INFINITY;
            while change > if last { self.tol } else { LEVEL } && p.passes < self.most {
                change = p.pass();
            }
            if last || p.passes >= self.most {
                return change;
            }
            p.eps = (p.eps * COOLING).max(self.eps);
        }
    }
}

/// Mean of |c| over a grid of entries.
fn mean_size<C: Cost + ?Sized>(cost: &C) -> f64 {
    let (n, m) = cost.shape();
    let (rows, columns) = (n.min(31), m.min(37));
    let entry = |k: usize| cost.at(k / columns * n / rows, k % columns * m / columns).abs();
    (0..rows * columns).map(entry).sum::<f64>() / (rows * columns) as f64
}

/// The dual value with soft marginals: `Σ a ρ (1 - e^(-f/ρ)) + Σ b ρ (1 - e^(-g/ρ)) - ε (|π| - |a| |b|)`.
fn soft_value<C: Cost + ?Sized>(p: &Problem<'_, C>) -> f64 {
    let side = |w: &[f64], f: &[f64]| {
        w.iter().zip(f).map(|(w, f)| -w * p.reach * (-f / p.reach).exp_m1()).sum::<f64>()
    };
    let (sum_a, sum_b): (f64, f64) = (p.a.iter().sum(), p.b.iter().sum());
    // At the optimum the plan's first marginal is a e^(-f/ρ).
    let mass: f64 = p.a.iter().zip(&p.f).map(|(a, f)| a * (-f / p.reach).exp()).sum();
    side(p.a, &p.f) + side(p.b, &p.g) - p.eps * (mass - sum_a * sum_b)
}

/// The dense plan of some potentials.
pub(super) fn plan<F: Real, C: Cost + ?Sized>(
    s: &Entropic,
    cost: &C,
    a: &Array1<F>,
    b: &Array1<F>,
) -> Array2<F> {
    Array2::from_shape_fn(cost.shape(), |(i, j)| {
        let t = (s.f[i] + s.g[j] - cost.at(i, j)) / s.eps;
        F::of(a[i].f64() * b[j].f64() * t.exp())
    })
}
