//! The direction along which two clouds differ most.

use ndarray::{Array1, Array2};

use super::sliced::Sliced;
use crate::transport::line::sliced::{along, project};
use crate::transport::line::sort::{order, sorted_keys};
use crate::{Real, Result};

/// `max over θ of W2²(θ·x, θ·y)`: value, direction, and the gradient in `x` by the envelope theorem.
///
/// Steepest ascent on the sphere with step halving, from several random directions: a local maximum, hence a
/// lower bound of the maximum.
///
/// # References
/// Deshpande et al., *Max-sliced Wasserstein distance and its use for GANs*, CVPR 2019.
///
/// ```
/// use flowfield::dataset::normal;
/// use flowfield::transport::MaxSliced;
/// let x = normal::<f64>((300, 2), 0);
/// let mut y = x.clone();
/// y.column_mut(0).mapv_inplace(|v| v + 3.0);
/// let most = MaxSliced::new(&x, &y, 4, 0)?;
/// assert!((most.squared - 9.0).abs() < 1e-6 && most.direction[0].abs() > 0.999);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MaxSliced<F> {
    /// W2² along the direction.
    pub squared: f64,
    /// The direction, of length one.
    pub direction: Array1<F>,
    /// Gradient of `squared` in the points `x` (n × d).
    pub gradient: Array2<F>,
}

const STEPS: usize = 100;

impl<F: Real> MaxSliced<F> {
    /// The best of `starts` ascents between the rows of `x` (n × d) and `y` (m × d).
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) (also for no start), [`Error::NotFinite`](crate::Error::NotFinite),
    /// [`Error::Shape`](crate::Error::Shape).
    pub fn new(x: &Array2<F>, y: &Array2<F>, starts: usize, seed: u64) -> Result<Self> {
        let first = Sliced::<F>::new(x.ncols(), starts, seed)?;
        first.squared(x, y)?;
        let (x, y) = (x.as_standard_layout().into_owned(), y.as_standard_layout().into_owned());
        let ends = first.rows().into_iter().map(|theta| ascend(&x, &y, theta));
        let best = ends.reduce(|best, new| if new.0 > best.0 { new } else { best });
        let (squared, direction) = best.unwrap_or((0.0, vec![F::zero(); x.ncols()]));
        let mut gradient = vec![0.0; x.len()];
        slope(&x, &y, &direction, &mut gradient);
        let d = x.ncols();
        let gradient = Array2::from_shape_fn(x.dim(), |(i, k)| F::of(gradient[i * d + k]));
        Ok(MaxSliced { squared, direction: Array1::from(direction), gradient })
    }
}

/// W2² along θ, and the gradient of it in the points.
fn slope<F: Real>(x: &Array2<F>, y: &Array2<F>, theta: &[F], gradient: &mut [f64]) -> f64 {
    let (u, v) = (order(project(&x.view(), theta)), sorted_keys(project(&y.view(), theta)));
    gradient.fill(0.0);
    along::<F>(&u, &v, theta, gradient)
}

fn ascend<F: Real>(x: &Array2<F>, y: &Array2<F>, start: Vec<F>) -> (f64, Vec<F>) {
    let (mut theta, mut step) = (start, 1.0);
    let mut value = value_at(x, y, &theta);
    for _ in 0..STEPS {
        let up = direction_gradient(x, y, &theta);
        let length = up.iter().map(|u| u * u).sum::<f64>().sqrt();
        if length == 0.0 {
            break;
        }
        let mut moved = false;
        while !moved && step > 1e-9 {
            let new: Vec<f64> = theta.iter().zip(&up).map(|(t, u)| t.f64() + step * u / length).collect();
            let norm = new.iter().map(|t| t * t).sum::<f64>().sqrt();
            let new: Vec<F> = new.iter().map(|t| F::of(t / norm)).collect();
            let at = value_at(x, y, &new);
            moved = at > value;
            if moved {
                (value, theta) = (at, new);
                step *= 2.0;
            } else {
                step *= 0.5;
            }
        }
        if !moved {
            break;
        }
    }
    (value, theta)
}

fn value_at<F: Real>(x: &Array2<F>, y: &Array2<F>, theta: &[F]) -> f64 {
    slope(x, y, theta, &mut vec![0.0; x.len()])
}

/// Gradient in θ, tangent to the sphere: `Σ 2 w (θ·x - θ·y) (x - y)` over the matched pairs.
fn direction_gradient<F: Real>(x: &Array2<F>, y: &Array2<F>, theta: &[F]) -> Vec<f64> {
    let d = theta.len();
    let (u, v) = (order(project(&x.view(), theta)), order(project(&y.view(), theta)));
    let mut up = vec![0.0; d];
    for (i, j, w) in super::wasserstein::overlaps(u.len(), v.len()) {
        let (a, b) = (x.row(u[i].1 as usize), y.row(v[j].1 as usize));
        let gap: f64 = (0..d).map(|k| theta[k].f64() * (a[k] - b[k]).f64()).sum();
        (0..d).for_each(|k| up[k] += 2.0 * w * gap * (a[k] - b[k]).f64());
    }
    let along: f64 = up.iter().zip(theta).map(|(u, t)| u * t.f64()).sum();
    up.iter_mut().zip(theta).for_each(|(u, t)| *u -= along * t.f64());
    up
}
