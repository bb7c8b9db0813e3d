//! What the sensitivities need of a flow beside running it.

use super::{Flow, Stepper};
use crate::{State, VectorField};

impl<V, I, S: State> Flow<'_, V, I, S> {
    /// The field and the integrator.
    pub(crate) fn parts(&mut self) -> (&mut V, &mut I) {
        (&mut self.field, &mut self.integrator)
    }

    /// Replaces the first step's size; gives what it was.
    pub(crate) fn replace_first_step(&mut self, h: Option<S::Elem>) -> Option<S::Elem> {
        std::mem::replace(&mut self.first_step, h)
    }

    /// The first step's size, if it was given.
    pub(crate) fn first_step_size(&self) -> Option<S::Elem> {
        self.first_step
    }

    /// Replaces whether the steps' interpolants are kept; gives what it was.
    pub(crate) fn replace_dense(&mut self, dense: bool) -> bool {
        std::mem::replace(&mut self.dense, dense)
    }

    /// Whether there is an event that ends a run, and one that changes the state.
    pub(crate) fn watches(&self) -> (bool, bool) {
        (self.events.iter().any(|e| e.terminal), self.events.iter().any(|e| e.change.is_some()))
    }
}

impl<V: VectorField<S>, I, S: State> Flow<'_, V, I, S> {
    /// The function of an event.
    pub(crate) fn event_value(&mut self, event: usize, t: S::Elem, y: &S) -> S::Elem {
        (self.events[event].g)(t, y)
    }

    /// Whether an event ends a run.
    pub(crate) fn is_terminal(&self, event: usize) -> bool {
        self.events[event].terminal
    }
}

impl<V, I, S: State> Stepper<'_, '_, V, I, S> {
    /// The field.
    pub(crate) fn field(&mut self) -> &mut V {
        &mut self.flow.field
    }
}
