//! A learning rate that finds itself: exponentiated gradient on the step size, with rejection.

use super::{Known, cosine};
use crate::integrate::Integrator;
use crate::memory::{Memories, Remembered};
use crate::{Error, Real, Result, State, VectorField};

/// The step of a method `I` with a step size that adapts itself, so that no learning rate need be tuned.
///
/// With d the last step's direction and f the field (minus a gradient), the derivative of the loss in the last step size
/// is -⟨f, d⟩. The logarithm of the step size follows it, and a step that does not lower the loss is taken back:
///
/// ```text
/// ln s ← ln s + rate · cos(f(y), d)          y' = y + s d'
/// L(y') ≤ L(y) : y ← y'                      otherwise: y stays, s ← s / 2
/// ```
///
/// The size `h` of the steps asked for is the first `s`. Exponentiated-gradient step sizes: Amid, Anil, Fifty, Warmuth,
/// *Step-size adaptation using exponentiated gradient updates*, 2022 (arXiv 2202.00145); the rejection is that of an
/// integrator with step-size control, and recovers from starts that are any number of decades off.
///
/// The field must know its loss ([`VectorField::loss`]). One evaluation a step on a fixed loss; two on minibatches, as the
/// losses before and after the step are of the same batch.
///
/// ```
/// use flowfield::{Flow, VectorField, integrate::{AutoStep, Euler}};
/// struct Bowl { loss: f64 }
/// impl VectorField<[f64; 2]> for Bowl {
///     fn eval(&mut self, _t: f64, y: &[f64; 2], dy: &mut [f64; 2]) {
///         self.loss = 0.5 * (y[0] * y[0] + 30.0 * y[1] * y[1]);
///         *dy = [-y[0], -30.0 * y[1]];
///     }
///     fn loss(&self) -> Option<f64> { Some(self.loss) }
/// }
/// for first in [1e-6, 1.0, 1e6] {
///     let mut y = [1.0, 1.0];
///     Flow::new(Bowl { loss: 0.0 }, AutoStep::new(Euler::new())).steps(500, first, &mut y)?;
///     assert!(y[0].abs() < 1e-8 && y[1].abs() < 1e-8);
/// }
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct AutoStep<I, S: State> {
    inner: I,
    rate: f64,
    /// Step size over the one asked for.
    scale: f64,
    rejected: u64,
    work: Option<Work<S>>,
}

#[derive(Debug, Clone)]
struct Work<S: State> {
    /// The field where the state is, and the loss there; NaN while they are not known.
    slope: S,
    loss: f64,
    /// The field at the end of the trial.
    ahead: S,
    /// The last accepted step, with its length; zero at first.
    last: S,
}

impl<I, S: State> AutoStep<I, S> {
    /// The steps of `inner`, whose size adapts itself at a rate of 0.1.
    ///
    /// `inner` makes the direction: [`Euler`](crate::integrate::Euler) the gradient's, [`Adam`](super::Adam) its own.
    pub fn new(inner: I) -> Self {
        AutoStep { inner, rate: 0.1, scale: 1.0, rejected: 0, work: None }
    }

    /// Another rate (in (0, 1]): the most that ln s grows in one step.
    #[must_use]
    pub fn rate(mut self, rate: f64) -> Self {
        self.rate = rate;
        self
    }

    /// The step size, in units of the one asked for.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// Steps taken back so far.
    pub fn rejected(&self) -> u64 {
        self.rejected
    }
}

impl<I: Integrator<S>, S: State> Integrator<S> for AutoStep<I, S> {
    fn name(&self) -> &'static str {
        "AutoStep"
    }

    fn order(&self) -> Option<u32> {
        None
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        let need = "it must lie in (0, 1]";
        Error::setting(self.rate > 0.0 && self.rate <= 1.0, "AutoStep's rate", self.rate, need)?;
        let mut zero = y0.clone();
        zero.as_mut_slice().fill(S::Elem::of(0.0));
        self.work = Some(Work { slope: zero.clone(), loss: f64::NAN, ahead: zero.clone(), last: zero });
        (self.scale, self.rejected) = (1.0, 0);
        self.inner.init(y0)
    }

    fn accept(&mut self, smooth: bool) {
        if let (false, Some(w)) = (smooth, &mut self.work) {
            w.loss = f64::NAN;
        }
        self.inner.accept(smooth);
    }

    fn step<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &mut S,
    ) -> Result<()> {
        if self.work.is_none() {
            self.init(y0)?;
        }
        let Some(w) = &mut self.work else { return Ok(()) };
        if w.loss.is_nan() {
            field.eval(t, y0, &mut w.slope);
            w.loss = field.loss().ok_or(NEEDS_LOSS)?.f64();
        }
        self.scale *= (self.rate * cosine(w.slope.as_slice(), w.last.as_slice())).exp();
        let size = h * S::Elem::of(self.scale);
        self.inner.step(&mut Known::new(field, &w.slope), t, size, y0, y1)?;
        field.eval(t, y1, &mut w.ahead);
        let after = field.loss().ok_or(NEEDS_LOSS)?.f64();
        if after <= w.loss {
            let steps = y1.as_slice().iter().zip(y0.as_slice());
            w.last.as_mut_slice().iter_mut().zip(steps).for_each(|(d, (&y1, &y0))| *d = y1 - y0);
            std::mem::swap(&mut w.slope, &mut w.ahead);
            w.loss = after;
        } else {
            y1.clone_from(y0);
            w.last.as_mut_slice().fill(S::Elem::of(0.0));
            self.scale *= 0.5;
            self.rejected += 1;
        }
        Ok(())
    }

    fn memory(&mut self) -> Option<Memories<'_, S>> {
        let w = self.work.as_mut()?;
        let mut all = self.inner.memory()?;
        all.push(("slope", Remembered::State(&mut w.slope)));
        all.push(("last_step", Remembered::State(&mut w.last)));
        all.push(("loss", Remembered::Number(&mut w.loss)));
        all.push(("scale", Remembered::Number(&mut self.scale)));
        all.push(("rejected", Remembered::Count(&mut self.rejected)));
        Some(all)
    }
}

const NEEDS_LOSS: Error = Error::Unsupported {
    what: "AutoStep",
    with: "a field that does not know its loss",
    instead: "implement VectorField::loss, or take a fixed learning rate",
};
