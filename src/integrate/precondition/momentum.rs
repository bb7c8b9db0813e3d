//! Heavy-ball and Nesterov momentum.

use super::Memory;
use crate::integrate::Integrator;
use crate::memory::{Memories, Remembered};
use crate::{Error, Real, Result, State, VectorField};

/// Momentum: a damped second-order flow, one evaluation a step.
///
/// ```text
/// v ← μ v + f(y)     y ← y + h v               (heavy ball; Polyak 1964)
/// v ← μ v + f(y)     y ← y + h (f(y) + μ v)    (Nesterov; Sutskever et al., ICML 2013, section 2)
/// ```
///
/// ```
/// use flowfield::{Flow, field, integrate::Momentum};
/// let bowl = field(|_t, y: &[f64; 2], dy| *dy = [-y[0], -100.0 * y[1]]);
/// let mut y = [1.0, 1.0];
/// Flow::new(bowl, Momentum::new(0.9)).steps(400, 1e-2, &mut y)?;
/// assert!(y[0].abs() < 1e-6);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Momentum<S: State> {
    mu: f64,
    nesterov: bool,
    memory: Memory<S>,
}

impl<S: State> Momentum<S> {
    /// Heavy ball with momentum μ in [0, 1).
    pub fn new(mu: f64) -> Self {
        Momentum { mu, nesterov: false, memory: Memory(None) }
    }

    /// Nesterov's variant.
    #[must_use]
    pub fn nesterov(mut self) -> Self {
        self.nesterov = true;
        self
    }
}

impl<S: State> Integrator<S> for Momentum<S> {
    fn name(&self) -> &'static str {
        if self.nesterov { "Nesterov" } else { "Momentum" }
    }

    fn order(&self) -> Option<u32> {
        None
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        Error::setting((0.0..1.0).contains(&self.mu), "momentum", self.mu, "it must lie in [0, 1)")?;
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
        let mu = S::Elem::of(self.mu);
        let nesterov = self.nesterov;
        let Some([slope, v]) = self.memory.parts() else { return Ok(()) };
        field.eval(t, y0, slope);
        let velocity = v.as_mut_slice().iter_mut().zip(slope.as_slice());
        for ((y1, &y0), (v, &f)) in y1.as_mut_slice().iter_mut().zip(y0.as_slice()).zip(velocity) {
            *v = mu * *v + f;
            *y1 = y0 + h * if nesterov { f + mu * *v } else { *v };
        }
        Ok(())
    }

    fn memory(&mut self) -> Option<Memories<'_, S>> {
        let [_, v] = self.memory.parts()?;
        Some(vec![("velocity", Remembered::State(v))])
    }
}
