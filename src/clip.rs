//! A field whose length is bounded.

use crate::memory::Memories;
use crate::noise::Noise;
use crate::{Error, Real, Result, State, VectorField};

/// A field scaled down where its Euclidean length exceeds a bound: gradient clipping by global norm
/// (Pascanu, Mikolov, Bengio, ICML 2013, algorithm 1).
///
/// ```
/// use flowfield::{ClipNorm, VectorField, field};
/// let mut steep = ClipNorm::new(field(|_t, y: &[f64; 2], dy| *dy = [300.0 * y[0], 400.0 * y[1]]), 5.0);
/// let mut dy = [0.0; 2];
/// steep.eval(0.0, &[1.0, 1.0], &mut dy);
/// assert!((dy[0] - 3.0).abs() < 1e-12 && (dy[1] - 4.0).abs() < 1e-12);
/// ```
#[derive(Debug, Clone)]
pub struct ClipNorm<V> {
    /// The field.
    pub field: V,
    max: f64,
}

impl<V> ClipNorm<V> {
    /// `field`, no longer than `max` (positive).
    pub fn new(field: V, max: f64) -> Self {
        ClipNorm { field, max }
    }
}

impl<S: State, V: VectorField<S>> VectorField<S> for ClipNorm<V> {
    fn eval(&mut self, t: S::Elem, y: &S, dy: &mut S) {
        self.field.eval(t, y, dy);
        let dy = dy.as_mut_slice();
        // In units of the largest component, so that the squares do not overflow.
        let most = dy.iter().fold(0.0, |m: f64, d| m.max(d.f64().abs()));
        let norm = most * dy.iter().map(|d| (d.f64() / most).powi(2)).sum::<f64>().sqrt();
        if norm > self.max && most.is_finite() {
            let scale = S::Elem::of(self.max / norm);
            dy.iter_mut().for_each(|d| *d *= scale);
        }
    }

    fn redraw(&mut self) -> bool {
        self.field.redraw()
    }

    fn noise(&mut self) -> Option<&mut dyn Noise<S>> {
        self.field.noise()
    }

    fn loss(&self) -> Option<S::Elem> {
        self.field.loss()
    }

    fn memory(&mut self) -> Memories<'_, S> {
        self.field.memory()
    }

    fn check(&self, y: &S) -> Result<()> {
        Error::setting(self.max > 0.0, "the largest norm", self.max, "it must be positive")?;
        self.field.check(y)
    }
}
