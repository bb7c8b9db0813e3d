//! The choice of order and step size.

use super::coefficients::INVERSE;
use super::newton::Trouble;
use super::workspace::{Progress, Workspace};
use crate::integrate::{Tolerance, Verdict};
use crate::{Real, State};

/// Step and order selection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Control {
    /// Steps until a change of order is considered.
    pub(super) wait: u32,
    pub(super) next_q: usize,
    pub(super) most_growth: f64,
    pub(super) failures: u32,
    pub(super) steps: u64,
    pub(super) saved_scale: f64,
}

impl Control {
    pub(super) const NEW: Self =
        Control { wait: 2, next_q: 1, most_growth: 1e4, failures: 0, steps: 0, saved_scale: 0.0 };
    /// Why a step grows less than its error allows: a factor on errors at the order below, the same, above.
    pub(super) const BIAS: [f64; 3] = [6.0, 6.0, 10.0];
    /// Growth that is not worth a new matrix.
    pub(super) const LEAST_GROWTH: f64 = 1.5;
}

impl<S: State> Workspace<S> {
    /// Newton's iteration failed: a quarter of the step, with new matrices.
    #[cold]
    pub(super) fn fail_to_converge(&mut self, h: S::Elem) -> Verdict<S::Elem> {
        self.newton.trouble = Trouble::Convergence;
        self.newton.failures += 1;
        self.control.most_growth = 1.0;
        Verdict { accept: false, h: h * S::Elem::of(0.25) }
    }

    /// The step was too inaccurate: a shorter one, from the fourth time on of lower order.
    #[cold]
    pub(super) fn fail_to_be_accurate(&mut self, h: S::Elem, err: f64) -> Verdict<S::Elem> {
        let control = &mut self.control;
        (self.newton.trouble, control.most_growth) = (Trouble::Accuracy, 1.0);
        control.failures += 1;
        let mut factor = 0.1;
        if control.failures <= 3 {
            let most = if control.failures > 1 { 0.2 } else { 1.0 };
            factor = growth(err, Control::BIAS[1], self.history.q).clamp(0.1, most);
        } else if self.history.q > 1 {
            self.history.lower();
            control.wait = self.history.q as u32 + 1;
        } else {
            self.progress = Progress::Fresh;
            control.wait = 10;
        }
        control.next_q = self.history.q;
        Verdict { accept: false, h: h * S::Elem::of(factor) }
    }

    /// Order of the next step, and by how much it is to grow.
    #[inline(always)]
    pub(super) fn plan(&mut self, err: f64, most: usize) -> f64 {
        let q = self.history.q;
        let control = &mut self.control;
        (control.next_q, control.failures) = (q, 0);
        control.steps += 1;
        control.wait -= 1;
        if control.wait == 1 && q < most {
            self.history.saved.clone_from(&self.history.correction);
            control.saved_scale = self.coefficients.scale;
        }
        let most_growth = std::mem::replace(&mut control.most_growth, 10.0);
        if most_growth == 1.0 {
            control.wait = control.wait.max(2);
            return 1.0;
        }
        let mut best = growth(err, Control::BIAS[1], q);
        if control.wait == 0 {
            control.wait = 2;
            let (below, above) = self.growth_at_neighbours(most);
            if below > best.max(above) && below >= Control::LEAST_GROWTH {
                (best, self.control.next_q) = (below, q - 1);
            } else if above > best && above >= Control::LEAST_GROWTH {
                (best, self.control.next_q) = (above, q + 1);
            }
        }
        if best < Control::LEAST_GROWTH { 1.0 } else { best.min(most_growth) }
    }

    /// By how much the step could grow at order q − 1 and at order q + 1.
    fn growth_at_neighbours(&mut self, most: usize) -> (f64, f64) {
        let (q, c) = (self.history.q, &self.coefficients);
        let weights = self.weights.as_slice();
        let mut found = (0.0, 0.0);
        if q > 1 {
            let error = Tolerance::weighted(self.history.top().as_slice(), weights).f64() * c.error_below;
            found.0 = growth(error, Control::BIAS[0], q - 1);
        }
        if q < most && self.control.saved_scale != 0.0 {
            let ratio = self.history.past[0] / self.history.past[1];
            let factor = S::Elem::of(c.scale / self.control.saved_scale * ratio.powi(q as i32 + 1));
            let pairs = self.history.correction.as_slice().iter().zip(self.history.saved.as_slice());
            let difference = self.residual.as_mut_slice().iter_mut().zip(pairs);
            difference.for_each(|(d, (&e, &saved))| *d = e - factor * saved);
            let error = Tolerance::weighted(self.residual.as_slice(), weights).f64() * c.error_above;
            found.1 = growth(error, Control::BIAS[2], q + 1);
        }
        found
    }
}

/// By how much a step of order `q` may grow.
#[inline(always)]
fn growth(err: f64, bias: f64, q: usize) -> f64 {
    let scaled = (bias * err).max(1e-60);
    1.0 / (scaled.rough_pow(INVERSE[q + 1]) + 1e-6)
}
