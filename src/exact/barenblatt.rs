//! The porous medium's self-similar solution.

use std::f64::consts::PI;

use super::gamma::ln_gamma;
use crate::{Error, Result};

/// The Barenblatt solution of the porous medium equation `∂ρ/∂t = Δρ^m`, `m > 1`, in d dimensions:
///
/// ```text
/// ρ(t, x) = t^{-α} (C - k |x|² t^{-2α/d})₊^{1/(m-1)},   α = d / (d(m-1) + 2),   k = α(m-1) / (2md)
/// ```
///
/// with C from the mass. It starts from a point mass at t = 0 and ends at the radius `√(C/k) t^{α/d}`. It is
/// the Wasserstein gradient flow of `F = ∫ ρ^m / (m-1)`. Vázquez, *The Porous Medium Equation*, section 17.5.
///
/// ```
/// use flowfield::exact::Barenblatt;
/// let b = Barenblatt::new(1, 2.0, 1.0)?;
/// let h = 1e-3;
/// let mass: f64 = (-4000..4000).map(|i| h * b.density(1.5, (f64::from(i) + 0.5) * h)).sum();
/// assert!((mass - 1.0).abs() < 1e-6 && b.density(1.5, b.radius(1.5)) == 0.0);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Barenblatt {
    d: f64,
    m: f64,
    mass: f64,
    alpha: f64,
    k: f64,
    c: f64,
}

impl Barenblatt {
    /// In `dim` >= 1 dimensions, of exponent `m` > 1 and of this mass > 0.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(dim: u32, m: f64, mass: f64) -> Result<Self> {
        Error::setting(dim > 0, "the dimension", f64::from(dim), "it must be at least 1")?;
        Error::setting(m > 1.0 && m.is_finite(), "the exponent m", m, "it must be above 1 and finite")?;
        Error::setting(mass > 0.0 && mass.is_finite(), "the mass", mass, "it must be positive and finite")?;
        let d = f64::from(dim);
        let alpha = d / (d * (m - 1.0) + 2.0);
        let k = alpha * (m - 1.0) / (2.0 * m * d);
        let p = 1.0 / (m - 1.0);
        // mass = ball(p) C^{p + d/2} k^{-d/2}
        let c = ((mass.ln() - ln_ball(d, p) + 0.5 * d * k.ln()) / (p + 0.5 * d)).exp();
        Ok(Barenblatt { d, m, mass, alpha, k, c })
    }

    /// ρ(t, |x| = r), t > 0.
    pub fn density(&self, t: f64, r: f64) -> f64 {
        let inside = self.c - self.k * r * r * t.powf(-2.0 * self.alpha / self.d);
        t.powf(-self.alpha) * inside.max(0.0).powf(1.0 / (self.m - 1.0))
    }

    /// Where the density ends at time t.
    pub fn radius(&self, t: f64) -> f64 {
        (self.c / self.k).sqrt() * t.powf(self.alpha / self.d)
    }

    /// `F = ∫ ρ^m / (m-1)` at time t: a multiple of `t^{-α(m-1)}`.
    pub fn energy(&self, t: f64) -> f64 {
        let p = self.m / (self.m - 1.0);
        let at_one =
            (ln_ball(self.d, p) + (p + 0.5 * self.d) * self.c.ln() - 0.5 * self.d * self.k.ln()).exp();
        at_one / (self.m - 1.0) * t.powf(-self.alpha * (self.m - 1.0))
    }

    /// `∫ |x|² ρ` at time t: its slope in time is `2d(m-1) F`.
    pub fn second_moment(&self, t: f64) -> f64 {
        let slope_at_one = 2.0 * self.d * (self.m - 1.0) * self.energy(1.0);
        slope_at_one * self.d / (2.0 * self.alpha) * t.powf(2.0 * self.alpha / self.d)
    }

    /// The mass.
    pub fn mass(&self) -> f64 {
        self.mass
    }
}

/// log of `∫ (1 - |x|²)₊^p dx = π^{d/2} Γ(p+1) / Γ(p+1+d/2)`.
fn ln_ball(d: f64, p: f64) -> f64 {
    0.5 * d * PI.ln() + ln_gamma(p + 1.0) - ln_gamma(p + 1.0 + 0.5 * d)
}
