//! An S-shaped curve.

use std::f64::consts::PI;

use ndarray::Array2;

use crate::Real;
use crate::rng::Rng;

/// An S in the plane: `(sin a, sign(a) (cos a - 1))` for `a` uniform on [-3π/2, 3π/2], with Gaussian noise of standard
/// deviation `noise`. It reaches from -1 to 1 across and from -2 to 2 upward.
///
/// ```
/// let x = flowfield::dataset::s_curve::<f32>(500, 0.05, 0);
/// assert_eq!(x.dim(), (500, 2));
/// ```
pub fn s_curve<F: Real>(n: usize, noise: f64, seed: u64) -> Array2<F> {
    let mut rng = Rng::new(seed, 0);
    let mut x = Array2::zeros((n, 2));
    for mut row in x.rows_mut() {
        let a = 3.0 * PI * (rng.uniform::<f64>() - 0.5);
        row[0] = F::of(a.sin() + noise * rng.normal::<f64>());
        row[1] = F::of(a.signum() * (a.cos() - 1.0) + noise * rng.normal::<f64>());
    }
    x
}
