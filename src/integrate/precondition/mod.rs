//! Preconditioned steps along a field `f`: what optimisers are. The step size `h` is the learning rate.
//!
//! None of them follows `dy/dt = f` to an order, so they run by [`Flow::steps`](crate::Flow::steps) only:
//! one evaluation a step, never rejected. Plain gradient descent needs nothing here, it is
//! [`Euler`](super::Euler) on `f = -∇L` ([`Sgd`]).

mod adam;
mod auto_step;
mod clamped;
mod eg_step_size;
mod ema;
mod hypergradient;
mod known;
mod momentum;
mod optimistic;
mod rms_prop;

pub use adam::Adam;
pub use auto_step::AutoStep;
pub use clamped::Clamped;
pub use eg_step_size::EgStepSize;
pub use ema::Ema;
pub use hypergradient::Hypergradient;
pub(crate) use known::Known;
pub use momentum::Momentum;
pub use optimistic::Optimistic;
pub use rms_prop::RmsProp;

/// Stochastic gradient descent: Euler's method on minus a minibatch gradient.
pub type Sgd<S> = super::Euler<S>;

/// Memory of a preconditioned step: some states' worth of numbers, zero at first.
#[derive(Debug, Clone)]
struct Memory<S>(Option<Vec<S>>);

impl<S: crate::State> Memory<S> {
    /// Sets up `N` zeroed states like `y`.
    fn prepare<const N: usize>(&mut self, y: &S) -> crate::Result<()> {
        crate::state::check_layout(y)?;
        // The state is the first in the loops over all of them, the next state the last.
        self.0 = Some((1..=N).map(|place| y.zeros_apart(place)).collect());
        Ok(())
    }

    fn parts<const N: usize>(&mut self) -> Option<&mut [S; N]> {
        self.0.as_mut()?.as_mut_slice().try_into().ok()
    }
}

/// Numbers that are updated together and then looked at for NaN, while they are in the innermost cache.
const BLOCK: usize = 1024;

/// Refuses a part of a state that it does not have.
pub(super) fn check_part(part: &std::ops::Range<usize>, len: usize) -> crate::Result<()> {
    let good = part.start < part.end && part.end <= len;
    crate::Error::setting(
        good,
        "the end of a part",
        part.end as f64,
        "a part must hold something, and lie in the state",
    )
}

/// Cosine of the angle between two vectors; zero if either is.
fn cosine<F: crate::Real>(a: &[F], b: &[F]) -> f64 {
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b).map(|(a, b)| (a.f64(), b.f64())) {
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    let cosine = ab / (aa.sqrt() * bb.sqrt());
    if cosine.is_finite() { cosine } else { 0.0 }
}
