//! Displacement interpolation.

use ndarray::{Array1, Array2};

use super::Plan;
use crate::{Error, Real, Result};

/// McCann's interpolation at time `t` in [0, 1]: every parcel of mass of the plan on its straight way from `x_i` to
/// `y_j`. Returns a point and a weight for every entry of the plan; for a plan optimal for |x - y|² the curve in `t`
/// is the geodesic of W2.
///
/// # Errors
/// [`Error::Shape`] where the clouds are not those of the plan.
///
/// ```
/// use flowfield::transport::{PointCost, displace, exact, uniform};
/// use ndarray::array;
/// let (x, y, w) = (array![[0.0], [1.0]], array![[4.0], [3.0]], uniform::<f64>(2));
/// let plan = exact(&PointCost::squared_euclidean(&x, &y)?, &w, &w)?;
/// let (half, weights) = displace(&plan, &x, &y, 0.5)?;
/// assert_eq!((half, weights), (array![[1.5], [2.5]], w));
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn displace<F: Real>(
    plan: &Plan,
    x: &Array2<F>,
    y: &Array2<F>,
    t: f64,
) -> Result<(Array2<F>, Array1<F>)> {
    Error::shape("the sources", &[plan.shape.0, x.ncols()], x.shape())?;
    Error::shape("the targets", &[plan.shape.1, x.ncols()], y.shape())?;
    let (s, t) = (F::of(1.0 - t), F::of(t));
    let entry = |k: usize| plan.entries[k];
    let points = Array2::from_shape_fn((plan.entries.len(), x.ncols()), |(k, c)| {
        s * x[[entry(k).0, c]] + t * y[[entry(k).1, c]]
    });
    Ok((points, plan.entries.iter().map(|e| F::of(e.2)).collect()))
}
