//! Flows of samples, pulled back through a generator to its parameters or to its latents.

use std::fmt;

use ndarray::{Array1, Array2, ArrayRef1};

use crate::nn::Network;
use crate::rng::Rng;
use crate::{Error, Real, Result, VectorField};

/// A flow of samples as a flow of a generator's parameters: for a field `v` on rows,
///
/// ```text
/// d(theta)/ds = E_z[(∂g/∂theta)ᵀ v(s, g(z; theta))]
/// ```
///
/// One Euler step of it is what moving the samples by `h v` and refitting the generator by a gradient step on least squares
/// does. With [`DiscriminatorFlow`](super::DiscriminatorFlow) it is the update of a GAN's generator against a frozen critic.
///
/// The field must be one whose own flow takes the samples to the data, such as the gradient of a potential that does not
/// depend on time. The velocity network of a rectified flow does not do: between independent pairs its value at time 0 is
/// `E[x₁] - x`, and a generator moved along it collapses to the mean of the data.
///
/// ```
/// use flowfield::{Flow, field, game::PullBack, integrate::Euler, nn::{Mlp, Network}};
/// use ndarray::Array2;
/// let generator = Mlp::new(2, &[16], 2);
/// let mut theta = generator.init(0);
/// let homewards = field(|_t, x: &Array2<f32>, v: &mut Array2<f32>| v.assign(&x.mapv(|x| 3.0 - x)));
/// Flow::new(PullBack::new(&generator, homewards, 64), Euler::new()).steps(10, 0.05, &mut theta)?;
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct PullBack<'a, G: Network<F>, V, F: Real> {
    generator: &'a G,
    field: V,
    batch: usize,
    noise: Option<&'a Array2<F>>,
    seed: u64,
    step: u64,
    work: Option<Work<G::Tape, F>>,
}

struct Work<T, F> {
    tape: T,
    noise: Array2<F>,
    x: Array2<F>,
    v: Array2<F>,
}

impl<T, F: Real> Work<T, F> {
    fn new<G: Network<F, Tape = T>>(generator: &G, rows: usize) -> Self {
        let x = Array2::zeros((rows, generator.outputs()));
        let noise = Array2::zeros((rows, generator.inputs()));
        Work { tape: generator.tape(rows), noise, v: x.clone(), x }
    }

    /// The cotangents `v(t, g(z))` of the generator's outputs, scaled.
    fn velocities<G, V>(
        &mut self,
        generator: &G,
        theta: &ArrayRef1<F>,
        field: &mut V,
        t: F,
        scale: F,
    ) -> Result<()>
    where
        G: Network<F, Tape = T>,
        V: VectorField<Array2<F>>,
    {
        generator.forward(theta, &self.noise, &mut self.x, &mut self.tape)?;
        field.eval(t, &self.x, &mut self.v);
        self.v.mapv_inplace(|v| v * scale);
        Ok(())
    }
}

impl<'a, G: Network<F>, V, F: Real> PullBack<'a, G, V, F> {
    /// Moves `generator` so that its samples follow `field`, with `batch` normal latents drawn anew before each step.
    pub fn new(generator: &'a G, field: V, batch: usize) -> Self {
        PullBack { generator, field, batch, noise: None, seed: 0, step: 0, work: None }
    }

    /// These latents instead, the same at every step.
    #[must_use]
    pub fn latents(mut self, noise: &'a Array2<F>) -> Self {
        (self.noise, self.batch) = (Some(noise), noise.nrows());
        self
    }

    /// The seed of the latents (default 0).
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    fn draw(&mut self) {
        let work = self.work.get_or_insert_with(|| Work::new(self.generator, self.batch));
        match self.noise {
            Some(noise) => work.noise.assign(noise),
            None => {
                let mut rng = Rng::new(self.seed, self.step);
                work.noise.iter_mut().for_each(|z| *z = rng.normal());
                self.step += 1;
            }
        }
    }
}

impl<G: Network<F>, V: VectorField<Array2<F>>, F: Real> PullBack<'_, G, V, F> {
    fn run(&mut self, t: F, theta: &Array1<F>, dtheta: &mut Array1<F>) -> Result<()> {
        let Some(work) = &mut self.work else { return Ok(()) };
        let scale = F::of(1.0 / self.batch as f64);
        work.velocities(self.generator, theta, &mut self.field, t, scale)?;
        dtheta.fill(F::zero());
        self.generator.vjp(theta, &work.v, Some(dtheta), None, &mut work.tape)
    }
}

impl<G: Network<F>, V: VectorField<Array2<F>>, F: Real> VectorField<Array1<F>> for PullBack<'_, G, V, F> {
    fn eval(&mut self, t: F, theta: &Array1<F>, dtheta: &mut Array1<F>) {
        if self.work.is_none() {
            self.draw();
        }
        if self.run(t, theta, dtheta).is_err() {
            dtheta.fill(F::nan());
        }
    }

    fn redraw(&mut self) -> bool {
        let jumped = self.field.redraw();
        if self.work.is_none() || self.noise.is_none() {
            self.draw();
        }
        jumped || self.noise.is_none()
    }

    fn check(&self, theta: &Array1<F>) -> Result<()> {
        self.generator.check()?;
        Error::setting(self.batch > 0, "the batch size", self.batch as f64, "it must be at least 1")?;
        if let Some(noise) = self.noise {
            Error::shape("the latents", &[self.batch, self.generator.inputs()], noise.shape())?;
        }
        Error::shape("theta", &[self.generator.n_params()], theta.shape())?;
        match &self.work {
            Some(work) => self.field.check(&work.x),
            None => self.field.check(&Array2::zeros((self.batch, self.generator.outputs()))),
        }
    }
}

impl<G: Network<F>, V: fmt::Debug, F: Real> fmt::Debug for PullBack<'_, G, V, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PullBack")
            .field("field", &self.field)
            .field("batch", &self.batch)
            .finish_non_exhaustive()
    }
}

/// A flow of samples as a flow of a frozen generator's latents `z`: `dz/ds = (∂g/∂z)ᵀ v(s, g(z))`.
///
/// Refines samples within what the generator can make (Ansari, Ang, Soh, *Refining deep generative models via discriminator gradient flow*,
/// ICLR 2021, section 3.3, which adds noise: a stochastic integrator's part).
///
/// ```
/// use flowfield::{Flow, game::{DiscriminatorFlow, LatentFlow}, integrate::Euler, nn::{Mlp, Network}};
/// let (generator, critic) = (Mlp::new(3, &[16], 2), Mlp::new(2, &[16], 1));
/// let (phi, psi) = (generator.init(0), critic.init(1));
/// let mut z = flowfield::dataset::normal::<f32>((100, 3), 0);
/// let flow = LatentFlow::new(&generator, &phi, DiscriminatorFlow::new(&critic, &psi));
/// Flow::new(flow, Euler::new()).steps(10, 0.1, &mut z)?;
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct LatentFlow<'a, G: Network<F>, V, F: Real> {
    generator: &'a G,
    theta: &'a ArrayRef1<F>,
    field: V,
    work: Option<Work<G::Tape, F>>,
}

impl<'a, G: Network<F>, V, F: Real> LatentFlow<'a, G, V, F> {
    /// Moves latents so that the samples of `generator` follow `field`.
    pub fn new(generator: &'a G, theta: &'a ArrayRef1<F>, field: V) -> Self {
        LatentFlow { generator, theta, field, work: None }
    }
}

impl<G: Network<F>, V: VectorField<Array2<F>>, F: Real> LatentFlow<'_, G, V, F> {
    fn run(&mut self, t: F, z: &Array2<F>, dz: &mut Array2<F>) -> Result<()> {
        if self.work.as_ref().is_none_or(|w| w.noise.nrows() != z.nrows()) {
            self.work = Some(Work::new(self.generator, z.nrows()));
        }
        let Some(work) = &mut self.work else { return Ok(()) };
        work.noise.assign(z);
        work.velocities(self.generator, self.theta, &mut self.field, t, F::one())?;
        self.generator.vjp(self.theta, &work.v, None, Some(dz), &mut work.tape)
    }
}

impl<G: Network<F>, V: VectorField<Array2<F>>, F: Real> VectorField<Array2<F>> for LatentFlow<'_, G, V, F> {
    /// Allocates at the first call for a number of rows.
    fn eval(&mut self, t: F, z: &Array2<F>, dz: &mut Array2<F>) {
        if self.run(t, z, dz).is_err() {
            dz.fill(F::nan());
        }
    }

    fn redraw(&mut self) -> bool {
        self.field.redraw()
    }

    fn check(&self, z: &Array2<F>) -> Result<()> {
        self.generator.check()?;
        Error::shape("the generator's theta", &[self.generator.n_params()], self.theta.shape())?;
        Error::shape("z", &[z.nrows(), self.generator.inputs()], z.shape())?;
        match &self.work {
            Some(work) if work.x.nrows() == z.nrows() => self.field.check(&work.x),
            _ => self.field.check(&Array2::zeros((z.nrows(), self.generator.outputs()))),
        }
    }
}

impl<G: Network<F>, V: fmt::Debug, F: Real> fmt::Debug for LatentFlow<'_, G, V, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LatentFlow").field("field", &self.field).finish_non_exhaustive()
    }
}
