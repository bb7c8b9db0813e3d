//! The exponential moving average of a trajectory.

use crate::integrate::Integrator;
use crate::memory::{Memories, Remembered};
use crate::state::first_not_finite;
use crate::{Error, Real, Result, State, VectorField};

/// Any integrator, with a running average of the states it goes through: `ȳ ← ȳ + (1 - decay)(y - ȳ)`.
///
/// The average starts at the first state and, over its first steps, as a plain mean
/// (`1 - decay` is at least `1 / (steps + 1)`), so that it forgets a random start at once.
///
/// ```
/// use flowfield::{Flow, field, integrate::{Ema, Euler}};
/// let bowl = field(|_t, y: &[f64; 1], dy| dy[0] = -y[0]);
/// let mut y = [1.0];
/// let mut flow = Flow::new(bowl, Ema::new(Euler::new(), 0.9));
/// flow.steps(50, 0.1, &mut y)?;
/// let average = flow.integrator().average().unwrap();
/// assert!(average[0] > y[0]);                                // it lags behind
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Ema<I, S> {
    inner: I,
    decay: f64,
    steps: u64,
    average: Option<S>,
}

impl<I: Integrator<S>, S: State> Ema<I, S> {
    /// Averages what `inner` steps through; `decay` in [0, 1), often 0.99 to 0.9999.
    pub fn new(inner: I, decay: f64) -> Self {
        Ema { inner, decay, steps: 0, average: None }
    }

    /// The average, once there has been a step.
    pub fn average(&self) -> Option<&S> {
        self.average.as_ref()
    }
}

impl<I: Integrator<S>, S: State> Integrator<S> for Ema<I, S> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn order(&self) -> Option<u32> {
        // As an averaging wrapper it offers fixed steps only: a rejected step must not enter the average.
        None
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        Error::setting(
            (0.0..1.0).contains(&self.decay),
            "the average's decay",
            self.decay,
            "it must lie in [0, 1)",
        )?;
        self.steps = 0;
        self.average = Some(y0.clone());
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
        if first_not_finite(y1.as_slice()).is_some() {
            // The driver will refuse this step: it must not spoil the average.
            return Ok(());
        }
        self.steps += 1;
        let rate = S::Elem::of((1.0 - self.decay).max(1.0 / (self.steps as f64 + 1.0)));
        if let Some(average) = &mut self.average {
            let pairs = average.as_mut_slice().iter_mut().zip(y1.as_slice());
            pairs.for_each(|(a, &y)| *a += rate * (y - *a));
        }
        Ok(())
    }

    fn accept(&mut self, smooth: bool) {
        self.inner.accept(smooth);
    }

    fn memory(&mut self) -> Option<Memories<'_, S>> {
        let mut all = self.inner.memory()?;
        all.push(("average", Remembered::State(self.average.as_mut()?)));
        all.push(("averaged", Remembered::Count(&mut self.steps)));
        Some(all)
    }
}
