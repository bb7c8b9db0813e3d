//! Optimistic gradient descent.

use super::Memory;
use crate::integrate::Integrator;
use crate::{Result, State, VectorField};

/// The optimistic method: a step along what the field would be next if it kept changing as it just did, one evaluation a step.
///
/// ```text
/// y ← y + h (2 f_k - f_{k-1}),     f_0 before the first step being f_1
/// ```
///
/// It contracts on rotating fields as the [extragradient](crate::integrate::Extragradient) method does, at half the cost:
/// on `y′ = i ω y` for `|h ω| < 1/√3`. Popov 1980; for GANs: Daskalakis, Ilyas, Syrgkanis, Zeng, *Training GANs with
/// optimism*, ICLR 2018, equation 3.
///
/// ```
/// use flowfield::{Flow, field, integrate::Optimistic};
/// let rotation = field(|_t, y: &[f64; 2], dy| *dy = [-y[1], y[0]]);
/// let mut y = [1.0, 0.0];
/// Flow::new(rotation, Optimistic::default()).steps(2_000, 0.1, &mut y)?;
/// assert!(y[0].hypot(y[1]) < 1e-3);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Optimistic<S: State> {
    started: bool,
    memory: Memory<S>,
}

impl<S: State> Default for Optimistic<S> {
    fn default() -> Self {
        Optimistic { started: false, memory: Memory(None) }
    }
}

impl<S: State> Integrator<S> for Optimistic<S> {
    fn name(&self) -> &'static str {
        "Optimistic"
    }

    fn order(&self) -> Option<u32> {
        // Of order 1, but a step cannot be taken back: fixed steps only.
        None
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        self.started = false;
        self.memory.prepare::<2>(y0)
    }

    fn step<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &mut S,
    ) -> Result<()> {
        if self.memory.0.is_none() {
            self.init(y0)?;
        }
        let first = !std::mem::replace(&mut self.started, true);
        let Some([slope, before]) = self.memory.parts() else { return Ok(()) };
        field.eval(t, y0, slope);
        if first {
            before.as_mut_slice().copy_from_slice(slope.as_slice());
        }
        let slopes = before.as_mut_slice().iter_mut().zip(slope.as_slice());
        for ((y1, &y0), (before, &f)) in y1.as_mut_slice().iter_mut().zip(y0.as_slice()).zip(slopes) {
            *y1 = y0 + h * (f + (f - *before));
            *before = f;
        }
        Ok(())
    }
}
