//! A GAN as a vector field in parameter space.

use std::cell::Cell;
use std::fmt;
use std::ops::Range;

use ndarray::{Array1, Array2, Axis, s};

use super::evaluation::{Estimator, Evaluation, Work};
use super::loss::GanLoss;
use super::minibatch::Minibatch;
use super::penalty::{Penalty, PenaltyPoints};
use super::regulariser::{Memory, Regulariser};
use crate::nn::Network;
use crate::parameter_flow::ParameterFlow;
use crate::rng::Rng;
use crate::state::check_rows;
use crate::{Error, Real, Result, VectorField};

/// Generator and critic as one field on `theta = [generator | critic]`:
///
/// ```text
/// d(generator)/ds = E[(∂g/∂theta)ᵀ w(D) ∇D(g(z))]      samples moved along w ∇D, pulled back to parameters
/// d(critic)/ds    = ∂/∂theta { E loss(D(real)) + E loss(D(fake)) - E φ(|∇D|) }
/// ```
///
/// Both players move at once: it is the joint field that is integrated, never one player at a time (on the bilinear game
/// RK4 then spirals in where Euler spirals out). A minibatch of data, noise and interpolation points is drawn before each
/// step and kept between its stages. For players that move in turn, see [`generator`](Self::generator).
///
/// ```
/// use flowfield::{Flow, dataset::eight_gaussians, game::{Gan, Penalty}, integrate::Adam, nn::Mlp};
/// let data = eight_gaussians::<f32>(1_000, 2.0, 0.05, 0);
/// let (generator, critic) = (Mlp::new(2, &[32, 32], 2), Mlp::new(2, &[32, 32], 1));
/// let game = Gan::new(&generator, &critic, &data, 64).penalty(Penalty::reflow());
/// let mut theta = game.init(0);
/// Flow::new(game, Adam::default().betas(0.5, 0.9)).steps(20, 1e-3, &mut theta)?;
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct Gan<'a, G: Network<F>, C: Network<F>, F: Real> {
    generator: &'a G,
    critic: &'a C,
    data: &'a Array2<F>,
    batch: usize,
    rules: Rules,
    /// Time scales of generator and critic.
    rates: [f64; 2],
    seed: u64,
    step: u64,
    checked: Cell<bool>,
    work: Option<Work<G::Tape, C::Tape, F>>,
    losses: [F; 2],
}

/// What the players go for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rules {
    pub loss: GanLoss,
    pub penalties: [Option<Penalty>; 2],
    pub estimator: Estimator,
    pub regulariser: Option<Regulariser>,
}

impl<'a, G: Network<F>, C: Network<F>, F: Real> Gan<'a, G, C, F> {
    /// The game of `generator` (noise to data space) against `critic` (data space to one number) on the rows of `data`.
    pub fn new(generator: &'a G, critic: &'a C, data: &'a Array2<F>, batch: usize) -> Self {
        Gan {
            generator,
            critic,
            data,
            batch,
            rules: Rules::default(),
            rates: [1.0; 2],
            seed: 0,
            step: 0,
            checked: Cell::new(false),
            work: None,
            losses: [F::zero(); 2],
        }
    }

    /// The objective (default: non-saturating).
    #[must_use]
    pub fn loss(mut self, loss: GanLoss) -> Self {
        self.rules.loss = loss;
        self
    }

    /// A penalty on the critic's slope (default: none).
    #[must_use]
    pub fn penalty(mut self, penalty: Penalty) -> Self {
        self.rules.penalties[0] = Some(penalty);
        self
    }

    /// A second penalty, elsewhere: R1 and R2 together, for instance.
    #[must_use]
    pub fn and_penalty(mut self, penalty: Penalty) -> Self {
        self.rules.penalties[1] = Some(penalty);
        self
    }

    /// From which rows the critic's objective is estimated (default: the ends).
    #[must_use]
    pub fn estimator(mut self, estimator: Estimator) -> Self {
        self.rules.estimator = estimator;
        self
    }

    /// A norm of the players' gradients that they also go down (default: none).
    #[must_use]
    pub fn regulariser(mut self, regulariser: Regulariser) -> Self {
        self.rules.regulariser = Some(regulariser);
        self
    }

    /// Time scales of the two players (default 1 and 1): how fast each moves along its own descent. Methods that rescale
    /// the field, as Adam does, undo them: there, see [`Player::rate`](crate::integrate::Player::rate).
    #[must_use]
    pub fn rates(mut self, generator: f64, critic: f64) -> Self {
        self.rates = [generator, critic];
        self
    }

    /// The seed of the draws (default 0).
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Initial parameters of both players, generator first.
    pub fn init(&self, seed: u64) -> Array1<F> {
        let mut theta = self.generator.init(seed).to_vec();
        theta.extend(self.critic.init(seed ^ 0x00c4_171c));
        Array1::from_vec(theta)
    }

    /// Where the generator's parameters are in `theta`: what [`Alternating`](crate::integrate::Alternating) players,
    /// a [`Clamped`](crate::integrate::Clamped) critic and the like are told.
    ///
    /// ```
    /// use flowfield::{Flow, dataset::eight_gaussians, game::{Gan, Penalty}, nn::Mlp};
    /// use flowfield::integrate::{Adam, Alternating, Player};
    /// let data = eight_gaussians::<f32>(1_000, 2.0, 0.05, 0);
    /// let (generator, critic) = (Mlp::new(2, &[32, 32], 2), Mlp::new(2, &[32, 32], 1));
    /// let game = Gan::new(&generator, &critic, &data, 64).penalty(Penalty::reflow());
    /// let adam = || Adam::default().betas(0.5, 0.9);
    /// let turns = Alternating::new([
    ///     Player::new(game.critic(), adam()).turns(5),         // five critic steps,
    ///     Player::new(game.generator(), adam()),               // each on its own minibatch, then one of the generator
    /// ]);
    /// let mut theta = game.init(0);
    /// Flow::new(game, turns).steps(6 * 10, 1e-3, &mut theta)?;
    /// # Ok::<(), flowfield::Error>(())
    /// ```
    pub fn generator(&self) -> Range<usize> {
        0..self.generator.n_params()
    }

    /// Where the critic's parameters are in `theta`.
    pub fn critic(&self) -> Range<usize> {
        let n = self.generator.n_params();
        n..n + self.critic.n_params()
    }

    /// The generator's part of `theta`.
    pub fn generator_part(&self, theta: &Array1<F>) -> Array1<F> {
        theta.slice(s![..self.generator.n_params().min(theta.len())]).to_owned()
    }

    /// The critic's part of `theta`.
    pub fn critic_part(&self, theta: &Array1<F>) -> Array1<F> {
        theta.slice(s![self.generator.n_params().min(theta.len())..]).to_owned()
    }

    fn draw(&mut self) {
        let (batch, d) = (self.batch, self.data.ncols());
        let sizes = [self.generator.n_params(), self.critic.n_params()];
        let work = self.work.get_or_insert_with(|| Work {
            generator: self.generator.tape(batch),
            critic: self.critic.tape(batch),
            rows: Minibatch::new(batch, self.generator.inputs(), d),
            d: Array2::zeros((batch, 1)),
            dbar: Array2::zeros((batch, 1)),
            slope: Array2::zeros((batch, d)),
            memory: self.rules.regulariser.map(|_| Memory::new(batch, d, sizes)),
        });
        work.rows.draw(self.data, Rng::new(self.seed, self.step));
        self.step += 1;
    }

    /// The field of the players asked for (generator, critic); the other's half is scratch.
    fn field(
        &mut self,
        theta: &Array1<F>,
        dtheta: &mut Array1<F>,
        (generator, critic): (bool, bool),
    ) -> Result<()> {
        let Some(work) = &mut self.work else { return Ok(()) };
        let n = self.generator.n_params();
        let (generator_theta, critic_theta) = theta.view().split_at(Axis(0), n);
        let (mut p, mut q) = dtheta.view_mut().split_at(Axis(0), n);
        let mut evaluation = Evaluation {
            generator: self.generator,
            critic: self.critic,
            generator_theta: &generator_theta,
            critic_theta: &critic_theta,
            rules: &self.rules,
            work,
            objectives: [F::zero(); 2],
        };
        evaluation.run(&mut p, &mut q, (generator, critic))?;
        let objectives = evaluation.objectives;
        for (player, (mut half, wanted)) in [(p, generator), (q, critic)].into_iter().enumerate() {
            let rate = F::of(self.rates[player]);
            if wanted {
                half.iter_mut().for_each(|v| *v *= rate);
                self.losses[player] = -objectives[player];
            }
        }
        Ok(())
    }

    fn check_all(&self) -> Result<()> {
        self.generator.check()?;
        self.critic.check()?;
        let (rows, d) = self.data.dim();
        if rows == 0 || d == 0 {
            return Err(Error::Empty { what: "the data" });
        }
        Error::setting(self.batch > 0, "the batch size", self.batch as f64, "it must be at least 1")?;
        if self.batch > rows {
            return Err(Error::BatchTooLarge { batch: self.batch, rows });
        }
        Error::shape("the generator's output", &[self.batch, d], &[self.batch, self.generator.outputs()])?;
        Error::shape("the critic's input", &[self.batch, d], &[self.batch, self.critic.inputs()])?;
        Error::shape("the critic's output", &[self.batch, 1], &[self.batch, self.critic.outputs()])?;
        for (what, rate) in [("the generator's rate", self.rates[0]), ("the critic's rate", self.rates[1])] {
            let good = rate >= 0.0 && rate.is_finite();
            Error::setting(good, what, rate, "it must be 0 or positive, and finite")?;
        }
        check_rows("the data", self.data)?;
        self.rules.check()
    }
}

impl Rules {
    fn check(&self) -> Result<()> {
        let penalties = || self.penalties.iter().flatten();
        penalties().try_for_each(Penalty::check)?;
        let endpoint = self.estimator == Estimator::Endpoint;
        let inside = penalties().all(|p| p.points == PenaltyPoints::Interpolates);
        if !endpoint && (self.loss != GanLoss::Wasserstein || !inside) {
            return Err(Error::Unsupported {
                what: "the line estimator",
                with: "this loss or penalty",
                instead: "take GanLoss::Wasserstein and penalties on interpolates, or Estimator::Endpoint",
            });
        }
        self.regulariser.map_or(Ok(()), |r| r.check(penalties().next().is_some(), endpoint))
    }
}

impl<G: Network<F>, C: Network<F>, F: Real> VectorField<Array1<F>> for Gan<'_, G, C, F> {
    fn eval(&mut self, _t: F, theta: &Array1<F>, dtheta: &mut Array1<F>) {
        if self.work.is_none() {
            self.draw();
        }
        // Shapes were checked on entry; a custom network that fails all the same is seen as divergence.
        if self.field(theta, dtheta, (true, true)).is_err() {
            dtheta.fill(F::nan());
        }
    }

    fn eval_part(&mut self, part: Range<usize>, _t: F, theta: &Array1<F>, dtheta: &mut Array1<F>) {
        if self.work.is_none() {
            self.draw();
        }
        let n = self.generator.n_params();
        if self.field(theta, dtheta, (part.start < n, part.end > n)).is_err() {
            dtheta.fill(F::nan());
        }
    }

    fn redraw(&mut self) -> bool {
        self.draw();
        true
    }

    fn check(&self, theta: &Array1<F>) -> Result<()> {
        if !self.checked.get() {
            self.check_all()?;
            self.checked.set(true);
        }
        Error::shape("theta", &[self.generator.n_params() + self.critic.n_params()], theta.shape())
    }
}

impl<G: Network<F>, C: Network<F>, F: Real> ParameterFlow<F> for Gan<'_, G, C, F> {
    /// Generator's and critic's.
    fn losses(&self) -> &[F] {
        &self.losses
    }
}

impl<G: Network<F>, C: Network<F>, F: Real> fmt::Debug for Gan<'_, G, C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gan")
            .field("data", &self.data.shape())
            .field("batch", &self.batch)
            .field("rules", &self.rules)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}
