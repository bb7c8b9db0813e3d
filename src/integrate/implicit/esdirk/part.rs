//! The part of a field that is treated implicitly.

use crate::field::mend_layout;
use crate::{State, Structure, VectorField};

/// The stiff part of a split field, or the whole of a field that is not (taken as) split.
pub(super) struct Part<'a, V: ?Sized> {
    pub(super) field: &'a mut V,
    pub(super) split: bool,
    /// Evaluations of either part.
    pub(super) evals: u64,
}

/// Calls the stiff part, or the field where it is not split.
macro_rules! on_part {
    ($self:ident.$($call:tt)*) => {
        match if $self.split { $self.field.split() } else { None } {
            Some(parts) => parts.stiff.$($call)*,
            None => $self.field.$($call)*,
        }
    };
}

impl<V: ?Sized> Part<'_, V> {
    /// The part that is not stiff.
    pub(super) fn rest<S: State>(&mut self, t: S::Elem, y: &S, dy: &mut S)
    where
        V: VectorField<S>,
    {
        if let Some(parts) = self.field.split() {
            self.evals += 1;
            parts.rest.eval(t, y, dy);
            if dy.as_slice().len() != y.as_slice().len() {
                mend_layout(y, dy);
            }
        }
    }
}

impl<S: State, V: VectorField<S> + ?Sized> VectorField<S> for Part<'_, V> {
    #[inline(always)]
    fn eval(&mut self, t: S::Elem, y: &S, dy: &mut S) {
        self.evals += u64::from(self.split);
        on_part!(self.eval(t, y, dy));
        if self.split && dy.as_slice().len() != y.as_slice().len() {
            mend_layout(y, dy);
        }
    }

    #[inline(always)]
    fn jacobian(&mut self, t: S::Elem, y: &S, jac: &mut [S::Elem]) -> bool {
        on_part!(self.jacobian(t, y, jac))
    }

    fn structure(&mut self, t: S::Elem, y: &S) -> Structure {
        on_part!(self.structure(t, y))
    }

    fn jvp(&mut self, t: S::Elem, y: &S, v: &S, out: &mut S) -> bool {
        on_part!(self.jvp(t, y, v, out))
    }

    fn apply_preconditioner(&mut self, t: S::Elem, y: &S, sigma: S::Elem, r: &mut S) {
        on_part!(self.apply_preconditioner(t, y, sigma, r));
    }
}
