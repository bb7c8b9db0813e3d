//! Stationary variances of samplers of N(0, 1/λ) with step h: what a finite step costs. The truth is 1/λ.
//!
//! `underdamped` methods here move `dq = p dt`, `dp = -λq dt - γp dt + √(2γ) dW`; their position variances depend on no γ.
//! Leimkuhler and Matthews, *Rational construction of stochastic numerical methods for molecular sampling*, AMRX 2013.

/// Unadjusted Langevin, `x ← x - hλx + √(2h) ξ`: `1 / (λ (1 - hλ/2))`, stable for hλ < 2.
///
/// ```
/// use flowfield::exact::sampler::ula_variance;
/// // The fixed point of v = (1 - hλ)² v + 2h.
/// let (lambda, h) = (2.0, 0.3);
/// let v = ula_variance(lambda, h);
/// assert!(((1.0 - h * lambda).powi(2) * v + 2.0 * h - v).abs() < 1e-15);
/// ```
pub fn ula_variance(lambda: f64, h: f64) -> f64 {
    1.0 / (lambda * (1.0 - 0.5 * h * lambda))
}

/// Leimkuhler and Matthews' method, `x ← x - hλx + √(h/2) (ξ_n + ξ_{n+1})`: exactly `1/λ`.
pub fn leimkuhler_matthews_variance(lambda: f64) -> f64 {
    1.0 / lambda
}

/// BAOAB: exactly `1/λ` in the positions, for any h below stability (momenta are biased).
pub fn baoab_variance(lambda: f64) -> f64 {
    1.0 / lambda
}

/// OBABO: `1 / (λ (1 - h²λ/4))` in the positions.
pub fn obabo_variance(lambda: f64, h: f64) -> f64 {
    1.0 / (lambda * (1.0 - 0.25 * h * h * lambda))
}

/// The acceptance rate to which the step of a Metropolis-adjusted Langevin sampler is tuned in high dimension (Roberts and
/// Rosenthal, J. R. Stat. Soc. B 60, 1998).
pub const MALA_ACCEPTANCE: f64 = 0.574;
