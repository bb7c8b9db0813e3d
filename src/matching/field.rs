//! The field in parameter space whose flow trains a velocity network.

use std::cell::Cell;
use std::fmt;

use ndarray::{Array1, Array2, ArrayRef2};

use super::coupling::Coupling;
use super::time_law::TimeLaw;
use crate::nn::Network;
use crate::parameter_flow::ParameterFlow;
use crate::rng::Rng;
use crate::state::check_rows;
use crate::{Error, Real, Result, VectorField};

/// Flow matching on straight paths, as a field: minus the gradient of
///
/// ```text
/// L(theta) = E |v(x_t, t; theta) - (x1 - x0)|² / d,     x_t = (1 - t) x0 + t x1
/// ```
///
/// over a minibatch of paths that is drawn anew before every step (and kept between the stages of one).
/// Rectified flow: Liu, Gong, Liu, *Flow straight and fast*, 2022, equation 1. The network takes rows
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
    net: &'a N,
    data: &'a Array2<F>,
    batch: usize,
    condition: Option<&'a Array2<F>>,
    coupling: Coupling<'a, F>,
    time: TimeLaw,
    seed: u64,
    step: u64,
    checked: Cell<bool>,
    work: Option<Work<N::Tape, F>>,
    loss: [F; 1],
    /// Sum and number of the losses since the last look.
    losses: (f64, u64),
}

/// The minibatch and the workspace for it.
struct Work<T, F> {
    tape: T,
    /// Rows `[x_t | t | condition]`.
    input: Array2<F>,
    /// Rows `x1 - x0`.
    target: Array2<F>,
}

impl<'a, N: Network<F>, F: Real> Matching<'a, N, F> {
    /// Trains `net` on the rows of `data` (n × d), `batch` paths a step.
    pub fn new(net: &'a N, data: &'a Array2<F>, batch: usize) -> Self {
        Matching {
            net,
            data,
            batch,
            condition: None,
            coupling: Coupling::Independent,
            time: TimeLaw::Uniform,
            seed: 0,
            step: 0,
            checked: Cell::new(false),
            work: None,
            loss: [F::zero()],
            losses: (0.0, 0),
        }
    }

    /// What the velocity is conditioned on: one row for each data row (see [`one_hot`](crate::nn::one_hot) for classes).
    #[must_use]
    pub fn condition(mut self, condition: &'a Array2<F>) -> Self {
        self.condition = Some(condition);
        self
    }

    /// Which source goes with which data (default: independent standard normal noise).
    #[must_use]
    pub fn coupling(mut self, coupling: Coupling<'a, F>) -> Self {
        self.coupling = coupling;
        self
    }

    /// Where on the paths (default: uniform).
    #[must_use]
    pub fn time(mut self, law: TimeLaw) -> Self {
        self.time = law;
        self
    }

    /// The seed of the draws (default 0).
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
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

    fn check_shapes(&self) -> Result<()> {
        let (rows, d) = self.data.dim();
        self.net.check()?;
        if rows == 0 || d == 0 {
            return Err(Error::Empty { what: "the data" });
        }
        Error::setting(self.batch > 0, "the batch size", self.batch as f64, "it must be at least 1")?;
        if self.batch > rows {
            return Err(Error::BatchTooLarge { batch: self.batch, rows });
        }
        Error::shape("the data", &[rows, self.net.outputs()], self.data.shape())?;
        let conditions = self.condition.map_or(0, |c| c.ncols());
        Error::shape("a row [x | t | condition]", &[self.net.inputs()], &[d + 1 + conditions])?;
        if let Some(c) = self.condition {
            Error::shape("the condition", &[rows, conditions], c.shape())?;
        }
        self.time.check()
    }

    fn check_values(&self) -> Result<()> {
        check_rows("the data", self.data)?;
        if let Some(c) = self.condition {
            check_rows("the condition", c)?;
        }
        self.coupling.check(self.data.nrows(), self.data.ncols())
    }

    /// Draws a minibatch of paths and writes it where the network reads it.
    fn draw(&mut self) {
        let d = self.data.ncols();
        let (rows, width) = (self.data.nrows(), self.net.inputs());
        let work = self.work.get_or_insert_with(|| Work {
            tape: self.net.tape(self.batch),
            input: Array2::zeros((self.batch, width)),
            target: Array2::zeros((self.batch, d)),
        });
        let mut rng = Rng::new(self.seed, self.step);
        self.step += 1;
        let pairs = work.input.rows_mut().into_iter().zip(work.target.rows_mut());
        for (mut input, mut target) in pairs {
            let i = rng.below(rows);
            let t = self.time.draw::<F>(&mut rng);
            for k in 0..d {
                let x1 = self.data[[i, k]];
                let x0 = match self.coupling {
                    Coupling::Independent => rng.normal(),
                    Coupling::Paired(x0) => x0[[i, k]],
                };
                input[k] = x0 + t * (x1 - x0);
                target[k] = x1 - x0;
            }
            input[d] = t;
            if let Some(c) = self.condition {
                for (k, &value) in c.row(i).iter().enumerate() {
                    input[d + 1 + k] = value;
                }
            }
        }
    }
}

impl<N: Network<F>, F: Real> VectorField<Array1<F>> for Matching<'_, N, F> {
    fn eval(&mut self, _t: F, theta: &Array1<F>, dtheta: &mut Array1<F>) {
        if self.work.is_none() {
            self.draw();
        }
        let Some(work) = &mut self.work else { return };
        let target = &work.target;
        let scale = F::of(1.0 / (target.len() as f64));
        let d = target.ncols();
        // The derivative's sign is flipped here, so that the network returns the field itself.
        let loss = |first: usize, v: &[F], vbar: &mut [F]| squares(target, first * d, scale, v, vbar);
        match self.net.loss_gradient(theta, &work.input, loss, dtheta, &mut work.tape) {
            Ok(loss) => self.loss = [loss],
            // Shapes were checked on entry; a custom network that fails all the same is seen as divergence.
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

    fn check(&self, theta: &Array1<F>) -> Result<()> {
        if !self.checked.get() {
            self.check_shapes()?;
            self.check_values()?;
            self.checked.set(true);
        }
        Error::shape("theta", &[self.net.n_params()], theta.shape())
    }
}

/// Mean of squares of a block's residuals; writes minus its derivative.
#[inline]
fn squares<F: Real>(target: &ArrayRef2<F>, from: usize, scale: F, v: &[F], vbar: &mut [F]) -> F {
    let Some(target) = target.as_slice().and_then(|t| t.get(from..from + v.len())) else { return F::nan() };
    let minus_two = F::of(-2.0) * scale;
    let mut sum = F::zero();
    for ((&v, &u), b) in v.iter().zip(target).zip(vbar) {
        let residual = v - u;
        sum += residual * residual;
        *b = minus_two * residual;
    }
    sum * scale
}

impl<N: Network<F>, F: Real> ParameterFlow<F> for Matching<'_, N, F> {
    fn losses(&self) -> &[F] {
        &self.loss
    }
}

impl<N: Network<F>, F: Real> fmt::Debug for Matching<'_, N, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matching")
            .field("data", &self.data.shape())
            .field("batch", &self.batch)
            .field("time", &self.time)
            .field("seed", &self.seed)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}
