//! The sliced Wasserstein distance.

use ndarray::Array2;
use rayon::prelude::*;

use super::sort::{number, order, sorted_keys};
use super::wasserstein::overlaps;
use crate::pairs::check_points;
use crate::rng::Rng;
use crate::{Error, Real, Result};

/// `SW2² = mean over directions θ of W2²(θ·x, θ·y)`, between clouds of equally weighted points.
///
/// Of Gaussian directions the mean converges like 1/√P. Directions run over threads; the answer does not depend on
/// their number.
///
/// # References
/// Rabin, Peyré, Delon and Bernot, *Wasserstein barycenter and its application to texture mixing*, 2011; Bonneel et
/// al., J. Math. Imaging Vision 51 (2015).
///
/// ```
/// use flowfield::dataset::normal;
/// use flowfield::transport::Sliced;
/// let x = normal::<f64>((500, 3), 0);
/// let sliced = Sliced::new(3, 200, 0)?;
/// // A translation by s moves every projection by θ·s, and E (θ·s)² = |s|² / d.
/// assert!((sliced.squared(&x, &(&x + 1.0))? - 1.0).abs() < 0.2);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sliced<F> {
    directions: Array2<F>,
}

impl<F: Real> Sliced<F> {
    /// `count` random directions in `dim` dimensions.
    ///
    /// # Errors
    /// [`Error::Empty`] where either is zero.
    pub fn new(dim: usize, count: usize, seed: u64) -> Result<Self> {
        let mut rng = Rng::new(seed, 0);
        Self::along(&Array2::from_shape_simple_fn((count, dim), || F::of(rng.normal::<f64>())))
    }

    /// Along the rows of an array (P × d), which are brought to length one.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::NotFinite`], and [`Error::Setting`] for a row of zeros.
    pub fn along(directions: &Array2<F>) -> Result<Self> {
        check_points("the directions", directions)?;
        let mut directions = directions.as_standard_layout().into_owned();
        for mut row in directions.rows_mut() {
            let length = row.dot(&row).sqrt();
            Error::setting(
                length > F::zero(),
                "the length of a direction",
                length.f64(),
                "it must be positive",
            )?;
            row.mapv_inplace(|v| v / length);
        }
        Ok(Sliced { directions })
    }

    /// SW2.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::NotFinite`], and [`Error::Shape`] where dimensions differ.
    pub fn distance(&self, x: &Array2<F>, y: &Array2<F>) -> Result<f64> {
        Ok(self.squared(x, y)?.sqrt())
    }

    /// SW2².
    ///
    /// # Errors
    /// Those of [`distance`](Self::distance).
    pub fn squared(&self, x: &Array2<F>, y: &Array2<F>) -> Result<f64> {
        self.check(x, y)?;
        let (x, y) = (x.as_standard_layout(), y.as_standard_layout());
        let one = |k: usize| {
            let theta = self.direction(k);
            let u = sorted_keys(project(&x.view(), theta));
            let v = sorted_keys(project(&y.view(), theta));
            squared::<F>(&u, &v)
        };
        Ok(self.mean(one))
    }

    /// SW2² and its gradient in `x`: row i is `mean_θ 2 w_i (θ·x_i - T_θ(θ·x_i)) θ` with weight w_i = 1/n and the
    /// monotone map T_θ. Where projections coincide it is one of the subgradients.
    ///
    /// # Errors
    /// Those of [`distance`](Self::distance).
    pub fn gradient(&self, x: &Array2<F>, y: &Array2<F>) -> Result<(f64, Array2<F>)> {
        self.check(x, y)?;
        let (x, y) = (x.as_standard_layout(), y.as_standard_layout());
        let (n, d) = x.dim();
        let chunk = |first: usize| {
            let (mut value, mut gradient) = (0.0, vec![0.0; n * d]);
            for k in first..(first + CHUNK).min(self.directions.nrows()) {
                let theta = self.direction(k);
                let u = order(project(&x.view(), theta));
                let v = sorted_keys(project(&y.view(), theta));
                value += along::<F>(&u, &v, theta, &mut gradient);
            }
            (value, gradient)
        };
        let firsts: Vec<usize> = (0..self.directions.nrows()).step_by(CHUNK).collect();
        let parts: Vec<_> = firsts.into_par_iter().map(chunk).collect();
        let scale = 1.0 / self.directions.nrows() as f64;
        let (mut value, mut sum) = (0.0, vec![0.0; n * d]);
        for (v, g) in parts {
            value += v * scale;
            sum.iter_mut().zip(g).for_each(|(s, g)| *s += g * scale);
        }
        Ok((value, Array2::from_shape_fn((n, d), |(i, k)| F::of(sum[i * d + k]))))
    }

    /// The directions one by one.
    pub(super) fn rows(&self) -> Vec<Vec<F>> {
        (0..self.directions.nrows()).map(|k| self.direction(k).to_vec()).collect()
    }

    fn mean(&self, one: impl Fn(usize) -> f64 + Sync + Send) -> f64 {
        let all: Vec<f64> = (0..self.directions.nrows()).into_par_iter().map(one).collect();
        all.iter().sum::<f64>() / all.len() as f64
    }

    fn direction(&self, k: usize) -> &[F] {
        let d = self.directions.ncols();
        &self.directions.as_slice().unwrap_or(&[])[k * d..][..d]
    }

    fn check(&self, x: &Array2<F>, y: &Array2<F>) -> Result<()> {
        for (what, x) in [("the source points", x), ("the target points", y)] {
            check_points(what, x)?;
            Error::shape(what, &[x.nrows(), self.directions.ncols()], x.shape())?;
        }
        Ok(())
    }
}

/// Directions whose gradients are summed before they leave a thread.
const CHUNK: usize = 8;

/// `θ·x_i` for every row.
pub(super) fn project<F: Real>(x: &ndarray::ArrayView2<'_, F>, theta: &[F]) -> impl Iterator<Item = F> {
    let d = theta.len();
    let all: Vec<F> = match x.as_slice() {
        Some(x) => {
            x.chunks_exact(d).map(|x| x.iter().zip(theta).fold(F::zero(), |s, (&x, &t)| s + x * t)).collect()
        }
        None => Vec::new(),
    };
    all.into_iter()
}

/// W2² of sorted samples.
fn squared<F: Real>(u: &[u64], v: &[u64]) -> f64 {
    let square = |u: u64, v: u64| (number::<F>(u) - number::<F>(v)).powi(2);
    if u.len() == v.len() {
        return u.iter().zip(v).map(|(&u, &v)| square(u, v)).sum::<f64>() / u.len() as f64;
    }
    overlaps(u.len(), v.len()).map(|(i, j, w)| w * square(u[i], v[j])).sum()
}

/// W2² along one direction, whose gradient is added.
pub(super) fn along<F: Real>(u: &[(u64, u32)], v: &[u64], theta: &[F], gradient: &mut [f64]) -> f64 {
    let d = theta.len();
    let mut value = 0.0;
    let mut add = |i: usize, j: usize, w: f64| {
        let gap = number::<F>(u[i].0) - number::<F>(v[j]);
        value += w * gap * gap;
        let row = &mut gradient[u[i].1 as usize * d..][..d];
        row.iter_mut().zip(theta).for_each(|(g, t)| *g += 2.0 * w * gap * t.f64());
    };
    if u.len() == v.len() {
        let w = 1.0 / u.len() as f64;
        (0..u.len()).for_each(|i| add(i, i, w));
    } else {
        overlaps(u.len(), v.len()).for_each(|(i, j, w)| add(i, j, w));
    }
    value
}
