//! The Bures–Wasserstein geometry of Gaussians.

use ndarray::{Array1, Array2, Axis};

use crate::linalg::symmetric::{apply, eigen, sqrt};
use crate::pairs::check_points;
use crate::{Error, Real, Result};

/// A Gaussian N(m, S) in d dimensions; S may be singular.
///
/// ```text
/// W2² = |m₁ - m₂|² + tr(S₁ + S₂ - 2 (S₁^½ S₂ S₁^½)^½)
/// ```
///
/// # References
/// Takatsu, Osaka J. Math. 48 (2011); barycenters: Álvarez-Esteban et al., J. Math. Anal. Appl. 441 (2016).
///
/// ```
/// use flowfield::transport::Gaussian;
/// use ndarray::array;
/// let a = Gaussian::new(array![0.0], array![[1.0]])?;
/// let b = Gaussian::new(array![3.0], array![[4.0]])?;
/// assert!((a.w2_squared(&b)? - 10.0).abs() < 1e-12);
/// assert!((a.geodesic(&b, 0.5)?.covariance()[[0, 0]] - 2.25).abs() < 1e-12);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Gaussian {
    mean: Array1<f64>,
    covariance: Array2<f64>,
}

/// `x ↦ A x + b`.
#[derive(Debug, Clone, PartialEq)]
pub struct AffineMap {
    /// A.
    pub matrix: Array2<f64>,
    /// b.
    pub shift: Array1<f64>,
}

impl AffineMap {
    /// The map on the rows of `x` (n × d).
    ///
    /// # Errors
    /// [`Error::Shape`] where the dimensions differ.
    pub fn apply<F: Real>(&self, x: &Array2<F>) -> Result<Array2<F>> {
        Error::shape("the points", &[x.nrows(), self.shift.len()], x.shape())?;
        let y = x.mapv(|v| v.f64()).dot(&self.matrix.t()) + &self.shift;
        Ok(y.mapv(F::of))
    }
}

/// Steps of the barycenter's fixed point, and the relative change at which it stops.
const STEPS: usize = 500;
const SETTLED: f64 = 1e-13;

impl Gaussian {
    /// N(mean, covariance).
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::Shape`], [`Error::NotFinite`], and [`Error::Setting`] for a matrix that is not
    /// symmetric or has a negative eigenvalue.
    pub fn new(mean: Array1<f64>, covariance: Array2<f64>) -> Result<Self> {
        let d = mean.len();
        Error::shape("the covariance", &[d, d], covariance.shape())?;
        check_points("the mean", &mean.clone().insert_axis(Axis(0)))?;
        check_points("the covariance", &covariance)?;
        let size = covariance.iter().fold(0.0_f64, |s, c| s.max(c.abs()));
        let skew = (&covariance - &covariance.t()).iter().fold(0.0_f64, |s, c| s.max(c.abs()));
        Error::setting(skew <= 1e-10 * size, "the asymmetry of a covariance", skew, "it must be symmetric")?;
        let least = eigen(&covariance).0.iter().copied().fold(f64::INFINITY, f64::min);
        Error::setting(
            least >= -1e-10 * size,
            "the least eigenvalue of a covariance",
            least,
            "it must not be negative",
        )?;
        Ok(Gaussian { mean, covariance })
    }

    /// Mean and covariance (division by n) of the rows of `x` (n × d).
    ///
    /// # Errors
    /// [`Error::Empty`] and [`Error::NotFinite`].
    pub fn fit<F: Real>(x: &Array2<F>) -> Result<Self> {
        check_points("the points", x)?;
        let (x, n) = (x.mapv(|v| v.f64()), x.nrows() as f64);
        let mean = x.sum_axis(Axis(0)) / n;
        let centred = x - &mean;
        let covariance = centred.t().dot(&centred) / n;
        Ok(Gaussian { mean, covariance })
    }

    /// m.
    pub fn mean(&self) -> &Array1<f64> {
        &self.mean
    }

    /// S.
    pub fn covariance(&self) -> &Array2<f64> {
        &self.covariance
    }

    /// W2².
    ///
    /// # Errors
    /// [`Error::Shape`] where the dimensions differ.
    pub fn w2_squared(&self, other: &Gaussian) -> Result<f64> {
        self.same(other)?;
        let gap = &self.mean - &other.mean;
        let root = sqrt(&self.covariance);
        let cross = eigen(&root.dot(&other.covariance).dot(&root)).0.mapv(|l| l.max(0.0).sqrt()).sum();
        let trace = self.covariance.diag().sum() + other.covariance.diag().sum();
        Ok(gap.dot(&gap) + (trace - 2.0 * cross).max(0.0))
    }

    /// The optimal map `m₂ + S₁^-½ (S₁^½ S₂ S₁^½)^½ S₁^-½ (x - m₁)`; in directions in which this Gaussian has no
    /// width the linear part is zero.
    ///
    /// # Errors
    /// [`Error::Shape`] where the dimensions differ.
    pub fn map(&self, other: &Gaussian) -> Result<AffineMap> {
        self.same(other)?;
        let size = self.covariance.diag().iter().copied().fold(0.0, f64::max);
        let root = sqrt(&self.covariance);
        let inverse = apply(&self.covariance, |l| if l > 1e-14 * size { 1.0 / l.sqrt() } else { 0.0 });
        let matrix = inverse.dot(&sqrt(&root.dot(&other.covariance).dot(&root))).dot(&inverse);
        let shift = &other.mean - &matrix.dot(&self.mean);
        Ok(AffineMap { matrix, shift })
    }

    /// The Gaussian at time `t` in [0, 1] of the geodesic to another: the law of `(1 - t) X + t T(X)`.
    ///
    /// # Errors
    /// [`Error::Shape`] where the dimensions differ.
    pub fn geodesic(&self, other: &Gaussian, t: f64) -> Result<Gaussian> {
        let map = self.map(other)?;
        let blend = Array2::<f64>::eye(self.mean.len()) * (1.0 - t) + t * map.matrix;
        let covariance = blend.dot(&self.covariance).dot(&blend.t());
        Ok(Gaussian { mean: (1.0 - t) * &self.mean + t * &other.mean, covariance })
    }

    /// The Gaussian that minimises `Σ w_k W2²(·, N_k)`, weights normalised to sum one, by the fixed point
    /// `S ← S^-½ (Σ w_k (S^½ S_k S^½)^½)² S^-½`.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::Shape`], [`Error::Weight`], and [`Error::NotConverged`].
    pub fn barycenter(all: &[Gaussian], weights: &Array1<f64>) -> Result<Gaussian> {
        let first = all.first().ok_or(Error::Empty { what: "the list of Gaussians" })?;
        all.iter().try_for_each(|g| first.same(g))?;
        let w = crate::transport::weights::checked("the weights of a barycenter", weights, all.len())?;
        let sum: f64 = w.iter().sum();
        let d = first.mean.len();
        let (mut mean, mut s) = (Array1::zeros(d), Array2::zeros((d, d)));
        for (g, w) in all.iter().zip(&w) {
            mean.scaled_add(w / sum, &g.mean);
            s.scaled_add(w / sum, &g.covariance);
        }
        let mut change = f64::INFINITY;
        for _ in 0..STEPS {
            let size = s.diag().iter().copied().fold(0.0, f64::max);
            let root = sqrt(&s);
            let inverse = apply(&s, |l| if l > 1e-14 * size { 1.0 / l.sqrt() } else { 0.0 });
            let mut mixed = Array2::zeros((d, d));
            for (g, w) in all.iter().zip(&w) {
                mixed.scaled_add(w / sum, &sqrt(&root.dot(&g.covariance).dot(&root)));
            }
            let half = mixed.dot(&inverse);
            let new = half.t().dot(&half);
            change = (&new - &s).iter().fold(0.0_f64, |c, e| c.max(e.abs())) / size.max(f64::MIN_POSITIVE);
            s = new;
            if change <= SETTLED {
                return Ok(Gaussian { mean, covariance: s });
            }
        }
        Err(Error::NotConverged { what: "the barycenter", iterations: STEPS, residual: change, tol: SETTLED })
    }

    fn same(&self, other: &Gaussian) -> Result<()> {
        Error::shape("the other Gaussian's mean", self.mean.shape(), other.mean.shape())
    }
}
