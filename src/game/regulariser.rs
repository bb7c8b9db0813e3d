//! Regularisers that look at the players' gradients rather than at the critic's slopes.

use ndarray::{Array1, Array2, ArrayRef1};

use super::evaluation::{Evaluation, Work};
use crate::nn::Network;
use crate::{Error, Real, Result};

/// A norm of the game's own field that players also go down.
///
/// ```
/// use flowfield::game::Regulariser;
/// assert_eq!(Regulariser::OdeGan(0.07), Regulariser::OdeGan(0.07));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Regulariser {
    /// The critic goes down `λ |∂L_G/∂generator|²` (Qin et al., *Training generative adversarial networks by solving
    /// ordinary differential equations*, NeurIPS 2020, section 3.3).
    OdeGan(f64),
    /// Both players go down `γ |F|²/2`, `F` the whole field without rates (Mescheder, Nowozin, Geiger, *The numerics of GANs*,
    /// NeurIPS 2017, equation 13). Not with a penalty, whose share would need third derivatives, nor with
    /// [`Estimator::Line`](super::Estimator::Line).
    Consensus(f64),
}

impl Regulariser {
    pub(super) fn check(self, penalised: bool, endpoint: bool) -> Result<()> {
        let (what, weight) = match self {
            Regulariser::OdeGan(weight) => ("the weight of the ODE-GAN regulariser", weight),
            Regulariser::Consensus(weight) => ("the weight of the consensus regulariser", weight),
        };
        let good = weight >= 0.0 && weight.is_finite();
        Error::setting(good, what, weight, "it must be 0 or positive, and finite")?;
        if matches!(self, Regulariser::Consensus(_)) && (penalised || !endpoint) {
            return Err(Error::Unsupported {
                what: "the consensus regulariser",
                with: "a gradient penalty or the line estimator",
                instead: "take Regulariser::OdeGan, or leave one of them out",
            });
        }
        Ok(())
    }
}

/// Workspace of a regulariser.
#[derive(Debug)]
pub(super) struct Memory<F> {
    /// How the samples move as the generator does.
    dx: Array2<F>,
    /// How the critic's outputs move, with the samples and with its own parameters.
    moved: [Array2<F>; 2],
    /// Cotangents of the samples, summed and of one part.
    xbar: [Array2<F>; 2],
    /// What is added to generator and critic.
    change: [Array1<F>; 2],
}

impl<F: Real> Memory<F> {
    pub fn new(batch: usize, d: usize, n: [usize; 2]) -> Self {
        let (column, rows) = (Array2::zeros((batch, 1)), Array2::zeros((batch, d)));
        Memory {
            dx: rows.clone(),
            moved: [column.clone(), column],
            xbar: [rows.clone(), rows],
            change: n.map(Array1::zeros),
        }
    }
}

/// Writes `part(d, tangents) / rows` for each row.
fn weights<F: Real>(
    d: &Array2<F>,
    moved: &[Array2<F>; 2],
    dbar: &mut Array2<F>,
    part: impl Fn(F, F, F) -> F,
) {
    let scale = F::of(1.0 / d.len() as f64);
    let rows = d.iter().zip(moved[0].iter().zip(&moved[1]));
    for ((&d, (&by_x, &by_theta)), bar) in rows.zip(dbar.iter_mut()) {
        *bar = scale * part(d, by_x, by_theta);
    }
}

impl<G: Network<F>, C: Network<F>, F: Real> Evaluation<'_, G, C, F> {
    /// Adds to the critic's field `-λ ∂|p|²/∂critic` for the generator's field `p = E[Jᵀ w(D) ∇D]`, after
    /// [`on_fakes`](Self::on_fakes): `|p|² = E[w(D) Ḋ]` with `Ḋ = <∇D, J p>`, `p` and `J p` held fixed for one of its factors.
    pub fn restrain_critic(&mut self, lambda: F, p: &ArrayRef1<F>, field: &mut ArrayRef1<F>) -> Result<()> {
        let (loss, theta) = (self.rules.loss, self.critic_theta);
        let Work { generator, critic, d, dbar, memory: Some(memory), .. } = &mut *self.work else {
            return Ok(());
        };
        let Memory { dx, moved, .. } = memory;
        self.generator.jvp(self.generator_theta, Some(p), None, dx, generator)?;
        self.critic.jvp(theta, None, Some(dx), &mut moved[0], critic)?;
        let twice = F::of(-2.0) * lambda;
        weights(d, moved, dbar, |d, by_x, _| twice * loss.for_generator(d)[2] * by_x);
        self.critic.vjp(theta, dbar, Some(field), None, critic)?;
        weights(d, moved, dbar, |d, _, _| twice * loss.for_generator(d)[1]);
        self.critic.vjp_of_jvp(theta, dbar, dx, Some(field), None, critic)
    }

    /// Adds `-γ ∂(|p|² + |q|²)/2` for the fields `p` of the generator and `q` of the critic, after [`on_fakes`](Self::on_fakes).
    ///
    /// With `p` and `q` held fixed for one factor this is the gradient of `E[w(D) Ḋ]` along `p` and of the critic's
    /// objective's derivative along `q`.
    pub fn consent(&mut self, gamma: F, p: &mut ArrayRef1<F>, q: &mut ArrayRef1<F>) -> Result<()> {
        self.consent_on_fakes(p, q)?;
        self.consent_on_reals(q)?;
        let Some(memory) = &self.work.memory else { return Ok(()) };
        for (field, change) in [p, q].into_iter().zip(&memory.change) {
            field.zip_mut_with(change, |f, &c| *f -= gamma * c);
        }
        Ok(())
    }

    fn consent_on_fakes(&mut self, p: &ArrayRef1<F>, q: &ArrayRef1<F>) -> Result<()> {
        let (loss, theta, phi) = (self.rules.loss, self.critic_theta, self.generator_theta);
        let Work { generator, critic, rows, d, dbar, slope, memory: Some(memory), .. } = &mut *self.work
        else {
            return Ok(());
        };
        let Memory { dx, moved, xbar: [total, xbar], change: [of_generator, of_critic] } = memory;
        of_generator.fill(F::zero());
        of_critic.fill(F::zero());
        // The slopes w ∇D / n, with p held fixed in J p.
        let along = (Some(p), None);
        self.generator.vjp_of_tangent(phi, slope, along, Some(of_generator), None, generator)?;
        self.generator.jvp(phi, Some(p), None, dx, generator)?;
        self.critic.forward(theta, &rows.fake, d, critic)?;
        self.critic.jvp(theta, None, Some(dx), &mut moved[0], critic)?;
        self.critic.jvp(theta, Some(q), None, &mut moved[1], critic)?;
        weights(d, moved, dbar, |d, by_x, by_theta| {
            loss.for_generator(d)[2] * by_x + loss.on_fake(d)[2] * by_theta
        });
        self.critic.vjp(theta, dbar, Some(of_critic), Some(total), critic)?;
        weights(d, moved, dbar, |d, _, _| loss.for_generator(d)[1]);
        self.critic.vjp_of_tangent(theta, dbar, (None, Some(dx)), Some(of_critic), Some(xbar), critic)?;
        *total += &*xbar;
        weights(d, moved, dbar, |d, _, _| loss.on_fake(d)[1]);
        self.critic.vjp_of_tangent(theta, dbar, (Some(q), None), Some(of_critic), Some(xbar), critic)?;
        *total += &*xbar;
        self.generator.vjp(phi, total, Some(of_generator), None, generator)
    }

    fn consent_on_reals(&mut self, q: &ArrayRef1<F>) -> Result<()> {
        let (loss, theta) = (self.rules.loss, self.critic_theta);
        let Work { critic, rows, d, dbar, memory: Some(memory), .. } = &mut *self.work else { return Ok(()) };
        let Memory { moved, change: [_, of_critic], .. } = memory;
        self.critic.forward(theta, &rows.real, d, critic)?;
        self.critic.jvp(theta, Some(q), None, &mut moved[1], critic)?;
        weights(d, moved, dbar, |d, _, by_theta| loss.on_real(d)[2] * by_theta);
        self.critic.vjp(theta, dbar, Some(of_critic), None, critic)?;
        weights(d, moved, dbar, |d, _, _| loss.on_real(d)[1]);
        self.critic.vjp_of_tangent(theta, dbar, (Some(q), None), Some(of_critic), None, critic)
    }
}
