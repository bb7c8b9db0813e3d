//! Step sizes.

use super::newton::{ITERATIONS, KEEP};
use super::workspace::Workspace;
use crate::integrate::Verdict;
use crate::{Real, State};

#[derive(Debug, Clone, Copy)]
pub(super) struct Control {
    /// Error norm of the step just tried; infinite: the iteration failed, and asks for this factor.
    pub(super) err: f64,
    pub(super) retreat: f64,
    pub(super) first: bool,
    pub(super) rejected: bool,
    pub(super) accepted_h: f64,
    pub(super) accepted_err: f64,
    pub(super) started: bool,
}

/// Safety; least and largest factor between steps.
const SAFETY: f64 = 0.9;
const LIMITS: (f64, f64) = (0.2, 8.0);
/// A step that would grow by less than this stays, with its matrices.
const HOLD: f64 = 1.2;

impl Control {
    pub(super) const NEW: Self = Control {
        err: 0.0,
        retreat: 0.5,
        first: true,
        rejected: false,
        accepted_h: 0.0,
        accepted_err: 1e-2,
        started: false,
    };
}

impl<S: State> Workspace<S> {
    /// Accepts or rejects a step of size `h` and error norm `err`, which is not finite if its stages were not found.
    #[inline(always)]
    pub(super) fn judge(&mut self, h: S::Elem, err: f64) -> Verdict<S::Elem> {
        let (control, size) = (&mut self.control, h.f64());
        if !err.is_finite() {
            self.newton.failures += 1;
            control.rejected = true;
            let factor = if err.is_nan() { 0.1 } else { control.retreat };
            return Verdict { accept: false, h: h * S::Elem::of(factor) };
        }
        // More iterations, smaller steps.
        let (m, most) = (f64::from(self.newton.iterations), f64::from(ITERATIONS));
        let safety = SAFETY.min(SAFETY * (1.0 + 2.0 * most) / (m + 2.0 * most));
        let mut factor = (safety * err.rough_pow(-0.25)).clamp(LIMITS.0, LIMITS.1);
        if err >= 1.0 {
            control.rejected = true;
            let factor = if control.first { 0.1 } else { factor };
            return Verdict { accept: false, h: h * S::Elem::of(factor) };
        }
        if !control.first {
            let trend =
                control.accepted_h / size * (err * err / control.accepted_err).rough_pow(0.25) / SAFETY;
            factor = factor.min((1.0 / trend).clamp(LIMITS.0, LIMITS.1));
        }
        (control.accepted_h, control.accepted_err) = (size, err.max(1e-2));
        if control.rejected {
            factor = factor.min(1.0);
        }
        if self.newton.theta <= KEEP && (1.0..=HOLD).contains(&factor) {
            factor = 1.0;
        }
        Verdict { accept: true, h: h * S::Elem::of(factor) }
    }
}
