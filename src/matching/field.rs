//! The field in parameter space whose flow trains a velocity network.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use ndarray::{Array1, Array2};

use super::action::ActionWork;
use super::coupling::Coupling;
use super::draws::Draws;
use super::objective::{Objective, Residuals};
use super::path::Path;
use super::prediction::Prediction;
use super::source::Source;
use super::time_law::TimeLaw;
use crate::memory::{Memories, Remembered};
use crate::nn::Network;
use crate::parameter_flow::ParameterFlow;
use crate::{Error, Real, Result, VectorField};

/// A time-dependent weight of the objective.
type Weight<'a> = &'a (dyn Fn(f64) -> f64 + 'a);

/// Flow matching, as a field: minus the gradient of
///
/// ```text
/// L(theta) = E w(t) |v(x_t, t; theta) - dx_t/dt|² / d,     x_t = α(t) x0 + β(t) x1 + γ(t) z
/// ```
///
/// over a minibatch of paths that is drawn anew before every step (and kept between the stages of one). By default
/// paths are straight from standard normal noise: rectified flow, Liu, Gong, Liu, *Flow straight and fast*, 2022,
/// equation 1. What is drawn is chosen by [`source`](Self::source), [`coupling`](Self::coupling),
/// [`path`](Self::path), [`time`](Self::time) and [`condition`](Self::condition), what is made small by
/// [`objective`](Self::objective), [`weight`](Self::weight) and [`target`](Self::target). The network takes rows
/// `[x (d) | t (1) | condition]` and returns `d` numbers, as [`Mlp::velocity`](crate::nn::Mlp::velocity) does.
///
/// ```
/// use flowfield::{Flow, dataset::{moons, normal}, integrate::{Adam, Rk4}, matching::Matching, nn::{Mlp, Network}};
/// let data = moons::<f32>(2_000, 0.05, 0);
/// let net = Mlp::velocity(2, &[64, 64]);
/// let mut theta = net.init(0);
/// let mut training = Flow::new(Matching::new(&net, &data, 256), Adam::default());
/// training.steps(300, 2e-3, &mut theta)?;                                          // a flow in parameters
/// assert!(training.field_mut().mean_loss() < 2.0);
/// let mut x = normal((100, 2), 1);
/// Flow::new(net.field(&theta), Rk4::new()).steps(20, 0.05, &mut x)?;               // a flow in space
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct Matching<'a, N: Network<F>, F: Real> {
    pub(super) net: &'a N,
    pub(super) draws: Draws<'a, F>,
    pub(super) objective: Objective,
    weight: Option<Weight<'a>>,
    weights: Vec<F>,
    checked: Cell<bool>,
    pub(super) tape: Option<N::Tape>,
    pub(super) action: Option<ActionWork<F>>,
    loss: [F; 1],
    /// Sum and number of the losses since the last look.
    losses: (f64, u64),
    /// Why the last minibatch could not be drawn.
    spoilt: Option<Error>,
}

impl<'a, N: Network<F>, F: Real> Matching<'a, N, F> {
    /// Trains `net` on the rows of `data` (n × d), `batch` paths a step.
    pub fn new(net: &'a N, data: &'a Array2<F>, batch: usize) -> Self {
        Matching {
            net,
            draws: Draws::new(data, batch),
            objective: Objective::Squares,
            weight: None,
            weights: Vec::new(),
            checked: Cell::new(false),
            tape: None,
            action: None,
            loss: [F::zero()],
            losses: (0.0, 0),
            spoilt: None,
        }
    }

    /// What the velocity is conditioned on: one row for each data row (see [`one_hot`](crate::nn::one_hot) for classes).
    #[must_use]
    pub fn condition(mut self, condition: &'a Array2<F>) -> Self {
        self.draws.condition = Some(condition);
        self
    }

    /// Replaces a condition by zeros with this probability, so that the network also learns the unconditional velocity:
    /// what [`guidance`](crate::nn::VelocityField::guidance) needs (Ho and Salimans, *Classifier-free diffusion
    /// guidance*, 2022, algorithm 1).
    #[must_use]
    pub fn condition_dropout(mut self, probability: f64) -> Self {
        self.draws.dropout = probability;
        self
    }

    /// What a squared distance between two conditions costs in a coupling that pairs pools, in units of a squared
    /// distance between points; infinity pairs equal conditions only. By default one-hot rows are never mixed, and
    /// other conditions weigh as much as the points.
    #[must_use]
    pub fn condition_weight(mut self, weight: f64) -> Self {
        self.draws.condition_weight = Some(weight);
        self
    }

    /// Where paths start (default: standard normal noise).
    #[must_use]
    pub fn source(mut self, source: Source<'a, F>) -> Self {
        self.draws.source = source;
        self
    }

    /// Which source goes with which data (default: independent).
    #[must_use]
    pub fn coupling(mut self, coupling: Coupling<'a, F>) -> Self {
        self.draws.coupling = coupling;
        self
    }

    /// Pairs this many rows at a time (default: the batch): a multiple of the batch size, trained on batch by batch, or a
    /// divisor of it. The larger, the less a minibatch coupling is biased; the smaller, the cheaper it is.
    #[must_use]
    pub fn coupling_batch(mut self, rows: usize) -> Self {
        self.draws.pool = Some(rows);
        self
    }

    /// How the ends are joined (default: [`Straight`](super::Straight)).
    #[must_use]
    pub fn path(mut self, path: impl Path + 'a) -> Self {
        self.draws.path = Arc::new(path);
        self
    }

    /// Where on the paths (default: uniform).
    #[must_use]
    pub fn time(mut self, law: TimeLaw<'a>) -> Self {
        self.draws.time = law;
        self
    }

    /// What the network learns to predict (default: the velocity); see [`Converted`](super::Converted) for how to
    /// sample then.
    #[must_use]
    pub fn target(mut self, target: Prediction) -> Self {
        self.draws.target = target;
        self
    }

    /// What is made small (default: the mean square).
    #[must_use]
    pub fn objective(mut self, objective: Objective) -> Self {
        self.objective = objective;
        self
    }

    /// Weighs each path by a function of its time (default: 1).
    #[must_use]
    pub fn weight(mut self, weight: &'a (dyn Fn(f64) -> f64 + 'a)) -> Self {
        self.weight = Some(weight);
        self
    }

    /// The seed of the draws (default 0).
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.draws.seed = seed;
        self
    }

    /// The loss of the last minibatch.
    pub fn loss(&self) -> F {
        self.loss[0]
    }

    /// The mean loss over the evaluations since this was last asked (NaN if there were none).
    pub fn mean_loss(&mut self) -> f64 {
        let (sum, count) = std::mem::take(&mut self.losses);
        sum / count as f64
    }

    /// Why the last minibatch could not be drawn, where a user's coupling failed during training.
    pub fn failure(&self) -> Option<&Error> {
        self.spoilt.as_ref()
    }

    pub(super) fn check_all(&self) -> Result<()> {
        self.net.check()?;
        self.draws.check()?;
        self.objective.check()?;
        let d = self.draws.data.ncols();
        if self.objective == Objective::Action {
            self.check_action()?;
        } else {
            Error::shape(
                "the data",
                &[self.draws.data.nrows(), self.net.outputs()],
                self.draws.data.shape(),
            )?;
        }
        let conditions = self.draws.condition.map_or(0, |c| c.ncols());
        Error::shape("a row [x | t | condition]", &[self.net.inputs()], &[d + 1 + conditions])?;
        if let Coupling::User(_) = self.draws.coupling {
            self.draws.clone().draw()?;
        }
        Ok(())
    }

    fn check_action(&self) -> Result<()> {
        Error::shape("the potential of action matching", &[1], &[self.net.outputs()])?;
        let plain =
            self.weight.is_none() && matches!(self.draws.time, TimeLaw::Uniform | TimeLaw::Quantile(_));
        if plain && self.draws.target == Prediction::Velocity {
            return Ok(());
        }
        Err(Error::Unsupported {
            what: "a weight, a law of times or another target",
            with: "action matching, whose terms at both ends hold for uniform times only",
            instead: "leave it out, or train the gradient of a Potential by squares",
        })
    }

    fn draw(&mut self) {
        self.spoilt = self.draws.draw().err();
        let (Some(weight), Some(batch)) = (self.weight, &self.draws.batch) else { return };
        let d = self.draws.data.ncols();
        self.weights.clear();
        self.weights.extend(batch.input.column(d).iter().map(|t| F::of(weight(t.f64()))));
    }

    fn regress(&mut self, theta: &Array1<F>, dtheta: &mut Array1<F>) -> Result<F> {
        let Some(batch) = &self.draws.batch else { return Ok(F::nan()) };
        let tape = self.tape.get_or_insert_with(|| self.net.tape(batch.input.nrows()));
        let residuals = Residuals { target: &batch.target, weights: &self.weights };
        let objective = self.objective;
        // The derivative's sign is flipped in there, so that the network returns the field itself.
        let loss = |first: usize, v: &[F], vbar: &mut [F]| residuals.loss(objective, first, v, vbar);
        self.net.loss_gradient(theta, &batch.input, loss, dtheta, tape)
    }
}

impl<N: Network<F>, F: Real> VectorField<Array1<F>> for Matching<'_, N, F> {
    fn eval(&mut self, _t: F, theta: &Array1<F>, dtheta: &mut Array1<F>) {
        if self.draws.batch.is_none() {
            self.draw();
        }
        let outcome = match (&self.spoilt, self.objective) {
            (Some(e), _) => Err(e.clone()),
            (None, Objective::Action) => self.act(theta, dtheta),
            (None, _) => self.regress(theta, dtheta),
        };
        match outcome {
            Ok(loss) => self.loss = [loss],
            // Shapes were checked on entry; a network or a coupling that fails all the same is seen as divergence.
            Err(_) => {
                self.loss = [F::nan()];
                dtheta.fill(F::nan());
            }
        }
        self.losses = (self.losses.0 + self.loss[0].f64(), self.losses.1 + 1);
    }

    fn redraw(&mut self) -> bool {
        self.draw();
        true
    }

    fn loss(&self) -> Option<F> {
        Some(self.loss[0])
    }

    fn memory(&mut self) -> Memories<'_, Array1<F>> {
        let draws = &mut self.draws;
        // What was drawn depends on the seed and the number of the step alone.
        draws.batch = None;
        vec![("seed", Remembered::Count(&mut draws.seed)), ("draws", Remembered::Count(&mut draws.step))]
    }

    fn check(&self, theta: &Array1<F>) -> Result<()> {
        if !self.checked.get() {
            self.check_all()?;
            self.checked.set(true);
        }
        Error::shape("theta", &[self.net.n_params()], theta.shape())
    }
}

impl<N: Network<F>, F: Real> ParameterFlow<F> for Matching<'_, N, F> {
    fn losses(&self) -> &[F] {
        &self.loss
    }
}

impl<N: Network<F>, F: Real> fmt::Debug for Matching<'_, N, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matching")
            .field("data", &self.draws.data.shape())
            .field("batch", &self.draws.rows)
            .field("source", &self.draws.source)
            .field("coupling", &self.draws.coupling)
            .field("path", &self.draws.path.name())
            .field("time", &self.draws.time)
            .field("objective", &self.objective)
            .field("seed", &self.draws.seed)
            .field("step", &self.draws.step)
            .finish_non_exhaustive()
    }
}
