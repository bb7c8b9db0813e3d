//! A field whose next evaluation is known already.

use crate::{State, VectorField};

/// Answers the first evaluation with a slope from before.
pub(crate) struct Known<'a, V: ?Sized, S> {
    field: &'a mut V,
    slope: &'a S,
    fresh: bool,
}

impl<'a, V: ?Sized, S> Known<'a, V, S> {
    pub(crate) fn new(field: &'a mut V, slope: &'a S) -> Self {
        Known { field, slope, fresh: true }
    }
}

impl<S: State, V: VectorField<S> + ?Sized> VectorField<S> for Known<'_, V, S> {
    fn eval(&mut self, t: S::Elem, y: &S, dy: &mut S) {
        if std::mem::take(&mut self.fresh) {
            dy.clone_from(self.slope);
        } else {
            self.field.eval(t, y, dy);
        }
    }
}
