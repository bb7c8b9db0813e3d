//! Gaussians, and mixtures of them.

use std::f64::consts::FRAC_PI_4;

use ndarray::Array2;

use crate::Real;
use crate::rng::Rng;

/// Standard normal numbers in an array of this shape (rows, columns).
///
/// ```
/// let z = flowfield::dataset::normal::<f64>((1000, 2), 0);
/// assert!(z.mean().unwrap().abs() < 0.1);
/// ```
pub fn normal<F: Real>(shape: (usize, usize), seed: u64) -> Array2<F> {
    let mut rng = Rng::new(seed, 0);
    Array2::from_shape_simple_fn(shape, || rng.normal())
}

/// Gaussians on a square grid: `side × side` centres with the given spacing around the origin, standard deviation `std` per axis.
///
/// ```
/// let x = flowfield::dataset::grid_gaussians::<f32>(1_000, 5, 2.0, 0.05, 0);       // the 25 Gaussians of the GAN papers
/// assert!(x.iter().all(|x| x.abs() < 4.5));
/// ```
pub fn grid_gaussians<F: Real>(n: usize, side: usize, spacing: f64, std: f64, seed: u64) -> Array2<F> {
    let mut rng = Rng::new(seed, 0);
    let middle = 0.5 * (side as f64 - 1.0);
    let mut x = Array2::zeros((n, 2));
    for mut row in x.rows_mut() {
        let cell = rng.below(side * side);
        for (x, index) in row.iter_mut().zip([cell % side, cell / side]) {
            *x = F::of(spacing * (index as f64 - middle) + std * rng.normal::<f64>());
        }
    }
    x
}

/// Eight Gaussians on a circle: centres at angles kπ/4 with the given radius, standard deviation `std` per axis.
///
/// The common flow-matching toy set has radius 5 and, its variance being square-rooted twice, a standard
/// deviation of `0.1^(1/4) ≈ 0.5623`.
pub fn eight_gaussians<F: Real>(n: usize, radius: f64, std: f64, seed: u64) -> Array2<F> {
    let mut rng = Rng::new(seed, 0);
    let mut x = Array2::zeros((n, 2));
    for mut row in x.rows_mut() {
        let angle = rng.below(8) as f64 * FRAC_PI_4;
        row[0] = F::of(radius * angle.cos() + std * rng.normal::<f64>());
        row[1] = F::of(radius * angle.sin() + std * rng.normal::<f64>());
    }
    x
}
