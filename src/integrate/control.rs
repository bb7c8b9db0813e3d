//! Step-size controllers: they see step sizes and error norms, nothing else.

use crate::Real;
use crate::scalar::{rough_exp2, rough_log2};

/// What a controller says of a step: whether it stands, and the size of the next (or repeated) one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict<F> {
    /// The step stands.
    pub accept: bool,
    /// Size of the next step, with its sign.
    pub h: F,
}

/// Chooses step sizes from step sizes and error norms.
///
/// Adaptive runs ask [`judge`](Self::judge) after each step; runs with fixed steps ask
/// [`plan`](Self::plan) before each, which is where learning-rate schedules live.
pub trait Controller<F: Real>: Send {
    /// Judges a step of size `h` whose error norm was `err` (good if at most 1; NaN if the field was not
    /// finite) for an estimate that behaves as `h^(order + 1)`.
    fn judge(&mut self, h: F, err: F, order: u32) -> Verdict<F>;

    /// The size of fixed step number `step` (counted from 0) of a run whose nominal step is `h`.
    fn plan(&mut self, step: u64, h: F) -> F {
        let _ = step;
        h
    }

    /// Forgets the history: a new run begins, or the solution jumped.
    fn restart(&mut self) {}
}

/// Smallest error norm that still matters: below it the step grows by the largest factor anyway.
const TINY: f64 = 1e-10;
/// Factor after a step with a non-finite error.
const RETREAT: f64 = 0.1;

/// Proportional–integral control as in Hairer's DOPRI5 (HNW II.4 and IV.2; Gustafsson 1991):
///
/// ```text
/// h ← h · clamp(safety · err^-(1/k - 3/4 β) · err_prev^β, 0.2, 10),   k = order + 1,  β = 0.2 / k
/// ```
#[derive(Debug, Clone)]
pub struct Pi<F> {
    /// Safety factor, 0.9.
    pub safety: F,
    /// Smallest and largest factor between steps, 0.2 and 10.
    pub limits: (F, F),
    log_previous: f64,
    rejected: bool,
}

/// 1 / k for the orders there are.
const INVERSE: [f64; 15] = {
    let mut inverse = [1.0; 15];
    let mut k = 1;
    while k < 15 {
        inverse[k] = 1.0 / k as f64;
        k += 1;
    }
    inverse
};
/// log2 of 1e-4, below which the error of the step before does not count.
const LOG_FLOOR: f64 = -13.287712379549449;

impl<F: Real> Default for Pi<F> {
    fn default() -> Self {
        Pi { safety: F::of(0.9), limits: (F::of(0.2), F::of(10.0)), log_previous: LOG_FLOOR, rejected: false }
    }
}

impl<F: Real> Controller<F> for Pi<F> {
    #[inline]
    fn judge(&mut self, h: F, err: F, order: u32) -> Verdict<F> {
        if !err.is_finite() {
            self.rejected = true;
            return Verdict { accept: false, h: h * F::of(RETREAT) };
        }
        let inverse_k = INVERSE[(order as usize + 1).min(INVERSE.len() - 1)];
        let beta = 0.2 * inverse_k;
        let log_err = rough_log2(err.f64().max(TINY));
        let exponent = (0.75 * beta - inverse_k) * log_err;
        let (least, most) = self.limits;
        if err > F::one() {
            self.rejected = true;
            let factor = self.safety * F::of(rough_exp2(exponent));
            return Verdict { accept: false, h: h * factor.max(least).min(F::of(0.9)) };
        }
        let factor = self.safety * F::of(rough_exp2(exponent + beta * self.log_previous));
        let most = if self.rejected { F::one() } else { most };
        self.log_previous = log_err.max(LOG_FLOOR);
        self.rejected = false;
        Verdict { accept: true, h: h * factor.max(least).min(most) }
    }

    fn restart(&mut self) {
        (self.log_previous, self.rejected) = (LOG_FLOOR, false);
    }
}

/// Proportional–integral–derivative control with Söderlind's digital filters
/// (G. Söderlind, *Digital filters in adaptive time-stepping*, ACM TOMS 29, 2003, table III):
///
/// ```text
/// h ← h · limit(err_n^(-β₁/k) · err_{n-1}^(-β₂/k) · err_{n-2}^(-β₃/k)),   limit(x) = 1 + atan(x - 1),  k = order + 1
/// ```
///
#[derive(Debug, Clone)]
pub struct Pid<F> {
    beta: [f64; 3],
    /// Inverse errors of the last steps, newest first.
    inverse: [F; 3],
    safety: f64,
}

impl<F: Real> Pid<F> {
    /// A filter with coefficients β₁, β₂, β₃.
    pub fn new(beta: [f64; 3]) -> Self {
        Pid { beta, inverse: [F::one(); 3], safety: 0.9 }
    }
    /// Elementary (integral) control.
    pub fn integral() -> Self {
        Self::new([1.0, 0.0, 0.0])
    }
    /// PI.4.2, a good all-round choice for explicit methods.
    pub fn pi42() -> Self {
        Self::new([0.6, -0.2, 0.0])
    }
    /// PI.3.3.
    pub fn pi33() -> Self {
        Self::new([2.0 / 3.0, -1.0 / 3.0, 0.0])
    }
    /// PI.3.4, Gustafsson's.
    pub fn pi34() -> Self {
        Self::new([0.7, -0.4, 0.0])
    }
    /// H211PI, a first-order low-pass filter: smooth step sequences.
    pub fn h211() -> Self {
        Self::new([1.0 / 6.0, 1.0 / 6.0, 0.0])
    }
    /// H312PID, a second-order low-pass filter: the smoothest.
    pub fn h312() -> Self {
        Self::new([1.0 / 18.0, 1.0 / 9.0, 1.0 / 18.0])
    }
}

impl<F: Real> Default for Pid<F> {
    fn default() -> Self {
        Self::pi42()
    }
}

impl<F: Real> Controller<F> for Pid<F> {
    fn judge(&mut self, h: F, err: F, order: u32) -> Verdict<F> {
        if !err.is_finite() {
            return Verdict { accept: false, h: h * F::of(RETREAT) };
        }
        let k = f64::from(order) + 1.0;
        self.inverse[0] = err.max(F::of(TINY)).recip();
        let mut factor = 1.0;
        for (inverse, beta) in self.inverse.iter().zip(self.beta).filter(|(_, b)| *b != 0.0) {
            factor *= inverse.rough_pow(F::of(beta / k)).f64();
        }
        let factor = 1.0 + (self.safety.powf(1.0 / k) * factor - 1.0).atan();
        let accept = err <= F::one();
        if accept {
            self.inverse = [F::one(), self.inverse[0], self.inverse[1]];
            return Verdict { accept, h: h * F::of(factor) };
        }
        // A rejected step shrinks by what its own error asks for: the filter would be too slow.
        let shrink = 0.9 * err.rough_pow(F::of(-1.0 / k)).f64();
        Verdict { accept, h: h * F::of(shrink.clamp(0.1, 0.9)) }
    }

    fn restart(&mut self) {
        self.inverse = [F::one(); 3];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a controller on a model method whose error is (h / 0.1)^(order + 1).
    fn settle(mut c: impl Controller<f64>, start: f64) -> (f64, u32) {
        let (mut h, mut rejected) = (start, 0);
        for _ in 0..200 {
            let v = c.judge(h, (h / 0.1).powi(5), 4);
            rejected += u32::from(!v.accept);
            h = v.h;
        }
        (h, rejected)
    }

    #[test]
    fn every_controller_settles_just_below_the_step_that_meets_the_tolerance() {
        for start in [1e-9, 1e-3, 10.0] {
            let (h, rejected) = settle(Pi::default(), start);
            assert!((0.08..0.1).contains(&h) && rejected < 8, "PI from {start}: {h}, {rejected}");
            for beta in [Pid::integral(), Pid::pi42(), Pid::pi33(), Pid::pi34(), Pid::h211(), Pid::h312()] {
                let name = format!("{:?}", beta.beta);
                let (h, rejected) = settle(beta, start);
                assert!((0.05..0.101).contains(&h) && rejected < 8, "{name} from {start}: {h}, {rejected}");
            }
        }
    }

    #[test]
    fn a_non_finite_error_is_a_rejection() {
        for err in [f64::NAN, f64::INFINITY] {
            assert!(!Pi::default().judge(1.0, err, 4).accept);
            assert!(!Pid::default().judge(1.0, err, 4).accept);
        }
    }
}
