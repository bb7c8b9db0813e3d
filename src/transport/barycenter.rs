//! Wasserstein barycenters.

use ndarray::{Array1, Array2};

use super::weights::{checked, uniform};
use super::{NetworkSimplex, PointCost};
use crate::{Error, Real, Result};

/// A cloud of points with weights.
pub type WeightedCloud<F> = (Array2<F>, Array1<F>);

/// Points `start` (k × d), equally weighted, moved to a local minimum of `Σ_l w_l W2²(·, cloud_l)`: each point goes
/// to the mean of its barycentric images, until nothing moves. Returns the points and the value.
///
/// # Errors
/// Those of [`NetworkSimplex::solve`]; [`Error::Empty`] without clouds.
///
/// # References
/// Cuturi and Doucet, *Fast computation of Wasserstein barycenters*, ICML 2014, section 4.
///
/// ```
/// use flowfield::transport::{barycenter, uniform};
/// use ndarray::{Array1, array};
/// let w = uniform::<f64>(2);
/// let clouds = [(array![[0.0], [2.0]], w.clone()), (array![[10.0], [14.0]], w.clone())];
/// let (points, _) = barycenter(&clouds, &w, array![[1.0], [3.0]])?;
/// assert_eq!(points, array![[5.0], [8.0]]);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn barycenter<F: Real>(
    clouds: &[WeightedCloud<F>],
    weights: &Array1<F>,
    start: Array2<F>,
) -> Result<(Array2<F>, f64)> {
    if clouds.is_empty() {
        return Err(Error::Empty { what: "the list of clouds" });
    }
    let w = checked("the weights of a barycenter", weights, clouds.len())?;
    let sum: f64 = w.iter().sum();
    let mut points = start;
    let mut solvers: Vec<NetworkSimplex> = clouds.iter().map(|_| NetworkSimplex::new()).collect();
    let (mut value, own) = (f64::INFINITY, uniform::<f64>(points.nrows()));
    for _ in 0..STEPS {
        let mut mean = Array2::<F>::zeros(points.dim());
        let mut new = 0.0;
        for (((y, b), w), solver) in clouds.iter().zip(&w).zip(&mut solvers) {
            let b = b.mapv(|b| b.f64());
            let mass = b.sum();
            let plan = solver.solve(&PointCost::squared_euclidean(&points, y)?, &own, &(b / mass))?;
            new += w / sum * plan.cost;
            mean.scaled_add(F::of(w / sum), &plan.barycentric_map(y)?);
        }
        if new >= value * (1.0 - 1e-12) {
            break;
        }
        (value, points) = (new, mean);
    }
    Ok((points, value))
}

const STEPS: usize = 200;

/// The entropic barycenter on a fixed support: histogram `p` (m) that minimises `Σ_l w_l OT_ε(h_l, p)` between the
/// histograms `h_l` (rows of an L × m array, each of sum one) and itself, all on the same m points with the
/// given cost matrix (m × m).
///
/// Iterative Bregman projections in the log domain, until the marginals differ by less than `tol` in L1.
///
/// # Errors
/// [`Error::Shape`], [`Error::Weight`], [`Error::Setting`], [`Error::CostNotFinite`], [`Error::NotConverged`].
///
/// # References
/// Benamou, Carlier, Cuturi, Nenna and Peyré, SIAM J. Sci. Comput. 37 (2015).
///
/// ```
/// use flowfield::transport::{fixed_barycenter, uniform};
/// use ndarray::{Array2, array};
/// let cost = Array2::from_shape_fn((9, 9), |(i, j)| (i as f64 - j as f64).powi(2));
/// let mut h = Array2::<f64>::zeros((2, 9));
/// (h[[0, 1]], h[[1, 7]]) = (1.0, 1.0);
/// let p = fixed_barycenter(&h, &uniform(2), &cost, 0.2, 1e-8)?;
/// // Blurred by ε: p_j ∝ exp(-(j - 4)² / ε).
/// assert!((p[4] - 1.0 / (1.0 + 2.0 * (-5.0_f64).exp())).abs() < 1e-6);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn fixed_barycenter(
    histograms: &Array2<f64>,
    weights: &Array1<f64>,
    cost: &Array2<f64>,
    eps: f64,
    tol: f64,
) -> Result<Array1<f64>> {
    let (l, m) = histograms.dim();
    Error::shape("the cost", &[m, m], cost.shape())?;
    Error::setting(eps > 0.0 && eps.is_finite(), "eps", eps, "it must be positive and finite")?;
    super::cost::check(&super::MatrixCost::new(cost))?;
    let w = checked("the weights of a barycenter", weights, l)?;
    let sum: f64 = w.iter().sum();
    let mut bregman = Bregman {
        logs: log_histograms(histograms)?,
        w: w.into_iter().map(|w| w / sum).collect(),
        v: Array2::zeros((l, m)),
        images: Array2::zeros((l, m)),
        p: Array1::zeros(m),
    };
    let mut residual = f64::INFINITY;
    for _ in 0..BREGMAN {
        residual = bregman.project(cost, eps);
        if residual <= tol {
            return Ok(bregman.p.mapv(f64::exp));
        }
    }
    Err(Error::NotConverged { what: "the barycenter", iterations: BREGMAN, residual, tol })
}

const BREGMAN: usize = 10_000;

/// Logarithms of the histograms, each divided by its sum.
fn log_histograms(histograms: &Array2<f64>) -> Result<Array2<f64>> {
    let (l, m) = histograms.dim();
    let mut logs = Array2::zeros((l, m));
    for (k, row) in histograms.rows().into_iter().enumerate() {
        let h = checked("a histogram", &row.to_owned(), m)?;
        let total: f64 = h.iter().sum();
        (0..m).for_each(|i| logs[[k, i]] = (h[i] / total).ln());
    }
    Ok(logs)
}

/// Scalings in the log domain: u meets the histograms, v the common marginal p.
struct Bregman {
    logs: Array2<f64>,
    /// Weights of the histograms, of sum one.
    w: Vec<f64>,
    v: Array2<f64>,
    /// Each histogram's image on the side of the barycenter, before v.
    images: Array2<f64>,
    p: Array1<f64>,
}

impl Bregman {
    /// One round of projections; returns the mean L1 distance of the marginals from p.
    fn project(&mut self, cost: &Array2<f64>, eps: f64) -> f64 {
        let (l, m) = self.v.dim();
        self.p.fill(0.0);
        for k in 0..l {
            let scale = |i: usize| self.logs[[k, i]] - softmax(cost.row(i).iter().zip(self.v.row(k)), eps);
            let u: Vec<f64> = (0..m).map(scale).collect();
            for j in 0..m {
                self.images[[k, j]] = softmax(cost.column(j).iter().zip(&u), eps);
                self.p[j] += self.w[k] * self.images[[k, j]];
            }
        }
        let mut residual = 0.0;
        for ((k, j), v) in self.v.indexed_iter_mut() {
            let image = self.images[[k, j]];
            residual += self.w[k] * ((*v + image).exp() - self.p[j].exp()).abs();
            *v = self.p[j] - image;
        }
        residual
    }
}

/// `log Σ exp(s - c / ε)`.
fn softmax<'a>(pairs: impl Iterator<Item = (&'a f64, &'a f64)> + Clone, eps: f64) -> f64 {
    let top = pairs.clone().map(|(c, s)| s - c / eps).fold(f64::MIN, f64::max);
    top + pairs.map(|(c, s)| (s - c / eps - top).exp()).sum::<f64>().ln()
}
