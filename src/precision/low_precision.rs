//! A state kept in a lower precision.

use super::Format;
use crate::integrate::{Integrator, Work};
use crate::rng::Rng;
use crate::{Real, Result, State, VectorField};

/// How a state is rounded after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Rounding {
    /// To the nearest number, ties to even: updates below half a spacing are lost.
    #[default]
    Nearest,
    /// Up or down with probabilities that keep the mean.
    Stochastic {
        /// Seed of the draws; the same seed gives the same bits.
        seed: u64,
    },
    /// To the nearest, with what is lost carried to the next step in full precision (Kahan 1965).
    Compensated,
}

/// The steps of a method `I` on a state that is rounded to a [`Format`] after each.
///
/// For fixed steps. With [`Rounding::Compensated`] the error term `u/h` of a rounded state goes.
///
/// ```
/// use flowfield::{Flow, field, integrate::Euler, precision::{Format, LowPrecision, Rounding}};
/// let run = |rounding| {
///     let slow = field(|_t, _y: &[f32; 1], dy| dy[0] = -1.0);
///     let mut y = [1.0];
///     Flow::new(slow, LowPrecision::new(Euler::new(), Format::Bf16).rounding(rounding)).steps(1_000, 1e-3, &mut y).map(|()| y[0])
/// };
/// assert_eq!(run(Rounding::Nearest)?, 1.0);                         // every update is below half a spacing
/// assert!(run(Rounding::Compensated)?.abs() < 1e-2);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LowPrecision<I, S> {
    inner: I,
    format: Format,
    rounding: Rounding,
    step: u64,
    /// What rounding took away, for compensation.
    carry: Option<S>,
}

impl<I, S> LowPrecision<I, S> {
    /// `inner` on a state in this format, rounded to nearest.
    pub fn new(inner: I, format: Format) -> Self {
        LowPrecision { inner, format, rounding: Rounding::Nearest, step: 0, carry: None }
    }

    /// Another way to round.
    #[must_use]
    pub fn rounding(mut self, rounding: Rounding) -> Self {
        self.rounding = rounding;
        self
    }
}

impl<S: State, I: Integrator<S>> Integrator<S> for LowPrecision<I, S> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn order(&self) -> Option<u32> {
        self.inner.order()
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        let mut zero = y0.clone();
        zero.as_mut_slice().fill(S::Elem::of(0.0));
        (self.step, self.carry) = (0, Some(zero));
        self.inner.init(y0)
    }

    fn accept(&mut self, _smooth: bool) {
        // The rounded end is not where the inner method thinks it is.
        self.inner.accept(false);
    }

    fn step<V: VectorField<S> + ?Sized>(
        &mut self,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &mut S,
    ) -> Result<()> {
        if self.carry.is_none() {
            self.init(y0)?;
        }
        self.inner.step(field, t, h, y0, y1)?;
        let (format, y0, y1) = (self.format, y0.as_slice(), y1.as_mut_slice());
        match (self.rounding, &mut self.carry) {
            (Rounding::Stochastic { seed }, _) => {
                let mut rng = Rng::new(seed, self.step);
                self.step += 1;
                y1.iter_mut().for_each(|y| *y = up_or_down(format, *y, rng.uniform()));
            }
            (Rounding::Compensated, Some(carry)) => {
                for ((y1, &y0), carry) in y1.iter_mut().zip(y0).zip(carry.as_mut_slice()) {
                    let wanted = (*y1 - y0) + *carry;
                    *y1 = format.round(y0 + wanted);
                    *carry = wanted - (*y1 - y0);
                }
            }
            _ => format.round_all(y1),
        }
        Ok(())
    }

    fn work(&self) -> Work {
        self.inner.work()
    }
}

/// One of the two neighbours of x in the format, the upper one if `u` in [0, 1) is below the fraction x is above the lower.
fn up_or_down<F: Real>(format: Format, x: F, u: f64) -> F {
    if format == Format::Full || !x.is_finite() {
        return x;
    }
    let spacing = format.spacing(x.f64());
    let (count, below) = ((x.f64() / spacing).floor(), (x.f64() / spacing).fract().rem_euclid(1.0));
    format.round(F::of((count + f64::from(u8::from(u < below))) * spacing))
}
