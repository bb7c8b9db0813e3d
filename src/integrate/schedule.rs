//! Learning-rate schedules: step-size controllers for runs of fixed steps.

use std::f64::consts::PI;

use super::{Controller, Verdict};
use crate::Real;

/// Scales the nominal step of [`Flow::steps`](crate::Flow::steps) as training goes on.
///
/// Cosine decay with linear warm-up (Loshchilov and Hutter, *SGDR*, ICLR 2017, equation 5), `k` counted from 0:
///
/// ```text
/// k < warm-up:   h (k + 1) / warm-up
/// otherwise:     h (floor + (1 - floor) (1 + cos(π x)) / 2),   x = (k - warm-up) / (total - warm-up), at most 1
/// ```
///
/// ```
/// use flowfield::integrate::{Controller, Schedule};
/// let mut schedule = Schedule::cosine(100).warm_up(10);
/// let h: Vec<f64> = [0, 9, 55, 100].map(|k| schedule.plan(k, 1e-3)).to_vec();
/// assert!((h[0] - 1e-4).abs() < 1e-12 && h[1] == 1e-3 && (h[2] - 5e-4).abs() < 1e-12 && h[3] == 0.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Schedule {
    total: Option<u64>,
    warm_up: u64,
    floor: f64,
}

impl Schedule {
    /// The nominal step throughout (after the warm-up).
    pub fn constant() -> Self {
        Schedule { total: None, warm_up: 0, floor: 0.0 }
    }

    /// Cosine decay to zero over `total` steps.
    pub fn cosine(total: u64) -> Self {
        Schedule { total: Some(total), warm_up: 0, floor: 0.0 }
    }

    /// Grows linearly over the first `steps` steps.
    #[must_use]
    pub fn warm_up(mut self, steps: u64) -> Self {
        self.warm_up = steps;
        self
    }

    /// Ends at this share of the nominal step instead of zero.
    #[must_use]
    pub fn floor(mut self, share: f64) -> Self {
        self.floor = share;
        self
    }

    fn factor(&self, step: u64) -> f64 {
        if step < self.warm_up {
            return (step + 1) as f64 / self.warm_up as f64;
        }
        let Some(total) = self.total else { return 1.0 };
        let x = (step - self.warm_up) as f64 / total.saturating_sub(self.warm_up).max(1) as f64;
        self.floor + (1.0 - self.floor) * 0.5 * (1.0 + (PI * x.min(1.0)).cos())
    }
}

impl<F: Real> Controller<F> for Schedule {
    fn judge(&mut self, h: F, err: F, _order: u32) -> Verdict<F> {
        // In an adaptive run a schedule only keeps or halves the step: it is made for fixed ones.
        let accept = err <= F::one();
        Verdict { accept, h: if accept { h } else { h * F::of(0.5) } }
    }

    fn plan(&mut self, step: u64, h: F) -> F {
        h * F::of(self.factor(step))
    }
}
