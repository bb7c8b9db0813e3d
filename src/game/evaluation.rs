//! One evaluation of a game's field: each player's half, from the minibatch in hand.

use ndarray::{Array2, ArrayRef1};

use super::gan::Rules;
use super::minibatch::Minibatch;
use super::penalty::{Penalty, PenaltyPoints};
use super::regulariser::{Memory, Regulariser};
use crate::nn::Network;
use crate::{Real, Result};

/// The minibatch and the workspace for it.
pub(super) struct Work<G, C, F> {
    pub generator: G,
    pub critic: C,
    pub rows: Minibatch<F>,
    /// Critic outputs, cotangents of them, and the slopes that move the samples.
    pub d: Array2<F>,
    pub dbar: Array2<F>,
    pub slope: Array2<F>,
    pub memory: Option<Memory<F>>,
}

/// Networks, parameters and settings of an evaluation. Everything in it is an ascent: of the critic's objective, of the generator's.
pub(super) struct Evaluation<'e, G: Network<F>, C: Network<F>, F: Real> {
    pub generator: &'e G,
    pub critic: &'e C,
    pub generator_theta: &'e ArrayRef1<F>,
    pub critic_theta: &'e ArrayRef1<F>,
    pub rules: &'e Rules,
    pub work: &'e mut Work<G::Tape, C::Tape, F>,
    /// What generator and critic ascend, as far as it has been evaluated.
    pub objectives: [F; 2],
}

/// How the critic's objective is estimated from real rows `x₁`, generated rows `x₀` and points `x_t` between them.
///
/// For the Wasserstein objective both have the same mean, because `D(x₁) - D(x₀) = ∫ <∇D(x_t), x₁ - x₀> dt` along every segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Estimator {
    /// `E D(x₁) - E D(x₀)` from the ends: the form of the Wasserstein GAN, and of every other loss.
    #[default]
    Endpoint,
    /// `E <∇D(x_t), x₁ - x₀>` from one point inside each segment: the form of rectified flow, whose loss of the velocity `∇D`
    /// it is with [`Penalty::reflow`]. Half the work, more variance. Wasserstein loss, penalty on interpolates.
    Line,
}

impl<G: Network<F>, C: Network<F>, F: Real> Evaluation<'_, G, C, F> {
    /// Writes the fields `p` of the generator and `q` of the critic, as far as they are wanted; the rest is scratch.
    pub fn run(&mut self, p: &mut ArrayRef1<F>, q: &mut ArrayRef1<F>, wanted: (bool, bool)) -> Result<()> {
        let (generator, critic) = match self.rules.regulariser {
            Some(Regulariser::Consensus(_)) => (true, true),
            Some(Regulariser::OdeGan(_)) => (wanted.0 || wanted.1, wanted.1),
            None => wanted,
        };
        let ends = critic && self.rules.estimator == Estimator::Endpoint;
        p.fill(F::zero());
        if ends {
            self.on_reals(q)?
        } else {
            q.fill(F::zero())
        }
        self.on_fakes(generator.then_some(&mut *p), ends.then_some(&mut *q))?;
        match self.rules.regulariser {
            Some(Regulariser::OdeGan(lambda)) if critic => self.restrain_critic(F::of(lambda), p, q)?,
            Some(Regulariser::Consensus(gamma)) => self.consent(F::of(gamma), p, q)?,
            _ => {}
        }
        if !critic {
            return Ok(());
        }
        let mut along = !ends;
        for penalty in self.rules.penalties.into_iter().flatten() {
            self.on_slopes(Some(penalty), std::mem::take(&mut along), q)?;
        }
        if along { self.on_slopes(None, true, q) } else { Ok(()) }
    }

    /// Generated rows, and the critic on them: moves the generator by the weighted slopes, and adds the critic's part.
    fn on_fakes(
        &mut self,
        generator_field: Option<&mut ArrayRef1<F>>,
        critic_field: Option<&mut ArrayRef1<F>>,
    ) -> Result<()> {
        let (loss, theta) = (self.rules.loss, self.critic_theta);
        let Work { generator, critic, rows, d, dbar, slope, .. } = &mut *self.work;
        self.generator.forward(self.generator_theta, &rows.noise, &mut rows.fake, generator)?;
        if generator_field.is_none() && critic_field.is_none() {
            return Ok(());
        }
        self.critic.forward(theta, &rows.fake, d, critic)?;
        // Where one player's gain is the other's loss, one pass back serves both.
        let shared = loss.is_zero_sum() && generator_field.is_some();
        if let Some(field) = critic_field {
            self.objectives[1] += weigh(d, dbar, |d| loss.on_fake(d));
            self.critic.vjp(theta, dbar, Some(field), shared.then_some(&mut *slope), critic)?;
            if shared {
                self.objectives[0] = weigh(d, dbar, |d| loss.for_generator(d));
                slope.mapv_inplace(|v| -v);
                return self.pull(generator_field);
            }
        }
        if generator_field.is_some() {
            self.objectives[0] = weigh(d, dbar, |d| loss.for_generator(d));
            self.critic.vjp(theta, dbar, None, Some(slope), critic)?;
        }
        self.pull(generator_field)
    }

    /// Pulls the samples' velocities back to the generator's parameters.
    fn pull(&mut self, field: Option<&mut ArrayRef1<F>>) -> Result<()> {
        let Some(field) = field else { return Ok(()) };
        let work = &mut *self.work;
        self.generator.vjp(self.generator_theta, &work.slope, Some(field), None, &mut work.generator)
    }

    /// The critic on real rows; overwrites the field.
    fn on_reals(&mut self, field: &mut ArrayRef1<F>) -> Result<()> {
        let (loss, work) = (self.rules.loss, &mut *self.work);
        let scale = F::of(1.0 / work.d.len() as f64);
        let part = |_: usize, d: &[F], dbar: &mut [F]| {
            let jets = d.iter().zip(dbar).map(|(&d, bar)| {
                let [value, slope, _] = loss.on_real(d);
                *bar = slope * scale;
                value * scale
            });
            jets.fold(F::zero(), |sum, v| sum + v)
        };
        let value =
            self.critic.loss_gradient(self.critic_theta, &work.rows.real, part, field, &mut work.critic)?;
        self.objectives[1] += value;
        Ok(())
    }

    /// The critic's slopes: minus their penalty, plus, if asked for, their component along the segment.
    fn on_slopes(&mut self, penalty: Option<Penalty>, along: bool, field: &mut ArrayRef1<F>) -> Result<()> {
        let work = &mut *self.work;
        work.rows.place(penalty.map_or(PenaltyPoints::Interpolates, |p| p.points));
        let Minibatch { real, fake, points, .. } = &work.rows;
        let (width, scale) = (points.ncols(), F::of(1.0 / points.nrows() as f64));
        let (real, fake) = (real.as_slice().unwrap_or_default(), fake.as_slice().unwrap_or_default());
        let part = |first: usize, v: &[F], vbar: &mut [F]| {
            let mut sum = F::zero();
            for (i, (v, bar)) in v.chunks_exact(width).zip(vbar.chunks_exact_mut(width)).enumerate() {
                bar.fill(F::zero());
                sum -= F::of(penalty.map_or(0.0, |p| p.differentiate(v, bar)));
                bar.iter_mut().for_each(|bar| *bar = -*bar);
                if along {
                    let row = (first + i) * width..(first + i + 1) * width;
                    for (k, (&real, &fake)) in real[row.clone()].iter().zip(&fake[row]).enumerate() {
                        sum += v[k] * (real - fake);
                        bar[k] += real - fake;
                    }
                }
                bar.iter_mut().for_each(|bar| *bar *= scale);
            }
            sum * scale
        };
        let value = self.critic.slope_gradient(self.critic_theta, points, part, field, &mut work.critic)?;
        self.objectives[1] += value;
        Ok(())
    }
}

/// Mean of a function of the critic's outputs; writes its derivatives.
pub(super) fn weigh<F: Real>(d: &Array2<F>, dbar: &mut Array2<F>, part: impl Fn(F) -> [F; 3]) -> F {
    let scale = F::of(1.0 / d.len() as f64);
    let mut sum = F::zero();
    for (&d, bar) in d.iter().zip(dbar.iter_mut()) {
        let [value, slope, _] = part(d);
        sum += value;
        *bar = slope * scale;
    }
    sum * scale
}
