//! Steps that end in a box.

use std::ops::Range;

use crate::integrate::Integrator;
use crate::memory::Memories;
use crate::{Error, Real, Result, State, VectorField};

/// Any integrator, with some components brought back into `[-bound, bound]` after each step: a projected step.
///
/// On a critic's parameters this is the weight clipping of the first Wasserstein GANs (Arjovsky, Chintala, Bottou,
/// *Wasserstein GAN*, 2017, algorithm 1), a crude bound on its slope.
///
/// ```
/// use flowfield::{Flow, field, integrate::{Clamped, Euler}};
/// let mut y = [0.0, 0.0];
/// let wind = field(|_t, _y: &[f64; 2], dy| *dy = [1.0, 1.0]);
/// Flow::new(wind, Clamped::new(Euler::new(), 1..2, 0.5)).steps(10, 0.1, &mut y)?;
/// assert!((y[0] - 1.0).abs() < 1e-12 && y[1] == 0.5);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Clamped<I> {
    inner: I,
    part: Range<usize>,
    bound: f64,
}

impl<I> Clamped<I> {
    /// Clamps the components `part` (in row-major order) to `[-bound, bound]` after each step of `inner`.
    pub fn new(inner: I, part: Range<usize>, bound: f64) -> Self {
        Clamped { inner, part, bound }
    }

    /// The integrator within.
    pub fn inner(&self) -> &I {
        &self.inner
    }
}

impl<I: Integrator<S>, S: State> Integrator<S> for Clamped<I> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn order(&self) -> Option<u32> {
        // At the bound it does not follow dy/dt = f.
        None
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        let good = self.bound > 0.0 && self.bound.is_finite();
        Error::setting(good, "the clamp's bound", self.bound, "it must be positive and finite")?;
        super::check_part(&self.part, y0.as_slice().len())?;
        self.inner.init(y0)
    }

    fn step<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &mut S,
    ) -> Result<()> {
        self.inner.step(field, t, h, y0, y1)?;
        let bound = S::Elem::of(self.bound);
        for y in &mut y1.as_mut_slice()[self.part.clone()] {
            // Written so that NaN is kept, and seen as divergence.
            *y = if *y > bound {
                bound
            } else if *y < -bound {
                -bound
            } else {
                *y
            };
        }
        Ok(())
    }

    fn memory(&mut self) -> Option<Memories<'_, S>> {
        self.inner.memory()
    }

    fn accept(&mut self, _smooth: bool) {
        // The state was changed after the step: nothing evaluated at its end may be used again.
        self.inner.accept(false);
    }
}
