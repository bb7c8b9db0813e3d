//! Fitting a network to given outputs.

use std::fmt;

use ndarray::{Array1, Array2};

use super::objective::{Objective, Residuals};
use super::train::MeanLoss;
use crate::memory::{Memories, Remembered};
use crate::nn::Network;
use crate::parameter_flow::ParameterFlow;
use crate::rng::Rng;
use crate::state::check_rows;
use crate::{Error, Real, Result, VectorField};

/// Minus the gradient of `E |g(theta, x) - y|² / d` over minibatches of given rows: what distillation trains by.
///
/// ```
/// use flowfield::{Flow, integrate::Adam, matching::Regression, nn::{Mlp, Network}};
/// use ndarray::Array2;
/// let x = Array2::from_shape_fn((200, 1), |(i, _)| i as f64 / 100.0 - 1.0);
/// let y = x.mapv(|x| x * x);
/// let net = Mlp::new(1, &[16], 1);
/// let mut theta = net.init(0);
/// let mut fit = Flow::new(Regression::new(&net, &x, &y, 50), Adam::default());
/// fit.steps(800, 1e-2, &mut theta)?;
/// fit.field_mut().mean_loss();
/// fit.steps(50, 1e-3, &mut theta)?;
/// assert!(fit.field_mut().mean_loss() < 1e-3);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct Regression<'a, N: Network<F>, F: Real> {
    net: &'a N,
    inputs: &'a Array2<F>,
    outputs: &'a Array2<F>,
    batch: usize,
    objective: Objective,
    seed: u64,
    step: u64,
    work: Option<Work<N::Tape, F>>,
    loss: [F; 1],
    losses: (f64, u64),
}

struct Work<T, F> {
    tape: T,
    input: Array2<F>,
    target: Array2<F>,
}

impl<'a, N: Network<F>, F: Real> Regression<'a, N, F> {
    /// Fits `net` to the rows `inputs` ↦ `outputs`, `batch` of them a step.
    pub fn new(net: &'a N, inputs: &'a Array2<F>, outputs: &'a Array2<F>, batch: usize) -> Self {
        let objective = Objective::Squares;
        let loss = [F::zero()];
        Regression {
            net,
            inputs,
            outputs,
            batch,
            objective,
            seed: 0,
            step: 0,
            work: None,
            loss,
            losses: (0.0, 0),
        }
    }

    /// Squares (the default) or pseudo-Huber.
    #[must_use]
    pub fn objective(mut self, objective: Objective) -> Self {
        self.objective = objective;
        self
    }

    /// The seed of the draws (default 0).
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The mean loss over the evaluations since this was last asked (NaN if there were none).
    pub fn mean_loss(&mut self) -> f64 {
        let (sum, count) = std::mem::take(&mut self.losses);
        sum / count as f64
    }

    fn draw(&mut self) {
        let work = self.work.get_or_insert_with(|| Work {
            tape: self.net.tape(self.batch),
            input: Array2::zeros((self.batch, self.inputs.ncols())),
            target: Array2::zeros((self.batch, self.outputs.ncols())),
        });
        let mut rng = Rng::new(self.seed, self.step);
        self.step += 1;
        for (mut input, mut target) in work.input.rows_mut().into_iter().zip(work.target.rows_mut()) {
            let i = rng.below(self.inputs.nrows());
            input.assign(&self.inputs.row(i));
            target.assign(&self.outputs.row(i));
        }
    }
}

impl<N: Network<F>, F: Real> VectorField<Array1<F>> for Regression<'_, N, F> {
    fn eval(&mut self, _t: F, theta: &Array1<F>, dtheta: &mut Array1<F>) {
        if self.work.is_none() {
            self.draw();
        }
        let Some(work) = &mut self.work else { return };
        let residuals = Residuals { target: &work.target, weights: &[] };
        let objective = self.objective;
        let loss = |first: usize, v: &[F], vbar: &mut [F]| residuals.loss(objective, first, v, vbar);
        match self.net.loss_gradient(theta, &work.input, loss, dtheta, &mut work.tape) {
            Ok(loss) => self.loss = [loss],
            Err(_) => dtheta.fill(F::nan()),
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
        vec![("seed", Remembered::Count(&mut self.seed)), ("draws", Remembered::Count(&mut self.step))]
    }

    fn check(&self, theta: &Array1<F>) -> Result<()> {
        self.net.check()?;
        self.objective.check()?;
        let rows = self.inputs.nrows();
        if rows == 0 {
            return Err(Error::Empty { what: "the data" });
        }
        Error::setting(self.batch > 0, "the batch size", self.batch as f64, "it must be at least 1")?;
        let squares = self.objective != Objective::Action;
        Error::setting(squares, "the objective of a regression", 0.0, "squares or pseudo-Huber")?;
        Error::shape("the inputs", &[rows, self.net.inputs()], self.inputs.shape())?;
        Error::shape("the outputs", &[rows, self.net.outputs()], self.outputs.shape())?;
        check_rows("the inputs", self.inputs)?;
        check_rows("the outputs", self.outputs)?;
        Error::shape("theta", &[self.net.n_params()], theta.shape())
    }
}

impl<N: Network<F>, F: Real> ParameterFlow<F> for Regression<'_, N, F> {
    fn losses(&self) -> &[F] {
        &self.loss
    }
}

impl<N: Network<F>, F: Real> MeanLoss for Regression<'_, N, F> {
    fn mean_loss(&mut self) -> f64 {
        Regression::mean_loss(self)
    }
}

impl<N: Network<F>, F: Real> fmt::Debug for Regression<'_, N, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shapes = (self.inputs.shape(), self.outputs.shape());
        f.debug_struct("Regression").field("data", &shapes).field("step", &self.step).finish_non_exhaustive()
    }
}
