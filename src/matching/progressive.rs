//! Progressive distillation: half as many steps, and half again.

use ndarray::{Array1, Array2, Axis, concatenate, s};

use super::regression::Regression;
use crate::dataset::normal;
use crate::integrate::{Adam, Euler, Schedule};
use crate::nn::Network;
use crate::{Error, Flow, Real, Result};

/// Rounds in which a flow learns to do in one Euler step what it did in two.
///
/// In a round from 2m to m steps, trajectories of the teacher are recorded at every other step, and the student's velocity at a
/// recorded state is fitted to the mean velocity over the next two. Salimans and Ho, *Progressive distillation for fast
/// sampling of diffusion models*, ICLR 2022, algorithm 2, with Euler's method and velocities.
///
/// ```
/// use flowfield::{Flow, dataset::moons, integrate::Adam, matching::{Matching, Progressive}, nn::{Mlp, Network}};
/// let data = moons::<f32>(500, 0.05, 0);
/// let net = Mlp::velocity(2, &[32, 32]);
/// let mut theta = net.init(0);
/// Flow::new(Matching::new(&net, &data, 64), Adam::default()).steps(200, 2e-3, &mut theta)?;
/// let rounds = Progressive::new(500, 100).run(&net, &mut theta, 8, 2)?;          // 8 -> 4 -> 2 steps
/// assert_eq!(rounds.iter().map(|r| r.steps).collect::<Vec<_>>(), [4, 2]);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Progressive<'a, F> {
    condition: Option<&'a Array2<F>>,
    trajectories: usize,
    steps: usize,
    batch: usize,
    h: f64,
    seed: u64,
}

/// What a round of [`Progressive`] reports.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Halving {
    /// The number of Euler steps that are now enough.
    pub steps: usize,
    /// Mean square of what the student still misses, over the last quarter of the training.
    pub loss: f64,
}

impl<'a, F: Real> Progressive<'a, F> {
    /// Rounds with this many trajectories and training steps each.
    pub fn new(trajectories: usize, steps: usize) -> Self {
        Progressive { condition: None, trajectories, steps, batch: 256, h: 1e-3, seed: 0 }
    }

    /// Conditions of the trajectories, taken in turn.
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

    /// Seed of noise and draws (default 0).
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Halves the number of steps from `from` to `to`, leaving the student's parameters in `theta`.
    ///
    /// # Errors
    /// [`Error::Setting`] unless `from` is `to` times a power of two, no trajectories, and what training refuses.
    pub fn run<N: Network<F>>(
        &self,
        net: &N,
        theta: &mut Array1<F>,
        from: usize,
        to: usize,
    ) -> Result<Vec<Halving>> {
        let ratio = if to > 0 && from.is_multiple_of(to) { from / to } else { 0 };
        let need = "it must be the last number of steps times a power of two";
        Error::setting(ratio.is_power_of_two(), "the first number of steps", from as f64, need)?;
        let rounds = ratio.trailing_zeros();
        (1..=rounds)
            .map(|k| self.round(net, theta, from >> k, self.seed.wrapping_add(u64::from(k))))
            .collect()
    }

    fn round<N: Network<F>>(
        &self,
        net: &N,
        theta: &mut Array1<F>,
        steps: usize,
        seed: u64,
    ) -> Result<Halving> {
        let (inputs, outputs) = self.trajectories(net, theta, steps, seed)?;
        let fit = Regression::new(net, &inputs, &outputs, self.batch).seed(seed);
        let mut training = Flow::new(fit, Adam::default()).controller(Schedule::cosine(self.steps as u64));
        let last = self.steps / 4;
        training.steps(self.steps - last, F::of(self.h), theta)?;
        training.field_mut().mean_loss();
        training.steps(last, F::of(self.h), theta)?;
        Ok(Halving { steps, loss: training.field_mut().mean_loss() })
    }

    /// Rows `[x | t | condition]` at every other step of the teacher's, and the mean velocities from there to the next.
    fn trajectories<N: Network<F>>(
        &self,
        net: &N,
        theta: &Array1<F>,
        steps: usize,
        seed: u64,
    ) -> Result<(Array2<F>, Array2<F>)> {
        if self.trajectories == 0 || self.condition.is_some_and(|c| c.is_empty()) {
            return Err(Error::Empty { what: "the set of trajectories" });
        }
        let rows: Vec<usize> = (0..self.trajectories).collect();
        let condition = self.condition.map(|c| {
            let taken: Vec<usize> = rows.iter().map(|i| i % c.nrows()).collect();
            c.select(Axis(0), &taken)
        });
        let mut field = net.field(theta);
        if let Some(c) = &condition {
            field = field.condition(c);
        }
        let mut teacher = Flow::new(field, Euler::new());
        let (d, half) = (net.outputs(), F::of(0.5 / steps as f64));
        let mut x: Array2<F> = normal((self.trajectories, d), seed);
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for k in 0..steps {
            let mut input = Array2::zeros((self.trajectories, net.inputs()));
            input.slice_mut(s![.., ..d]).assign(&x);
            input.column_mut(d).fill(F::of(k as f64 / steps as f64));
            if let Some(c) = &condition {
                input.slice_mut(s![.., d + 1..]).assign(c);
            }
            let before = x.clone();
            teacher.steps(2, half, &mut x)?;
            inputs.push(input);
            outputs.push((&x - &before).mapv(|v| v * F::of(steps as f64)));
        }
        let stack = |parts: &[Array2<F>]| {
            let views: Vec<_> = parts.iter().map(|p| p.view()).collect();
            concatenate(Axis(0), &views)
        };
        match (stack(&inputs), stack(&outputs)) {
            (Ok(inputs), Ok(outputs)) => Ok((inputs, outputs)),
            _ => Err(Error::Empty { what: "the set of trajectories" }),
        }
    }
}
