//! Weights divided by their largest singular value.

use ndarray::{Array1, ArrayRef1, ArrayRef2};

use super::{Mlp, MlpTape, Network};
use crate::{Error, Real, Result};

/// A perceptron whose weight matrices are divided by their spectral norms, `W / σ(W)`: with an activation of slope at most 1, a map of
/// Lipschitz constant 1, such as a critic (Miyato et al., *Spectral normalization for generative adversarial networks*, ICLR 2018).
///
/// The parameters are the plain ones; the normalisation is a part of the map, and its derivatives are too. Singular values
/// are found to round-off by power iteration, from where the last one stood; its vectors, and so the derivatives, to the square root of it.
///
/// ```
/// use flowfield::nn::{Activation, Mlp, Network, SpectralNorm};
/// use ndarray::{Array2, array};
/// let critic = SpectralNorm::new(Mlp::new(2, &[16, 16], 1).activation(Activation::Relu));
/// let theta = Network::<f64>::init(&critic, 0) * 50.0;
/// let mut y = Array2::zeros((2, 1));
/// critic.forward(&theta, &array![[0.0, 0.0], [0.6, 0.8]], &mut y, &mut critic.tape(2))?;
/// assert!((y[[0, 0]] - y[[1, 0]]).abs() <= 1.0);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SpectralNorm {
    net: Mlp,
}

/// Workspace of a [`SpectralNorm`].
#[derive(Debug)]
pub struct SpectralTape<F> {
    inner: MlpTape<F>,
    weights: Vec<Weight<F>>,
    /// Normalised parameters, and a cotangent or tangent of them.
    theta: Array1<F>,
    bar: Array1<F>,
}

/// A weight matrix (`v.len() × u.len()`, row-major), its largest singular value and the vectors that go with it.
#[derive(Debug)]
struct Weight<F> {
    offset: usize,
    sigma: F,
    u: Vec<F>,
    v: Vec<F>,
}

/// Power iterations at most; each costs two products with a vector.
const STEPS: usize = 500;

fn normalise<F: Real>(x: &mut [F]) -> F {
    let norm = x.iter().fold(F::zero(), |s, &x| s + x * x).sqrt();
    if norm > F::zero() {
        x.iter_mut().for_each(|x| *x /= norm);
    }
    norm
}

fn dot<F: Real>(a: &[F], b: &[F]) -> F {
    a.iter().zip(b).fold(F::zero(), |s, (&a, &b)| s + a * b)
}

impl<F: Real> Weight<F> {
    fn end(&self) -> usize {
        self.offset + self.u.len() * self.v.len()
    }

    /// Finds σ, u and v of the matrix `w`.
    fn decompose(&mut self, w: &[F]) {
        let columns = self.u.len();
        let mut before = F::zero();
        for _ in 0..STEPS {
            for (v, row) in self.v.iter_mut().zip(w.chunks_exact(columns)) {
                *v = dot(row, &self.u);
            }
            normalise(&mut self.v);
            self.u.fill(F::zero());
            for (&v, row) in self.v.iter().zip(w.chunks_exact(columns)) {
                self.u.iter_mut().zip(row).for_each(|(u, &w)| *u += v * w);
            }
            self.sigma = normalise(&mut self.u);
            if (self.sigma - before).abs() <= F::of(2.0) * F::EPS * self.sigma {
                break;
            }
            before = self.sigma;
        }
        if self.sigma > F::zero() {
            return;
        }
        // A zero matrix stays one, and so does NaN; the iteration starts anew.
        self.sigma = F::one();
        self.u.iter_mut().enumerate().for_each(|(k, u)| *u = F::of((k as f64 + 1.0).sin()));
        normalise(&mut self.u);
    }

    /// Adds to `to` the image of `from` under `x ↦ (x - <x, a> b) / σ`, for the normalisation's derivative with
    /// (a, b) = (v uᵀ, W/σ) and its transpose with (W/σ, v uᵀ).
    fn project(&self, from: &[F], w: &[F], transposed: bool, to: &mut [F]) {
        let (columns, scale) = (self.u.len(), F::one() / self.sigma);
        let rows = || self.v.iter().zip(from.chunks_exact(columns));
        let along = if transposed {
            dot(from, w)
        } else {
            rows().fold(F::zero(), |s, (&v, row)| s + v * dot(row, &self.u))
        };
        let targets = to.chunks_exact_mut(columns).zip(w.chunks_exact(columns));
        for ((&v, from), (to, w)) in rows().zip(targets) {
            for ((to, &from), (&w, &u)) in to.iter_mut().zip(from).zip(w.iter().zip(&self.u)) {
                *to += scale * (from - along * if transposed { v * u } else { w });
            }
        }
    }
}

impl SpectralNorm {
    /// `net` with normalised weights.
    pub fn new(net: Mlp) -> Self {
        SpectralNorm { net }
    }

    fn normalised<F: Real>(&self, theta: &ArrayRef1<F>, tape: &mut SpectralTape<F>) -> Result<()> {
        Error::shape("theta", &[self.net.n_params()], theta.shape())?;
        Error::shape("tape (of another network)", &[self.net.n_params()], tape.theta.shape())?;
        let Some(all) = theta.as_slice() else {
            return Err(Error::Layout { shape: theta.shape().to_vec() });
        };
        tape.theta.assign(theta);
        let normal = tape.theta.as_slice_mut().unwrap_or_default();
        for weight in &mut tape.weights {
            let range = weight.offset..weight.end();
            weight.decompose(&all[range.clone()]);
            normal[range].iter_mut().for_each(|w| *w /= weight.sigma);
        }
        Ok(())
    }

    /// Adds to `theta_bar` what the cotangent of the normalised parameters, in `tape.bar`, is for the plain ones.
    fn pull_back<F: Real>(&self, theta_bar: &mut ArrayRef1<F>, tape: &SpectralTape<F>) -> Result<()> {
        Error::shape("theta_bar", &[self.net.n_params()], theta_bar.shape())?;
        let shape = theta_bar.shape().to_vec();
        let Some(to) = theta_bar.as_slice_mut() else { return Err(Error::Layout { shape }) };
        carry(&tape.weights, &tape.bar, &tape.theta, true, to);
        Ok(())
    }
}

/// Adds a tangent (or, transposed, cotangent) of the parameters, carried through the normalisation, to `to`.
fn carry<F: Real>(
    weights: &[Weight<F>],
    from: &ArrayRef1<F>,
    theta: &Array1<F>,
    transposed: bool,
    to: &mut [F],
) {
    let (Some(from), Some(theta)) = (from.as_slice(), theta.as_slice()) else { return };
    let mut next = 0;
    for weight in weights {
        let range = weight.offset..weight.end();
        // The biases in between.
        to[next..range.start].iter_mut().zip(&from[next..]).for_each(|(to, &from)| *to += from);
        next = range.end;
        weight.project(&from[range.clone()], &theta[range.clone()], transposed, &mut to[range]);
    }
    to[next..].iter_mut().zip(&from[next..]).for_each(|(to, &from)| *to += from);
}

impl<F: Real> Network<F> for SpectralNorm {
    type Tape = SpectralTape<F>;

    fn inputs(&self) -> usize {
        self.net.inputs()
    }

    fn outputs(&self) -> usize {
        self.net.outputs()
    }

    fn n_params(&self) -> usize {
        self.net.n_params()
    }

    fn check(&self) -> Result<()> {
        Network::<F>::check(&self.net)
    }

    fn init(&self, seed: u64) -> Array1<F> {
        self.net.init(seed)
    }

    fn tape(&self, rows: usize) -> SpectralTape<F> {
        let parts = self.net.layout();
        let matrices = parts.iter().filter(|p| p.shape.len() == 2);
        let weights = matrices.map(|p| {
            let mut u: Vec<F> = (0..p.shape[1]).map(|k| F::of((k as f64 + 1.0).sin())).collect();
            normalise(&mut u);
            Weight { offset: p.offset, sigma: F::one(), u, v: vec![F::zero(); p.shape[0]] }
        });
        let theta = Array1::zeros(self.net.n_params());
        SpectralTape { inner: self.net.tape(rows), weights: weights.collect(), bar: theta.clone(), theta }
    }

    fn forward(
        &self,
        theta: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        y: &mut ArrayRef2<F>,
        tape: &mut SpectralTape<F>,
    ) -> Result<()> {
        self.normalised(theta, tape)?;
        self.net.forward(&tape.theta, x, y, &mut tape.inner)
    }

    /// Normalises, once.
    fn pack(&self, theta: &ArrayRef1<F>, tape: &mut SpectralTape<F>) -> Result<()> {
        self.normalised(theta, tape)?;
        self.net.pack(&tape.theta, &mut tape.inner)
    }

    fn forward_packed(
        &self,
        _theta: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        y: &mut ArrayRef2<F>,
        tape: &mut SpectralTape<F>,
    ) -> Result<()> {
        self.net.forward_packed(&tape.theta, x, y, &mut tape.inner)
    }

    fn vjp(
        &self,
        _theta: &ArrayRef1<F>,
        ybar: &ArrayRef2<F>,
        theta_bar: Option<&mut ArrayRef1<F>>,
        xbar: Option<&mut ArrayRef2<F>>,
        tape: &mut SpectralTape<F>,
    ) -> Result<()> {
        let Some(theta_bar) = theta_bar else {
            return self.net.vjp(&tape.theta, ybar, None, xbar, &mut tape.inner);
        };
        tape.bar.fill(F::zero());
        self.net.vjp(&tape.theta, ybar, Some(&mut tape.bar), xbar, &mut tape.inner)?;
        self.pull_back(theta_bar, tape)
    }

    fn jvp(
        &self,
        _theta: &ArrayRef1<F>,
        dtheta: Option<&ArrayRef1<F>>,
        dx: Option<&ArrayRef2<F>>,
        dy: &mut ArrayRef2<F>,
        tape: &mut SpectralTape<F>,
    ) -> Result<()> {
        let SpectralTape { inner, weights, theta, bar } = tape;
        let Some(dtheta) = dtheta else { return self.net.jvp(theta, None, dx, dy, inner) };
        Error::shape("dtheta", &[self.net.n_params()], dtheta.shape())?;
        bar.fill(F::zero());
        carry(weights, dtheta, theta, false, bar.as_slice_mut().unwrap_or_default());
        self.net.jvp(theta, Some(bar), dx, dy, inner)
    }

    fn vjp_of_jvp(
        &self,
        _theta: &ArrayRef1<F>,
        ybar: &ArrayRef2<F>,
        dx: &ArrayRef2<F>,
        theta_bar: Option<&mut ArrayRef1<F>>,
        xbar: Option<&mut ArrayRef2<F>>,
        tape: &mut SpectralTape<F>,
    ) -> Result<()> {
        let Some(theta_bar) = theta_bar else {
            return self.net.vjp_of_jvp(&tape.theta, ybar, dx, None, xbar, &mut tape.inner);
        };
        tape.bar.fill(F::zero());
        self.net.vjp_of_jvp(&tape.theta, ybar, dx, Some(&mut tape.bar), xbar, &mut tape.inner)?;
        self.pull_back(theta_bar, tape)
    }

    fn slope_gradient<L>(
        &self,
        theta: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        loss: L,
        theta_bar: &mut ArrayRef1<F>,
        tape: &mut SpectralTape<F>,
    ) -> Result<F>
    where
        L: Fn(usize, &[F], &mut [F]) -> F + Sync,
    {
        self.normalised(theta, tape)?;
        tape.bar.fill(F::zero());
        let value = self.net.slope_gradient(&tape.theta, x, loss, &mut tape.bar, &mut tape.inner)?;
        self.pull_back(theta_bar, tape)?;
        Ok(value)
    }

    fn loss_gradient<L>(
        &self,
        theta: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        loss: L,
        theta_bar: &mut ArrayRef1<F>,
        tape: &mut SpectralTape<F>,
    ) -> Result<F>
    where
        L: Fn(usize, &[F], &mut [F]) -> F + Sync,
    {
        self.normalised(theta, tape)?;
        let value = self.net.loss_gradient(&tape.theta, x, loss, &mut tape.bar, &mut tape.inner)?;
        theta_bar.fill(F::zero());
        self.pull_back(theta_bar, tape)?;
        Ok(value)
    }
}
