//! The heat kernel.

use std::f64::consts::PI;

use crate::{Error, Result};

/// `(4πDt)^{-d/2} exp(-|x|² / (4Dt))` in `dim` dimensions at distance `r = |x|`: the solution of `∂ρ/∂t = DΔρ` from
/// a unit mass at the origin.
///
/// # Errors
/// [`Error::Setting`] unless `diffusion` and `t` are positive.
///
/// ```
/// use flowfield::exact::heat_kernel;
/// let mass: f64 = (-400..=400).map(|i| 0.05 * heat_kernel(1, 0.5, 2.0, 0.05 * f64::from(i)).unwrap()).sum();
/// assert!((mass - 1.0).abs() < 1e-12);
/// ```
pub fn heat_kernel(dim: u32, diffusion: f64, t: f64, r: f64) -> Result<f64> {
    Error::setting(diffusion > 0.0, "the diffusion", diffusion, "it must be positive")?;
    Error::setting(t > 0.0, "the time", t, "it must be positive")?;
    let spread = 4.0 * diffusion * t;
    Ok((PI * spread).powf(-0.5 * f64::from(dim)) * (-r * r / spread).exp())
}
