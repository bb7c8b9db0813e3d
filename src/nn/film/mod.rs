//! Residual networks whose blocks are modulated by the time and the condition.

mod network;
mod pass;
mod tape;

use ndarray::Array1;

use super::{Activation, Init, Norm, Parameter, TimeFeatures};
use crate::rng::Rng;
use crate::{Error, Real, Result};

pub use tape::FilmTape;

/// A velocity network v(x, t | c) of N residual blocks, each scaled, shifted and gated by an embedding e of the time and
/// the condition:
///
/// ```text
/// e  = φ([t | sin ω t | cos ω t | c] W_e + b_e)             h₀ = x W_in + b_in
/// γₗ, βₗ, αₗ = affine in e                                  uₗ = (1 + γₗ) ∘ n(hₗ₋₁) + βₗ
/// hₗ = hₗ₋₁ + αₗ ∘ (φ(uₗ W₁ + b₁) W₂ + b₂)                   y  = n(h_N) W_out + b_out
/// ```
///
/// Feature-wise modulation is FiLM's (Perez et al. 2018, equation 2); behind a norm without parameters of its own, with
/// a gate, and with γ, β and α starting at zero it is adaLN-Zero (Peebles and Xie, *Scalable diffusion models with
/// transformers*, 2023, section 3.2). Rows of input are `[x (dim) | t (1) | condition]` as everywhere; unlike in an
/// [`Mlp`](super::Mlp), the time and the condition reach every block, and every block starts as the identity.
///
/// ```
/// use flowfield::nn::{Film, Network, TimeFeatures};
/// let net = Film::velocity(2, 64, 3).time(TimeFeatures::Sinusoidal { pairs: 8, max_freq: 50.0 });
/// let theta = Network::<f32>::init(&net, 0);
/// assert_eq!((Network::<f32>::inputs(&net), theta.len()), (3, net.n_params()));
/// # Network::<f32>::check(&net)?;
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Film {
    dim: usize,
    condition: usize,
    width: usize,
    inner: usize,
    depth: usize,
    embedding: usize,
    time: TimeFeatures,
    frequencies: Vec<f64>,
    activation: Activation,
    norm: Option<Norm>,
}

/// Affine layers before the blocks, in each block, and where they are among those of a block.
const HEAD: usize = 2;
const PER_BLOCK: usize = 5;
const SCALE: usize = 0;
const SHIFT: usize = 1;
const GATE: usize = 2;
const UP: usize = 3;
const DOWN: usize = 4;

impl Film {
    /// On rows of `dim` numbers: `depth` blocks of `width`, as wide inside, with an embedding of that width.
    pub fn velocity(dim: usize, width: usize, depth: usize) -> Self {
        Film {
            dim,
            condition: 0,
            width,
            inner: width,
            depth,
            embedding: width,
            time: TimeFeatures::Plain,
            frequencies: Vec::new(),
            activation: Activation::default(),
            norm: Some(Norm::Layer),
        }
    }

    /// Adds input columns, at the right end, for what the output is conditioned on.
    #[must_use]
    pub fn condition(mut self, columns: usize) -> Self {
        self.condition += columns;
        self
    }

    /// How the time is presented to the embedding (as it is, unless set).
    #[must_use]
    pub fn time(mut self, time: TimeFeatures) -> Self {
        self.frequencies = time.frequencies();
        self.time = time;
        self
    }

    /// The width inside the branches (as wide as the stream unless set).
    #[must_use]
    pub fn inner(mut self, width: usize) -> Self {
        self.inner = width;
        self
    }

    /// The width of the embedding (as wide as the stream unless set).
    #[must_use]
    pub fn embedding(mut self, width: usize) -> Self {
        self.embedding = width;
        self
    }

    /// The activation of the embedding and in the branches (SiLU unless set).
    #[must_use]
    pub fn activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// What the blocks normalise by: [`Norm::Layer`] unless set; `None` modulates the stream as it is.
    #[must_use]
    pub fn norm(mut self, norm: Option<Norm>) -> Self {
        self.norm = norm;
        self
    }

    /// Length of theta.
    pub fn n_params(&self) -> usize {
        self.affines().last().map_or(0, |l| l.end())
    }

    /// Columns of t and the condition, and those with the features of t.
    fn context(&self) -> usize {
        1 + self.condition
    }
    fn features(&self) -> usize {
        self.context() + 2 * self.frequencies.len()
    }

    /// Number of affine layers.
    fn layers(&self) -> usize {
        HEAD + PER_BLOCK * self.depth + 1
    }

    /// Columns into and out of affine layer `index`: input, embedding, five for each block, output.
    fn shape(&self, index: usize) -> (usize, usize) {
        let (w, k, m) = (self.width, self.inner, self.embedding);
        match index {
            0 => (self.dim, w),
            1 => (self.features(), m),
            i if i + 1 == self.layers() => (w, self.dim),
            i => match (i - HEAD) % PER_BLOCK {
                SCALE | SHIFT | GATE => (m, w),
                UP => (w, k),
                _ => (k, w),
            },
        }
    }

    fn name(&self, index: usize) -> String {
        match index {
            0 => "input".to_owned(),
            1 => "embedding".to_owned(),
            i if i + 1 == self.layers() => "output".to_owned(),
            i => {
                let part = ["scale", "shift", "gate", "up", "down"][(i - HEAD) % PER_BLOCK];
                format!("blocks.{}.{part}", (i - HEAD) / PER_BLOCK)
            }
        }
    }

    /// The affine layers' places in theta.
    fn affines(&self) -> impl Iterator<Item = Affine> + '_ {
        (0..self.layers()).scan(0, |next, index| {
            let (inputs, outputs) = self.shape(index);
            let layer = Affine { inputs, outputs, start: *next };
            *next = layer.end();
            Some(layer)
        })
    }

    fn named(&self) -> Vec<Parameter> {
        let parts = |(i, l): (usize, Affine)| {
            let (name, biases) = (self.name(i), l.start + l.inputs * l.outputs);
            [
                Parameter {
                    name: format!("{name}.weight"),
                    offset: l.start,
                    shape: vec![l.inputs, l.outputs],
                },
                Parameter { name: format!("{name}.bias"), offset: biases, shape: vec![l.outputs] },
            ]
        };
        self.affines().enumerate().flat_map(parts).collect()
    }

    /// The activation's own weights before one, LeCun's elsewhere, zero for what modulates; biases zero.
    fn draw<F: Real>(&self, seed: u64) -> Array1<F> {
        let mut theta = Array1::zeros(self.n_params());
        let numbers = theta.as_slice_mut().unwrap_or_default();
        for (i, l) in self.affines().enumerate() {
            let inside = i >= HEAD && i + 1 < self.layers();
            let init = match (i, i.wrapping_sub(HEAD) % PER_BLOCK) {
                (_, SCALE | SHIFT | GATE) if inside => continue,
                (1, _) => Init::Auto,
                (_, UP) if inside => Init::Auto,
                _ => Init::Lecun,
            };
            let weights = &mut numbers[l.start..][..l.inputs * l.outputs];
            init.fill(self.activation, l.inputs, l.outputs, &mut Rng::new(seed, i as u64), weights);
        }
        theta
    }

    fn verify(&self) -> Result<()> {
        let widths = [self.dim, self.width, self.inner, self.embedding];
        if let Some(layer) = widths.iter().position(|&w| w == 0) {
            return Err(Error::ZeroWidth { layer });
        }
        Error::setting(self.depth > 0, "the depth", self.depth as f64, "it must be at least 1")?;
        let bad = self.frequencies.iter().copied().find(|w| !w.is_finite());
        let need = "finite; take a positive max_freq or a finite scale";
        Error::setting(bad.is_none(), "frequency", bad.unwrap_or(0.0), need)
    }
}

/// One affine layer in theta: weights (`inputs × outputs`, row-major), then biases.
#[derive(Debug, Clone, Copy)]
struct Affine {
    inputs: usize,
    outputs: usize,
    start: usize,
}

impl Affine {
    fn end(&self) -> usize {
        self.start + (self.inputs + 1) * self.outputs
    }
    fn weights<'a, F>(&self, theta: &'a [F]) -> &'a [F] {
        &theta[self.start..][..self.inputs * self.outputs]
    }
    fn biases<'a, F>(&self, theta: &'a [F]) -> &'a [F] {
        &theta[self.start + self.inputs * self.outputs..][..self.outputs]
    }
}
