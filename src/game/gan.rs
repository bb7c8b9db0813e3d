//! A GAN as a vector field in parameter space.

use std::cell::Cell;
use std::fmt;

use ndarray::{Array1, Array2, Axis, s};

use super::loss::GanLoss;
use super::penalty::{Penalty, PenaltyPoints};
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
/// step and kept between its stages.
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
    loss: GanLoss,
    penalty: Option<Penalty>,
    /// Time scales of generator and critic.
    rates: [f64; 2],
    seed: u64,
    step: u64,
    checked: Cell<bool>,
    work: Option<Work<G::Tape, C::Tape, F>>,
    losses: [F; 2],
}

/// The minibatch and the workspace for it.
struct Work<G, C, F> {
    generator: G,
    critic: C,
    noise: Array2<F>,
    real: Array2<F>,
    fake: Array2<F>,
    points: Array2<F>,
    /// Mixing weights of the interpolation points.
    mix: Vec<F>,
    /// Critic outputs, cotangents of them, and row gradients.
    d: Array2<F>,
    dbar: Array2<F>,
    slope: Array2<F>,
}

impl<'a, G: Network<F>, C: Network<F>, F: Real> Gan<'a, G, C, F> {
    /// The game of `generator` (noise to data space) against `critic` (data space to one number) on the rows of `data`.
    pub fn new(generator: &'a G, critic: &'a C, data: &'a Array2<F>, batch: usize) -> Self {
        Gan {
            generator,
            critic,
            data,
            batch,
            loss: GanLoss::default(),
            penalty: None,
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
        self.loss = loss;
        self
    }

    /// A penalty on the critic's slope (default: none).
    #[must_use]
    pub fn penalty(mut self, penalty: Penalty) -> Self {
        self.penalty = Some(penalty);
        self
    }

    /// Time scales of the two players (default 1 and 1): how fast each moves along its own descent.
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
        let work = self.work.get_or_insert_with(|| Work {
            generator: self.generator.tape(batch),
            critic: self.critic.tape(batch),
            noise: Array2::zeros((batch, self.generator.inputs())),
            real: Array2::zeros((batch, d)),
            fake: Array2::zeros((batch, d)),
            points: Array2::zeros((batch, d)),
            mix: vec![F::zero(); batch],
            d: Array2::zeros((batch, 1)),
            dbar: Array2::zeros((batch, 1)),
            slope: Array2::zeros((batch, d)),
        });
        let mut rng = Rng::new(self.seed, self.step);
        self.step += 1;
        for mut row in work.real.rows_mut() {
            row.assign(&self.data.row(rng.below(self.data.nrows())));
        }
        work.noise.iter_mut().for_each(|z| *z = rng.normal());
        work.mix.iter_mut().for_each(|u| *u = rng.uniform());
    }

    fn field(&mut self, theta: &Array1<F>, dtheta: &mut Array1<F>) -> Result<()> {
        let Some(work) = &mut self.work else { return Ok(()) };
        let n = self.generator.n_params();
        let (gen_theta, critic_theta) = theta.view().split_at(Axis(0), n);
        dtheta.fill(F::zero());
        let (mut gen_field, mut critic_field) = dtheta.view_mut().split_at(Axis(0), n);
        let loss = self.loss;
        self.generator.forward(&gen_theta, &work.noise, &mut work.fake, &mut work.generator)?;

        // Generated rows: the weighted slope moves the generator, the objective's derivative the critic.
        self.critic.forward(&critic_theta, &work.fake, &mut work.d, &mut work.critic)?;
        let of_generator = weigh(&work.d, &mut work.dbar, |d| loss.for_generator(d));
        self.critic.vjp(&critic_theta, &work.dbar, None, Some(&mut work.slope), &mut work.critic)?;
        self.generator.vjp(&gen_theta, &work.slope, Some(&mut gen_field), None, &mut work.generator)?;
        let on_fake = weigh(&work.d, &mut work.dbar, |d| loss.on_fake(d));
        self.critic.vjp(&critic_theta, &work.dbar, Some(&mut critic_field), None, &mut work.critic)?;

        self.critic.forward(&critic_theta, &work.real, &mut work.d, &mut work.critic)?;
        let on_real = weigh(&work.d, &mut work.dbar, |d| loss.on_real(d));
        self.critic.vjp(&critic_theta, &work.dbar, Some(&mut critic_field), None, &mut work.critic)?;

        let mut penalised = F::zero();
        if let Some(penalty) = self.penalty {
            work.place(penalty.points);
            self.critic.forward(&critic_theta, &work.points, &mut work.d, &mut work.critic)?;
            work.dbar.fill(F::one());
            self.critic.vjp(&critic_theta, &work.dbar, None, Some(&mut work.slope), &mut work.critic)?;
            let scale = 1.0 / self.batch as f64;
            let rows = work.slope.rows_mut().into_iter().filter_map(|r| r.into_slice());
            let sum: f64 = rows.map(|g| penalty.differentiate(g, -scale)).sum();
            penalised = F::of(sum * scale);
            // Reverse over forward: the derivative of -φ(|∇D|) with respect to the critic's parameters.
            let field = Some(&mut *critic_field);
            self.critic.vjp_of_jvp(&critic_theta, &work.dbar, &work.slope, field, None, &mut work.critic)?;
        }
        let rates = self.rates.map(F::of);
        gen_field.iter_mut().for_each(|v| *v *= rates[0]);
        critic_field.iter_mut().for_each(|v| *v *= rates[1]);
        self.losses = [-of_generator, penalised - on_real - on_fake];
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
            Error::setting(
                rate >= 0.0 && rate.is_finite(),
                what,
                rate,
                "it must be 0 or positive, and finite",
            )?;
        }
        check_rows("the data", self.data)?;
        self.penalty.map_or(Ok(()), |p| p.check())
    }
}

impl<G, C, F: Real> Work<G, C, F> {
    /// Writes the rows at which the slope is penalised.
    fn place(&mut self, at: PenaltyPoints) {
        match at {
            PenaltyPoints::Real => self.points.assign(&self.real),
            PenaltyPoints::Fake => self.points.assign(&self.fake),
            PenaltyPoints::Interpolates => {
                let rows = self.points.rows_mut().into_iter().zip(self.real.rows()).zip(self.fake.rows());
                for (((mut p, real), fake), &u) in rows.zip(&self.mix) {
                    p.iter_mut().zip(real.iter().zip(fake)).for_each(|(p, (&r, &f))| *p = f + u * (r - f));
                }
            }
        }
    }
}

/// Mean of a function of the critic's outputs; writes its derivatives.
fn weigh<F: Real>(d: &Array2<F>, dbar: &mut Array2<F>, part: impl Fn(F) -> (F, F)) -> F {
    let scale = F::of(1.0 / d.len() as f64);
    let mut sum = F::zero();
    for (&d, bar) in d.iter().zip(dbar.iter_mut()) {
        let (value, slope) = part(d);
        sum += value;
        *bar = slope * scale;
    }
    sum * scale
}

impl<G: Network<F>, C: Network<F>, F: Real> VectorField<Array1<F>> for Gan<'_, G, C, F> {
    fn eval(&mut self, _t: F, theta: &Array1<F>, dtheta: &mut Array1<F>) {
        if self.work.is_none() {
            self.draw();
        }
        // Shapes were checked on entry; a custom network that fails all the same is seen as divergence.
        if self.field(theta, dtheta).is_err() {
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
            .field("loss", &self.loss)
            .field("penalty", &self.penalty)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}
