//! Samples moved by a critic.

use ndarray::{Array2, ArrayRef1};

use super::GanLoss;
use crate::nn::Network;
use crate::{Error, Real, Result, VectorField};

/// The particle flow of a frozen critic on rows `x`: `dx/ds = w(D(x)) ∇D(x)`, with the weight `w` of the loss it was trained for.
///
/// A generator's own flow is this one [pulled back](super::PullBack) to its parameters; after training it refines samples (Ansari,
/// Ang, Soh, *Refining deep generative models via discriminator gradient flow*, ICLR 2021; Yi, Zhu, Xu, *MonoFlow*, ICML 2023). A
/// critic trained with [`Penalty::reflow`](super::Penalty::reflow) is the potential of a flow of unit time.
///
/// ```
/// use flowfield::{Flow, game::DiscriminatorFlow, integrate::Rk4, nn::{Mlp, Network}};
/// let critic = Mlp::new(2, &[16], 1);
/// let theta = critic.init(0);
/// let mut x = flowfield::dataset::normal::<f32>((100, 2), 0);
/// Flow::new(DiscriminatorFlow::new(&critic, &theta), Rk4::new()).steps(10, 0.1, &mut x)?;
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug)]
pub struct DiscriminatorFlow<'a, F: Real, C: Network<F>> {
    critic: &'a C,
    theta: &'a ArrayRef1<F>,
    loss: GanLoss,
    scratch: Option<Scratch<F, C::Tape>>,
}

#[derive(Debug)]
struct Scratch<F, T> {
    tape: T,
    d: Array2<F>,
}

impl<'a, F: Real, C: Network<F>> DiscriminatorFlow<'a, F, C> {
    /// Rows along `∇D` of this critic.
    pub fn new(critic: &'a C, theta: &'a ArrayRef1<F>) -> Self {
        DiscriminatorFlow { critic, theta, loss: GanLoss::Wasserstein, scratch: None }
    }

    /// The loss the critic was trained for (default: Wasserstein, of weight 1).
    #[must_use]
    pub fn loss(mut self, loss: GanLoss) -> Self {
        self.loss = loss;
        self
    }

    fn run(&mut self, x: &Array2<F>, dx: &mut Array2<F>) -> Result<()> {
        if self.scratch.as_ref().is_none_or(|s| s.d.nrows() != x.nrows()) {
            let d = Array2::zeros((x.nrows(), 1));
            self.scratch = Some(Scratch { tape: self.critic.tape(x.nrows()), d });
        }
        let Some(Scratch { tape, d }) = &mut self.scratch else { return Ok(()) };
        self.critic.forward(self.theta, x, d, tape)?;
        d.mapv_inplace(|d| self.loss.for_generator(d)[1]);
        self.critic.vjp(self.theta, d, None, Some(dx), tape)
    }
}

impl<F: Real, C: Network<F>> VectorField<Array2<F>> for DiscriminatorFlow<'_, F, C> {
    /// Allocates at the first call for a number of rows.
    fn eval(&mut self, _t: F, x: &Array2<F>, dx: &mut Array2<F>) {
        if self.run(x, dx).is_err() {
            dx.fill(F::nan());
        }
    }

    fn check(&self, x: &Array2<F>) -> Result<()> {
        self.critic.check()?;
        Error::shape("the critic's theta", &[self.critic.n_params()], self.theta.shape())?;
        Error::shape("the critic's output", &[x.nrows(), 1], &[x.nrows(), self.critic.outputs()])?;
        Error::shape("x", &[x.nrows(), self.critic.inputs()], x.shape())
    }
}
