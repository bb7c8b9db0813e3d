//! Reflow: straighten a flow by training on its own pairs.

use ndarray::{Array1, Array2, Axis, s};

use super::{Coupling, Matching, straightness};
use crate::dataset::normal;
use crate::integrate::{Adam, Schedule, Tsit5};
use crate::nn::{Network, VelocityField};
use crate::{Error, Flow, Real, Result};

/// Rounds of reflow: draw noise, follow the flow with an adaptive solver to get its pairs, retrain on them.
///
/// Each round makes the trajectories straighter and does not raise any convex transport cost (Liu, Gong, Liu,
/// *Flow straight and fast*, 2022, theorems 3.5 and 3.7).
///
/// ```
/// use flowfield::{Flow, dataset::moons, integrate::Adam, matching::{Matching, Reflow}, nn::{Mlp, Network}};
/// let data = moons::<f32>(1_000, 0.05, 0);
/// let net = Mlp::velocity(2, &[32, 32]);
/// let mut theta = net.init(0);
/// Flow::new(Matching::new(&net, &data, 128), Adam::default()).steps(300, 2e-3, &mut theta)?;
/// let rounds = Reflow::new(1_000, 300).batch(128).run(&net, &mut theta, 1)?;
/// assert!(rounds[0].straightness.is_finite());
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Reflow<'a, F> {
    condition: Option<&'a Array2<F>>,
    pairs: usize,
    steps: usize,
    batch: usize,
    h: f64,
    tol: f64,
    seed: u64,
}

/// What a round of [`Reflow`] reports.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Round {
    /// Straightness after the round.
    pub straightness: f64,
    /// Transport cost `E|Z₁ - Z₀|²` of the pairs that the round was trained on.
    pub transport_cost: f64,
    /// Mean training loss over the last quarter of the steps.
    pub loss: f64,
    /// Field evaluations that the adaptive solver needed to generate the pairs.
    pub evals: u64,
}

impl<'a, F: Real> Reflow<'a, F> {
    /// Rounds with `pairs` pairs and `steps` training steps each.
    pub fn new(pairs: usize, steps: usize) -> Self {
        Reflow { condition: None, pairs, steps, batch: 256, h: 1e-3, tol: 1e-4, seed: 0 }
    }

    /// Conditions under which the pairs are generated, taken in turn: pair `i` gets row `i % rows`.
    #[must_use]
    pub fn condition(mut self, condition: &'a Array2<F>) -> Self {
        self.condition = Some(condition);
        self
    }

    /// Batch size (default 256).
    #[must_use]
    pub fn batch(mut self, batch: usize) -> Self {
        self.batch = batch;
        self
    }

    /// Learning rate, decayed to zero by a cosine over each round (default 1e-3).
    #[must_use]
    pub fn rate(mut self, h: f64) -> Self {
        self.h = h;
        self
    }

    /// Tolerance of the adaptive solver that generates the pairs (default 1e-4).
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.tol = tol;
        self
    }

    /// Seed of noise and draws (default 0).
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs `rounds` rounds, starting from and leaving the network's parameters in `theta`.
    ///
    /// # Errors
    /// What matching and solving refuse; `theta` is then that of the last good step.
    pub fn run<N: Network<F>>(&self, net: &N, theta: &mut Array1<F>, rounds: usize) -> Result<Vec<Round>> {
        (0..rounds as u64).map(|k| self.round(net, theta, self.seed.wrapping_add(k))).collect()
    }

    /// Generates pairs with the flow of `theta`: noise, and where it goes.
    ///
    /// # Errors
    /// No pairs asked for, an empty condition, or what the adaptive solve refuses.
    pub fn pairs<N: Network<F>>(&self, net: &N, theta: &Array1<F>, seed: u64) -> Result<Pairs<F>> {
        if self.pairs == 0 {
            return Err(Error::Empty { what: "the set of pairs" });
        }
        let condition = self.conditions()?;
        let noise: Array2<F> = normal((self.pairs, net.outputs()), seed);
        let field = velocity(net, theta, condition.as_ref());
        let mut flow = Flow::new(field, Tsit5::new()).tol(F::of(self.tol)).save_last();
        let sol = flow.solve(F::zero(), F::one(), noise.clone())?;
        Ok(Pairs { noise, data: sol.y_end().clone(), condition, evals: sol.stats.evals })
    }

    fn conditions(&self) -> Result<Option<Array2<F>>> {
        let Some(c) = self.condition else { return Ok(None) };
        if c.is_empty() {
            return Err(Error::Empty { what: "the condition" });
        }
        let rows: Vec<usize> = (0..self.pairs).map(|i| i % c.nrows()).collect();
        Ok(Some(c.select(Axis(0), &rows)))
    }

    fn round<N: Network<F>>(&self, net: &N, theta: &mut Array1<F>, seed: u64) -> Result<Round> {
        let pairs = self.pairs(net, theta, seed)?;
        let mut field =
            Matching::new(net, &pairs.data, self.batch).coupling(Coupling::Paired(&pairs.noise)).seed(seed);
        if let Some(c) = &pairs.condition {
            field = field.condition(c);
        }
        let mut training = Flow::new(field, Adam::default()).controller(Schedule::cosine(self.steps as u64));
        let last = self.steps / 4;
        training.steps(self.steps - last, F::of(self.h), theta)?;
        training.field_mut().mean_loss();
        training.steps(last, F::of(self.h), theta)?;
        let loss = training.field_mut().mean_loss();
        let transport_cost = squared_distance(&pairs.noise, &pairs.data) / self.pairs as f64;
        Ok(Round {
            straightness: self.measure(net, theta, &pairs)?,
            transport_cost,
            loss,
            evals: pairs.evals,
        })
    }

    /// Straightness of the new flow from the first of the pairs' noise.
    fn measure<N: Network<F>>(&self, net: &N, theta: &Array1<F>, pairs: &Pairs<F>) -> Result<f64> {
        let rows = s![..self.pairs.min(1000), ..];
        let condition = pairs.condition.as_ref().map(|c| c.slice(rows).to_owned());
        let field = velocity(net, theta, condition.as_ref());
        Ok(straightness(field, &pairs.noise.slice(rows).to_owned(), 40)?.straightness)
    }
}

/// A flow's own coupling.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Pairs<F> {
    /// Where the trajectories start (n × d).
    pub noise: Array2<F>,
    /// Where they end.
    pub data: Array2<F>,
    /// Under which conditions, if there are any.
    pub condition: Option<Array2<F>>,
    /// Evaluations that the solver needed.
    pub evals: u64,
}

fn velocity<'n, F: Real, N: Network<F>>(
    net: &'n N,
    theta: &'n Array1<F>,
    condition: Option<&'n Array2<F>>,
) -> VelocityField<'n, F, N> {
    let field = net.field(theta);
    match condition {
        Some(c) => field.condition(c),
        None => field,
    }
}

fn squared_distance<F: Real>(a: &Array2<F>, b: &Array2<F>) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a.f64() - b.f64()).powi(2)).sum()
}
