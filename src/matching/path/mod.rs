//! How a source and a data point are joined: `x_t = α(t) x0 + β(t) x1 + γ(t) z`.

mod bridge;
mod conditional;
mod cosine;
mod linear_vp;
mod polynomial;
mod smoothed;
mod straight;
mod trigonometric;
mod variance_preserving;

pub use bridge::Bridge;
pub use conditional::Conditional;
pub use cosine::Cosine;
pub use linear_vp::LinearVp;
pub use polynomial::Polynomial;
pub use smoothed::Smoothed;
pub use straight::Straight;
pub use trigonometric::Trigonometric;
pub use variance_preserving::VariancePreserving;

use crate::Result;

/// Where rates that grow without bound at an end are cut off: this far from it.
const CUT: f64 = 1e-5;

/// A path at one time: its coefficients and their rates of change.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Coefficients {
    /// Share of the source, α(t).
    pub alpha: f64,
    /// Share of the data, β(t).
    pub beta: f64,
    /// Share of fresh noise, γ(t).
    pub gamma: f64,
    /// dα/dt.
    pub alpha_dot: f64,
    /// dβ/dt.
    pub beta_dot: f64,
    /// dγ/dt.
    pub gamma_dot: f64,
}

impl Coefficients {
    /// Those of a path without fresh noise, from (α, dα/dt) and (β, dβ/dt).
    pub fn of(alpha: (f64, f64), beta: (f64, f64)) -> Self {
        Coefficients {
            alpha: alpha.0,
            alpha_dot: alpha.1,
            beta: beta.0,
            beta_dot: beta.1,
            gamma: 0.0,
            gamma_dot: 0.0,
        }
    }

    /// The same with fresh noise.
    #[must_use]
    pub fn with_noise(mut self, gamma: f64, gamma_dot: f64) -> Self {
        (self.gamma, self.gamma_dot) = (gamma, gamma_dot);
        self
    }

    /// Amplitude of all noise, `√(α² + γ²)`, and its rate, where the source is standard normal: the fresh noise and
    /// the source are then one.
    pub(super) fn noise(&self) -> (f64, f64) {
        if self.gamma == 0.0 {
            return (self.alpha, self.alpha_dot);
        }
        let amplitude = self.alpha.hypot(self.gamma);
        (amplitude, (self.alpha * self.alpha_dot + self.gamma * self.gamma_dot) / amplitude)
    }
}

/// A path between a source x0 (t = 0) and a data point x1 (t = 1), on which velocities are learnt:
///
/// ```text
/// x_t = α(t) x0 + β(t) x1 + γ(t) z,     dx_t/dt = α'(t) x0 + β'(t) x1 + γ'(t) z,     z ~ N(0, I)
/// ```
///
/// The general form is the stochastic interpolant of Albergo, Boffi, Vanden-Eijnden, *Stochastic interpolants*, 2023,
/// definition 2.1. Any closure from a time to [`Coefficients`] is one; [`paths`] lists those that come with the crate.
///
/// ```
/// use flowfield::matching::{Coefficients, Path, Straight};
/// assert_eq!(Straight.at(0.25), Coefficients::of((0.75, -1.0), (0.25, 1.0)));
/// let slow_start = |t: f64| Coefficients::of((1.0 - t * t, -2.0 * t), (t * t, 2.0 * t));
/// assert_eq!(slow_start.at(0.5).beta, 0.25);
/// ```
pub trait Path: Sync {
    /// The path's name.
    fn name(&self) -> &'static str {
        "custom"
    }

    /// The coefficients at a time in [0, 1], all finite.
    fn at(&self, t: f64) -> Coefficients;

    /// Whether the path's settings mean something.
    ///
    /// # Errors
    /// A setting out of range.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

impl<P: Fn(f64) -> Coefficients + Sync> Path for P {
    fn at(&self, t: f64) -> Coefficients {
        self(t)
    }
}

/// One of each path of this crate, with its usual settings.
pub fn paths() -> Vec<Box<dyn Path>> {
    vec![
        Box::new(Straight),
        Box::new(Trigonometric),
        Box::new(Cosine::default()),
        Box::new(VariancePreserving::default()),
        Box::new(LinearVp),
        Box::new(Polynomial(2.0)),
        Box::new(Bridge { sigma: 1.0 }),
        Box::new(Smoothed { sigma: 0.1 }),
        Box::new(Conditional { sigma_min: 0.01 }),
    ]
}

/// Refuses a width that is negative or not finite.
fn check_width(what: &'static str, value: f64) -> Result<()> {
    let need = "it must be 0 or positive, and finite";
    crate::Error::setting(value >= 0.0 && value.is_finite(), what, value, need)
}
