//! What a run of the method holds.

use super::control::Control;
use super::newton::Newton;
use crate::State;
use crate::integrate::implicit::system::System;

pub(super) struct Workspace<S: State> {
    pub(super) system: System<S>,
    /// Stages zᵢ = Yᵢ − y₀, and the same in the variables of the iteration.
    pub(super) z: [S; 3],
    pub(super) w: [S; 3],
    pub(super) f: [S; 3],
    /// f(t, y₀).
    pub(super) slope: S,
    pub(super) weights: S,
    pub(super) scratch: [S; 2],
    pub(super) slope_ready: bool,
    /// The state of the iteration and of the step-size control.
    pub(super) newton: Newton,
    pub(super) control: Control,
    /// Stages of the last step that stands: the next starts from their polynomial.
    pub(super) last: [S; 3],
    pub(super) previous: Option<f64>,
    /// Size of the step just tried, if its stages were found.
    pub(super) tried: Option<f64>,
}

impl<S: State> Workspace<S> {
    pub(super) fn new(y0: &S) -> Self {
        let states = || std::array::from_fn(|_| y0.clone());
        Workspace {
            system: System::new(y0).with_pair(),
            z: states(),
            w: states(),
            f: states(),
            slope: y0.clone(),
            weights: y0.clone(),
            scratch: [y0.clone(), y0.clone()],
            slope_ready: false,
            newton: Newton::NEW,
            control: Control::NEW,
            last: states(),
            previous: None,
            tried: None,
        }
    }

    pub(super) fn restart(&mut self) {
        (self.newton, self.control) = (Newton::NEW, Control::NEW);
        (self.previous, self.tried, self.slope_ready) = (None, None, false);
    }
}

/// Three states as slices of length `n`, a constant for arrays.
#[inline(always)]
pub(super) fn each<S: State>(states: &mut [S; 3], n: usize) -> [&mut [S::Elem]; 3] {
    states.each_mut().map(|s| &mut s.as_mut_slice()[..n])
}
