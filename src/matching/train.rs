//! A training that reports how it goes.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use ndarray::Array1;

use super::field::Matching;
use crate::integrate::Integrator;
use crate::nn::Network;
use crate::{ClipNorm, Error, Flow, Real, Result, VectorField};

/// How a training goes.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Report {
    /// Steps done in this call, and to be done in all.
    pub step: usize,
    /// Steps asked for.
    pub steps: usize,
    /// Mean loss since the last report.
    pub loss: f64,
    /// Steps a second since the last report.
    pub speed: f64,
    /// How long the rest will take at that speed.
    pub left: Duration,
}

/// A field that keeps count of its loss.
pub trait MeanLoss {
    /// The mean loss since this was last asked.
    fn mean_loss(&mut self) -> f64;
}

impl<N: Network<F>, F: Real> MeanLoss for Matching<'_, N, F> {
    fn mean_loss(&mut self) -> f64 {
        Matching::mean_loss(self)
    }
}

impl<V: MeanLoss> MeanLoss for ClipNorm<V> {
    fn mean_loss(&mut self) -> f64 {
        self.field.mean_loss()
    }
}

/// Takes `steps` steps of a training, calling `report` every `every` steps and at the end; `Break` stops it there with
/// [`Error::Stopped`], `theta` being that of the last step.
///
/// A loss or parameters that are no longer finite stop it with [`Error::Diverged`], and `theta` is set back to what it was
/// at the last report (at the start, before the first one), when all was well.
///
/// ```
/// use std::ops::ControlFlow;
/// use flowfield::{Flow, dataset::moons, integrate::Adam, matching::{Matching, train}, nn::{Mlp, Network}};
/// let data = moons::<f32>(500, 0.05, 0);
/// let net = Mlp::velocity(2, &[16]);
/// let mut theta = net.init(0);
/// let mut training = Flow::new(Matching::new(&net, &data, 64), Adam::default());
/// train(&mut training, 200, 1e-3, &mut theta, 50, |r| {
///     println!("{}/{}: loss {:.3}, {:.0} steps/s, {:.0?} left", r.step, r.steps, r.loss, r.speed, r.left);
///     ControlFlow::Continue(())
/// })?;
/// # Ok::<(), flowfield::Error>(())
/// ```
///
/// # Errors
/// What the flow refuses, [`Error::Diverged`], [`Error::Stopped`].
pub fn train<F, V, I>(
    flow: &mut Flow<'_, V, I, Array1<F>>,
    steps: usize,
    h: F,
    theta: &mut Array1<F>,
    every: usize,
    mut report: impl FnMut(&Report) -> ControlFlow<()>,
) -> Result<()>
where
    F: Real,
    V: VectorField<Array1<F>> + MeanLoss,
    I: Integrator<Array1<F>>,
{
    Error::setting(every > 0, "the steps between reports", every as f64, "it must be at least 1")?;
    let mut good = theta.clone();
    for done in (0..steps).step_by(every) {
        let n = every.min(steps - done);
        let begin = Instant::now();
        let outcome = flow.steps(n, h, theta);
        let loss = flow.field_mut().mean_loss();
        if let Err(e) = outcome {
            if matches!(e, Error::Diverged { .. }) {
                theta.assign(&good);
            }
            return Err(e);
        }
        if !loss.is_finite() {
            theta.assign(&good);
            let (t, step) = (flow.t().f64(), flow.stats().accepted);
            return Err(Error::Diverged { step, t, h: h.f64(), component: 0 });
        }
        good.assign(theta);
        let speed = n as f64 / begin.elapsed().as_secs_f64().max(1e-9);
        let step = done + n;
        let left = Duration::from_secs_f64((steps - step) as f64 / speed);
        if report(&Report { step, steps, loss, speed, left }).is_break() {
            return Err(Error::Stopped { t: flow.t().f64(), steps: step as u64 });
        }
    }
    Ok(())
}
