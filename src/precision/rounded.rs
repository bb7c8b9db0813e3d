//! A field computed in a lower precision.

use super::Format;
use crate::{Result, State, VectorField};

/// A field that sees its state, and returns its slope, rounded to a [`Format`]; what a network in low precision does to a flow.
///
/// ```
/// use flowfield::{VectorField, field, precision::{Format, Rounded}};
/// let mut decay = Rounded::new(field(|_t, y: &[f32; 1], dy| dy[0] = -y[0]), Format::Bf16);
/// let mut dy = [0.0];
/// decay.eval(0.0, &[1.001], &mut dy);
/// assert_eq!(dy, [-1.0]);
/// ```
#[derive(Debug, Clone)]
pub struct Rounded<V, S> {
    field: V,
    format: Format,
    seen: Option<S>,
}

impl<V, S> Rounded<V, S> {
    /// `field` in this format.
    pub fn new(field: V, format: Format) -> Self {
        Rounded { field, format, seen: None }
    }
}

impl<S: State, V: VectorField<S>> VectorField<S> for Rounded<V, S> {
    fn eval(&mut self, t: S::Elem, y: &S, dy: &mut S) {
        let seen = self.seen.get_or_insert_with(|| y.clone());
        seen.clone_from(y);
        self.format.round_all(seen.as_mut_slice());
        self.field.eval(t, seen, dy);
        self.format.round_all(dy.as_mut_slice());
    }

    fn redraw(&mut self) -> bool {
        self.field.redraw()
    }

    fn loss(&self) -> Option<S::Elem> {
        self.field.loss()
    }

    fn check(&self, y: &S) -> Result<()> {
        self.field.check(y)
    }
}
