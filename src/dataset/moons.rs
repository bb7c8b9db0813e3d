//! Two interleaved half circles.

use std::f64::consts::PI;

use ndarray::Array2;

use crate::Real;
use crate::rng::Rng;

/// Two moons: half circles of radius 1 around (0, 0) and, upside down, around (1, 1/2), with Gaussian noise of
/// standard deviation `noise`. Rows alternate between the moons; angles are uniform draws.
///
/// ```
/// let x = flowfield::dataset::moons::<f32>(500, 0.05, 0);
/// assert_eq!(x.dim(), (500, 2));
/// ```
pub fn moons<F: Real>(n: usize, noise: f64, seed: u64) -> Array2<F> {
    let mut rng = Rng::new(seed, 0);
    let mut x = Array2::zeros((n, 2));
    for (i, mut row) in x.rows_mut().into_iter().enumerate() {
        let (sin, cos) = (PI * rng.uniform::<f64>()).sin_cos();
        let (u, v) = if i % 2 == 0 { (cos, sin) } else { (1.0 - cos, 0.5 - sin) };
        row[0] = F::of(u + noise * rng.normal::<f64>());
        row[1] = F::of(v + noise * rng.normal::<f64>());
    }
    x
}
