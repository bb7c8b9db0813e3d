//! Gradient descent whose step size descends, too.

use super::Memory;
use crate::integrate::Integrator;
use crate::memory::{Memories, Remembered};
use crate::{Error, Real, Result, State, VectorField};

/// Hypergradient descent: the step size follows the derivative of the loss in the last step size.
///
/// ```text
/// α ← α + rate ⟨f(y), f(y_before)⟩      y ← y + α f(y)
/// ```
///
/// The size `h` of the steps asked for is the first α. Baydin, Cornish, Martínez Rubio, Schmidt, Wood, *Online learning rate
/// adaptation with hypergradient descent*, ICLR 2018, algorithm 4.
///
/// ```
/// use flowfield::{Flow, field, integrate::Hypergradient};
/// let bowl = field(|_t, y: &[f64; 2], dy| *dy = [-y[0], -30.0 * y[1]]);
/// let mut y = [1.0, 1.0];
/// Flow::new(bowl, Hypergradient::new(1e-5)).steps(1_000, 1e-3, &mut y)?;
/// assert!(y[0].abs() < 1e-3);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Hypergradient<S: State> {
    rate: f64,
    /// α - h.
    gained: f64,
    memory: Memory<S>,
}

impl<S: State> Hypergradient<S> {
    /// With this rate (0 or positive; its unit is that of a step size over a squared slope).
    pub fn new(rate: f64) -> Self {
        Hypergradient { rate, gained: 0.0, memory: Memory(None) }
    }

    /// What the step size has gained on the one asked for.
    pub fn gained(&self) -> f64 {
        self.gained
    }
}

impl<S: State> Integrator<S> for Hypergradient<S> {
    fn name(&self) -> &'static str {
        "Hypergradient"
    }

    fn order(&self) -> Option<u32> {
        None
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        let good = self.rate >= 0.0 && self.rate.is_finite();
        Error::setting(good, "Hypergradient's rate", self.rate, "it must be 0 or positive, and finite")?;
        self.gained = 0.0;
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
        let Some([slope, before]) = self.memory.parts() else { return Ok(()) };
        field.eval(t, y0, slope);
        let pairs = slope.as_slice().iter().zip(before.as_slice());
        self.gained += self.rate * pairs.map(|(a, b)| a.f64() * b.f64()).sum::<f64>();
        let size = h + S::Elem::of(self.gained);
        let ends = y1.as_mut_slice().iter_mut().zip(y0.as_slice());
        ends.zip(slope.as_slice()).for_each(|((y1, &y0), &f)| *y1 = y0 + size * f);
        std::mem::swap(slope, before);
        Ok(())
    }

    fn memory(&mut self) -> Option<Memories<'_, S>> {
        let [_, before] = self.memory.parts()?;
        let gained = Remembered::Number(&mut self.gained);
        Some(vec![("last_slope", Remembered::State(before)), ("gained", gained)])
    }
}
