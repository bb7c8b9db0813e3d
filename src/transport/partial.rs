//! Transport of a part of the mass.

use ndarray::Array1;

use super::weights::checked;
use super::{Cost, NetworkSimplex, Plan};
use crate::{Error, Real, Result};

/// A cost with one more source and one more target, free of charge but for each other.
struct WithBin<'a, C: ?Sized> {
    cost: &'a C,
    /// What it costs to send from the bin to the bin: more than any pair.
    never: f64,
    free: f64,
}

impl<C: Cost + ?Sized> Cost for WithBin<'_, C> {
    fn shape(&self) -> (usize, usize) {
        let (n, m) = self.cost.shape();
        (n + 1, m + 1)
    }

    fn at(&self, i: usize, j: usize) -> f64 {
        let (n, m) = self.cost.shape();
        match (i == n, j == m) {
            (true, true) => self.never,
            (false, false) => self.cost.at(i, j),
            _ => self.free,
        }
    }

    fn row<'a>(&'a self, i: usize, scratch: &'a mut [f64]) -> &'a [f64] {
        let (n, m) = self.cost.shape();
        if i == n {
            scratch.fill(self.free);
            scratch[m] = self.never;
            return scratch;
        }
        let mut inner = vec![0.0; m];
        scratch[..m].copy_from_slice(self.cost.row(i, &mut inner));
        scratch[m] = self.free;
        scratch
    }

    fn work(&self) -> usize {
        self.cost.work().max(9)
    }
}

/// The cheapest way to send `mass` from weights `a` to weights `b`, whose sums may differ; the rest stays.
///
/// Exact: what stays goes over a bin on either side that costs nothing. The plan's `potentials` are those of
/// the extended problem without the bins', its certificate that of the extended problem.
///
/// # Errors
/// Those of [`NetworkSimplex::solve`], and [`Error::Setting`] for a mass that is not between zero and both sums.
///
/// ```
/// use flowfield::transport::{CostFn, partial};
/// use ndarray::array;
/// let far = CostFn::new(2, 2, |i, j| if i == 0 && j == 0 { 1.0 } else { 10.0 });
/// let plan = partial(&far, &array![0.5, 0.5], &array![0.5, 0.5], 0.4)?;
/// assert!((plan.cost - 0.4).abs() < 1e-12 && plan.entries.len() == 1);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn partial<F: Real, C: Cost + ?Sized>(cost: &C, a: &Array1<F>, b: &Array1<F>, mass: f64) -> Result<Plan> {
    super::cost::check(cost)?;
    let (n, m) = cost.shape();
    let (a, b) = (checked("the source weights", a, n)?, checked("the target weights", b, m)?);
    let (sum_a, sum_b): (f64, f64) = (a.iter().sum(), b.iter().sum());
    let most = sum_a.min(sum_b);
    Error::setting(
        mass > 0.0 && mass <= most * (1.0 + 1e-12),
        "mass",
        mass,
        "it must be positive and at most both sums of weights",
    )?;
    let mut scratch = vec![0.0; m];
    let (mut least, mut largest) = (f64::INFINITY, f64::NEG_INFINITY);
    for i in 0..n {
        for &c in cost.row(i, &mut scratch) {
            (least, largest) = (least.min(c), largest.max(c));
        }
    }
    // Sending a unit less over the bins saves 2 · free but costs `never`; a pair in between is always better.
    let size = largest.abs().max(least.abs()).max(f64::MIN_POSITIVE);
    let extended = WithBin { cost, never: 4.0 * size, free: 0.0 };
    let with = |w: &[f64], bin: f64| Array1::from_iter(w.iter().copied().chain([bin.max(0.0)]));
    let plan = NetworkSimplex::new().solve(&extended, &with(&a, sum_b - mass), &with(&b, sum_a - mass))?;
    let entries: Vec<_> = plan.entries.iter().copied().filter(|e| e.0 < n && e.1 < m).collect();
    let value = entries.iter().map(|&(i, j, w)| w * cost.at(i, j)).sum();
    let (f, g) = plan.potentials;
    let cut = |f: Array1<f64>, n| f.slice(ndarray::s![..n]).to_owned();
    Ok(Plan {
        shape: (n, m),
        entries,
        cost: value,
        potentials: (cut(f, n), cut(g, m)),
        certificate: plan.certificate,
    })
}
