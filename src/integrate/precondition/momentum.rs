//! Heavy-ball and Nesterov momentum.

use super::{BLOCK, Memory};
use crate::integrate::Integrator;
use crate::memory::{Memories, Remembered};
use crate::simd::{Arith, Isa, Kernel};
use crate::state::first_not_finite;
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
    /// Whether what was written last is finite.
    finite: bool,
    memory: Memory<S>,
}

impl<S: State> Momentum<S> {
    /// Heavy ball with momentum μ in [0, 1).
    pub fn new(mu: f64) -> Self {
        Momentum { mu, nesterov: false, finite: false, memory: Memory(None) }
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
        let update = Update {
            slope: slope.as_slice(),
            velocity: v.as_mut_slice(),
            state: (y0.as_slice(), y1.as_mut_slice()),
            mu,
            h,
            nesterov,
        };
        self.finite = Isa::detect().run(update);
        Ok(())
    }

    fn wrote_finite(&self) -> bool {
        self.finite
    }

    fn memory(&mut self) -> Option<Memories<'_, S>> {
        let [_, v] = self.memory.parts()?;
        Some(vec![("velocity", Remembered::State(v))])
    }
}

/// The update of all components.
struct Update<'a, F> {
    slope: &'a [F],
    velocity: &'a mut [F],
    state: (&'a [F], &'a mut [F]),
    mu: F,
    h: F,
    nesterov: bool,
}

impl<F: Real> Kernel for Update<'_, F> {
    /// Whether the new state is finite.
    type Output = bool;
    #[inline(always)]
    fn run<A: Arith>(self) -> bool {
        let Update { slope, velocity, state: (y0, y1), mu, h, nesterov } = self;
        let state = y1.chunks_mut(BLOCK).zip(y0.chunks(BLOCK));
        let moved = velocity.chunks_mut(BLOCK).zip(slope.chunks(BLOCK));
        let mut finite = true;
        for ((y1, y0), (v, f)) in state.zip(moved) {
            for ((y1, &y0), (v, &f)) in y1.iter_mut().zip(y0).zip(v.iter_mut().zip(f)) {
                *v = mu * *v + f;
                *y1 = y0 + h * if nesterov { f + mu * *v } else { *v };
            }
            finite &= first_not_finite(y1).is_none();
        }
        finite
    }
}
