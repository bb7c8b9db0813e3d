//! What a sample's quality costs in evaluations of the network.

use ndarray::{Array1, Array2};

use super::sample::TimeGrid;
use crate::integrate::Integrator;
use crate::nn::Network;
use crate::{Flow, Real, Result};

/// Quality against the number of evaluations of the network (NFE): the samples of the same noise with ever more steps.
///
/// ```
/// use flowfield::{dataset::{moons, normal}, integrate::{Euler, Heun}, metric::energy_distance};
/// use flowfield::{matching::NfeCurve, nn::{Mlp, Network}};
/// let (net, fresh) = (Mlp::velocity(2, &[16]), moons::<f64>(300, 0.05, 0));
/// let (theta, noise) = (net.init(0), normal((300, 2), 1));
/// let mut curve = NfeCurve::new(|x| energy_distance(x, &fresh));
/// for steps in [1, 2, 4, 8] {
///     curve.fixed("Euler", &net, &theta, &noise, steps, Euler::new())?;
///     curve.fixed("Heun", &net, &theta, &noise, steps, Heun::new())?;
/// }
/// assert_eq!(curve.points().iter().map(|p| p.evals).collect::<Vec<_>>(), [1, 2, 2, 4, 4, 8, 8, 16]);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct NfeCurve<'a, F: Real> {
    quality: Box<Measure<'a, F>>,
    points: Vec<NfePoint>,
}

/// Says how good samples are.
type Measure<'a, F> = dyn FnMut(&Array2<F>) -> Result<f64> + 'a;

/// One point of an [`NfeCurve`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NfePoint {
    /// What the caller calls the method.
    pub method: String,
    /// Evaluations of the network for each sample.
    pub evals: u64,
    /// What the measure says of the samples.
    pub quality: f64,
}

impl<F: Real> std::fmt::Debug for NfeCurve<'_, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NfeCurve").field("points", &self.points).finish_non_exhaustive()
    }
}

impl<'a, F: Real> NfeCurve<'a, F> {
    /// A curve of this measure of samples, for instance their distance to held-out data.
    pub fn new(quality: impl FnMut(&Array2<F>) -> Result<f64> + 'a) -> Self {
        NfeCurve { quality: Box::new(quality), points: Vec::new() }
    }

    /// The points so far, in the order in which they were measured.
    pub fn points(&self) -> &[NfePoint] {
        &self.points
    }

    /// Adds the point of `steps` equal steps; returns it.
    ///
    /// # Errors
    /// What the sampler or the measure refuses.
    pub fn fixed<N: Network<F>, I: Integrator<Array2<F>>>(
        &mut self,
        name: &str,
        net: &N,
        theta: &Array1<F>,
        noise: &Array2<F>,
        steps: usize,
        method: I,
    ) -> Result<NfePoint> {
        let times = TimeGrid::Uniform(steps).times()?;
        let mut x = noise.as_standard_layout().into_owned();
        let mut flow = Flow::new(net.field(theta), method);
        for pair in times.windows(2) {
            flow.step(F::of(pair[1] - pair[0]), &mut x)?;
        }
        self.put(name, flow.stats().evals, &x)
    }

    /// Adds the point of an adaptive method at this relative and absolute tolerance; returns it.
    ///
    /// # Errors
    /// What the flow or the measure refuses.
    pub fn adaptive<N: Network<F>, I: Integrator<Array2<F>>>(
        &mut self,
        name: &str,
        net: &N,
        theta: &Array1<F>,
        noise: &Array2<F>,
        tol: F,
        method: I,
    ) -> Result<NfePoint> {
        let mut flow = Flow::new(net.field(theta), method).tol(tol).save_last();
        let sol = flow.solve(F::zero(), F::one(), noise.clone())?;
        self.put(name, sol.stats.evals, sol.y_end())
    }

    fn put(&mut self, name: &str, evals: u64, x: &Array2<F>) -> Result<NfePoint> {
        let quality = (self.quality)(x)?;
        let point = NfePoint { method: name.into(), evals, quality };
        self.points.push(point.clone());
        Ok(point)
    }
}
