//! Costs between two clouds of points, computed on the fly.

use ndarray::Array2;

use super::Cost;
use crate::pairs::check_points;
use crate::simd::{Arith, Isa, Kernel};
use crate::{Error, Real, Result};

/// A distance between points, or its square.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Metric {
    /// |x - y|², the cost of W2.
    SquaredEuclidean,
    /// |x - y|, the cost of W1.
    Euclidean,
    /// (Σ |x_k - y_k|^p)^(1/p), p >= 1.
    Norm(f64),
}

/// A cost between the rows of two arrays, in O((n + m) d) memory.
///
/// ```
/// use flowfield::transport::{Cost, PointCost};
/// use ndarray::array;
/// let c = PointCost::squared_euclidean(&array![[0.0, 0.0]], &array![[3.0, 4.0], [1.0, 0.0]])?;
/// assert_eq!((c.at(0, 0), c.at(0, 1)), (25.0, 1.0));
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PointCost {
    x: Vec<f64>,
    /// Coordinate by coordinate, so that a row of costs is one sweep over contiguous memory.
    y: Vec<f64>,
    shape: (usize, usize),
    dim: usize,
    metric: Metric,
    isa: Isa,
}

impl PointCost {
    /// The cost between the rows of `x` (n × d) and of `y` (m × d).
    ///
    /// # Errors
    /// [`Error::Shape`] where the dimensions differ, [`Error::Empty`], [`Error::NotFinite`], and
    /// [`Error::Setting`] for a norm with p < 1.
    pub fn new<F: Real>(x: &Array2<F>, y: &Array2<F>, metric: Metric) -> Result<Self> {
        check_points("the source points", x)?;
        check_points("the target points", y)?;
        Error::shape("the target points", &[y.nrows(), x.ncols()], y.shape())?;
        if let Metric::Norm(p) = metric {
            Error::setting(p >= 1.0, "p", p, "a norm needs 1 <= p <= infinity")?;
        }
        Ok(PointCost {
            x: x.iter().map(|v| v.f64()).collect(),
            y: y.t().iter().map(|v| v.f64()).collect(),
            shape: (x.nrows(), y.nrows()),
            dim: x.ncols(),
            metric,
            isa: Isa::detect(),
        })
    }

    /// |x - y|².
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn squared_euclidean<F: Real>(x: &Array2<F>, y: &Array2<F>) -> Result<Self> {
        Self::new(x, y, Metric::SquaredEuclidean)
    }

    /// |x - y|.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn euclidean<F: Real>(x: &Array2<F>, y: &Array2<F>) -> Result<Self> {
        Self::new(x, y, Metric::Euclidean)
    }
}

impl Cost for PointCost {
    fn shape(&self) -> (usize, usize) {
        self.shape
    }

    fn at(&self, i: usize, j: usize) -> f64 {
        let m = self.shape.1;
        let gaps = self.x[i * self.dim..][..self.dim].iter().enumerate().map(|(k, x)| x - self.y[k * m + j]);
        match self.metric {
            Metric::SquaredEuclidean => gaps.map(|d| d * d).sum(),
            Metric::Euclidean => gaps.map(|d| d * d).sum::<f64>().sqrt(),
            Metric::Norm(1.0) => gaps.map(f64::abs).sum(),
            Metric::Norm(p) if p.is_infinite() => gaps.fold(0.0, |s, d| s.max(d.abs())),
            Metric::Norm(p) => gaps.map(|d| d.abs().powf(p)).sum::<f64>().powf(1.0 / p),
        }
    }

    fn row<'a>(&'a self, i: usize, scratch: &'a mut [f64]) -> &'a [f64] {
        if let Metric::Norm(_) = self.metric {
            scratch.iter_mut().enumerate().for_each(|(j, c)| *c = self.at(i, j));
            return scratch;
        }
        let x = &self.x[i * self.dim..][..self.dim];
        self.isa.run(SquaredRow { x, y: &self.y, out: scratch });
        if self.metric == Metric::Euclidean {
            scratch.iter_mut().for_each(|c| *c = c.sqrt());
        }
        scratch
    }

    fn work(&self) -> usize {
        if let Metric::Norm(_) = self.metric { 32 * self.dim } else { self.dim }
    }
}

/// Squared distances from one point to all of a cloud.
struct SquaredRow<'a> {
    x: &'a [f64],
    y: &'a [f64],
    out: &'a mut [f64],
}

/// Distances held in registers at a time.
const LANES: usize = 32;

impl Kernel for SquaredRow<'_> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        let m = self.out.len();
        let whole = m / LANES * LANES;
        for first in (0..whole).step_by(LANES) {
            let mut sum = [0.0; LANES];
            for (k, &x) in self.x.iter().enumerate() {
                let y = &self.y[k * m + first..][..LANES];
                for l in 0..LANES {
                    let d = x - y[l];
                    sum[l] = A::fma(d, d, sum[l]);
                }
            }
            self.out[first..first + LANES].copy_from_slice(&sum);
        }
        for j in whole..m {
            self.out[j] = self.x.iter().enumerate().fold(0.0, |s, (k, &x)| {
                let d = x - self.y[k * m + j];
                A::fma(d, d, s)
            });
        }
    }
}
