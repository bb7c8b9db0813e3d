//! Chemotaxis: `∂ρ/∂t = Δρ - χ div(ρ∇c)`, `-Δc = ρ` in the plane, that is `W = (χ/2π) log|x|`.
//!
//! Blanchet, Dolbeault and Perthame, *Two-dimensional Keller–Segel model*, Electron. J. Differential Equations 44 (2006).

use std::f64::consts::PI;

/// The mass 8π/χ above which solutions blow up in finite time.
pub fn critical_mass(chi: f64) -> f64 {
    8.0 * PI / chi
}

/// `d/dt ∫ |x|² ρ = 4M (1 - χM / 8π)`, constant in time.
///
/// ```
/// use flowfield::exact::keller_segel::{critical_mass, second_moment_slope};
/// assert_eq!(second_moment_slope(critical_mass(2.0), 2.0), 0.0);
/// ```
pub fn second_moment_slope(mass: f64, chi: f64) -> f64 {
    4.0 * mass * (1.0 - chi * mass / (8.0 * PI))
}

/// What attraction alone adds to `d/dt (1/N) Σ |x_i|²` for N equal particles of total mass 1, wherever they are, no
/// regularisation: `-(χ/2π)(1 - 1/N)`.
pub fn particle_slope(particles: usize, chi: f64) -> f64 {
    -chi / (2.0 * PI) * (1.0 - 1.0 / particles as f64)
}

/// The same on the line with `W = χ log|x|`: `d/dt ∫ x² ρ = 2M - χM²`, of critical mass 2/χ.
pub fn line_second_moment_slope(mass: f64, chi: f64) -> f64 {
    2.0 * mass - chi * mass * mass
}
