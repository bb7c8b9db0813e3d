//! The minimising-movement step on Gaussians.

use crate::{Error, Result};

/// Mean and standard deviation after one step of the Jordan–Kinderlehrer–Otto scheme
///
/// ```text
/// ρ⁺ = argmin W2²(·, N(m, σ²)) / (2τ) + ∫ ½ λ x² ρ + D ∫ ρ log ρ
/// m⁺ = m / (1 + λτ),   σ⁺ = (σ + √(σ² + 4τ(1 + λτ) D)) / (2 (1 + λτ))
/// ```
///
/// Its fixed point has variance D/λ whatever τ. From the optimality condition of the scheme (Jordan, Kinderlehrer and
/// Otto, SIAM J. Math. Anal. 29, 1998) on affine maps.
///
/// # Errors
/// [`Error::Setting`] unless τ > 0, D >= 0, σ >= 0 and 1 + λτ > 0.
///
/// ```
/// use flowfield::exact::gaussian_jko;
/// let (mut m, mut sigma) = (2.0, 0.5);
/// for _ in 0..200 { (m, sigma) = gaussian_jko(m, sigma, 2.0, 0.5, 0.3)?; }
/// assert!(m.abs() < 1e-12 && (sigma * sigma - 0.25).abs() < 1e-12);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn gaussian_jko(mean: f64, std: f64, lambda: f64, diffusion: f64, tau: f64) -> Result<(f64, f64)> {
    Error::setting(tau > 0.0, "tau", tau, "it must be positive")?;
    Error::setting(diffusion >= 0.0, "the diffusion", diffusion, "it must be 0 or positive")?;
    Error::setting(std >= 0.0, "the standard deviation", std, "it must be 0 or positive")?;
    let shrink = 1.0 + lambda * tau;
    let need = "it must be positive: take tau below 1/|lambda| for a potential that curves down";
    Error::setting(shrink > 0.0, "1 + lambda tau", shrink, need)?;
    let root = (std * std + 4.0 * tau * shrink * diffusion).sqrt();
    Ok((mean / shrink, (std + root) / (2.0 * shrink)))
}
