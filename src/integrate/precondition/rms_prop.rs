//! RMSProp.

use num_traits::Float as _;

use super::Memory;
use crate::integrate::Integrator;
use crate::memory::{Memories, Remembered};
use crate::{Error, Real, Result, State, VectorField};

/// RMSProp: a step along the field, scaled by its running root mean square, one evaluation a step.
///
/// ```text
/// v ← β v + (1 - β) f²      y ← y + h f / (√v + ε)
/// ```
///
/// Tieleman and Hinton, *Neural networks for machine learning*, lecture 6.5, 2012; without momentum, for which GANs
/// were trained with it (Arjovsky, Chintala, Bottou, *Wasserstein GAN*, 2017, algorithm 1).
///
/// ```
/// use flowfield::{Flow, field, integrate::RmsProp};
/// let bowl = field(|_t, y: &[f64; 2], dy| *dy = [-y[0], -100.0 * y[1]]);
/// let mut y = [1.0, 1.0];
/// Flow::new(bowl, RmsProp::default()).steps(2_000, 1e-3, &mut y)?;
/// assert!(y[0].abs() < 1e-2 && y[1].abs() < 1e-2);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RmsProp<S: State> {
    beta: f64,
    eps: f64,
    memory: Memory<S>,
}

impl<S: State> Default for RmsProp<S> {
    /// β = 0.99, ε = 1e-8.
    fn default() -> Self {
        RmsProp { beta: 0.99, eps: 1e-8, memory: Memory(None) }
    }
}

impl<S: State> RmsProp<S> {
    /// Another forgetting factor β in [0, 1).
    #[must_use]
    pub fn beta(mut self, beta: f64) -> Self {
        self.beta = beta;
        self
    }

    /// Another ε.
    #[must_use]
    pub fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }
}

impl<S: State> Integrator<S> for RmsProp<S> {
    fn name(&self) -> &'static str {
        "RMSProp"
    }

    fn order(&self) -> Option<u32> {
        None
    }

    fn init(&mut self, y0: &S) -> Result<()> {
        Error::setting(
            (0.0..1.0).contains(&self.beta),
            "RMSProp's beta",
            self.beta,
            "it must lie in [0, 1)",
        )?;
        let good = self.eps > 0.0 && self.eps.is_finite();
        Error::setting(good, "RMSProp's eps", self.eps, "it must be positive")?;
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
        let (beta, rest) = (S::Elem::of(self.beta), S::Elem::of(1.0 - self.beta));
        let eps = S::Elem::of(self.eps);
        let Some([slope, v]) = self.memory.parts() else { return Ok(()) };
        field.eval(t, y0, slope);
        let squares = v.as_mut_slice().iter_mut().zip(slope.as_slice());
        for ((y1, &y0), (v, &f)) in y1.as_mut_slice().iter_mut().zip(y0.as_slice()).zip(squares) {
            *v = beta * *v + rest * f * f;
            *y1 = y0 + h * f / (v.sqrt() + eps);
        }
        Ok(())
    }

    fn memory(&mut self) -> Option<Memories<'_, S>> {
        let [_, squares] = self.memory.parts()?;
        Some(vec![("mean_square", Remembered::State(squares))])
    }
}
