//! Residual networks: depth as time.

mod block;
mod depth_field;
mod depth_norm;
mod network;
mod report;
mod tangent;
mod tape;

use ndarray::Array1;

use super::{Activation, Init, Norm, Parameter};
use crate::rng::Rng;
use crate::{Error, Real, Result};

pub use depth_field::DepthField;
pub use depth_norm::{DeepNorm, Optimiser, admin_omega};
pub(super) use network::{part, slice, slice_mut};
pub use report::DepthReport;
pub use tape::ResidualTape;

/// Where a block normalises its rows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum NormPlacement {
    /// Nowhere: h + ε f(h).
    #[default]
    None,
    /// Before the branch: h + ε f(n(h)); the flow of f on the sphere, in slow time |h|.
    Pre,
    /// After the sum: n(h + ε f(h)); Euler's method on the sphere with a retraction.
    Post,
    /// n(α h + ε f(h)) with a large α (see [`DeepNorm`]): a small Euler step and a retraction.
    Deep {
        /// α.
        alpha: f64,
    },
    /// Before the branch and inside it: h + ε W₂ᵀ n(φ(W₁ᵀ n(h))).
    Sub,
}

/// How far a block moves: the step of the depth flow.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum DepthStep {
    /// ε = 1, the residual network of He et al. 2016.
    #[default]
    Unit,
    /// ε = 1/N: N Euler steps of an ordinary differential equation on [0, 1].
    InverseDepth,
    /// ε = 1/√N: with independent weights, Euler–Maruyama steps of a stochastic one.
    InverseSqrtDepth,
    /// This ε.
    Fixed(f64),
}

/// A residual network of N blocks of equal width, with an affine layer at each end:
///
/// ```text
/// h₀ = x W_in + b_in      hₗ = hₗ₋₁ + ε f(hₗ₋₁; θₗ)      y = n(h_N) W_out + b_out
/// f(h; θ) = φ(h W₁ + b₁) W₂ + b₂
/// ```
///
/// with norms where [`NormPlacement`] puts them (the last n only for [`Pre`](NormPlacement::Pre) and
/// [`Sub`](NormPlacement::Sub)). A network like any other: a velocity, a critic. Each block is an Euler step of the
/// [`depth_field`](Self::depth_field), which every integrator of the library can follow instead.
///
/// ```
/// use flowfield::nn::{DeepNorm, Network, NormPlacement, Residual};
/// let deep = DeepNorm::encoder_only(100);                              // 100 layers of two sublayers
/// let net = Residual::new(2, 32, 200, 1).norm(NormPlacement::Deep { alpha: deep.alpha }).gain(deep.beta);
/// let theta = Network::<f32>::init(&net, 0);
/// assert_eq!(theta.len(), net.n_params());
/// # Network::<f32>::check(&net)?;
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Residual {
    inputs: usize,
    width: usize,
    depth: usize,
    outputs: usize,
    inner: usize,
    activation: Activation,
    placement: NormPlacement,
    norm: Norm,
    step: DepthStep,
    gain: f64,
    recompute: bool,
}

impl Residual {
    /// From rows of `inputs` numbers through `depth` blocks of `width` to rows of `outputs`.
    pub fn new(inputs: usize, width: usize, depth: usize, outputs: usize) -> Self {
        Residual {
            inputs,
            width,
            depth,
            outputs,
            inner: width,
            activation: Activation::default(),
            placement: NormPlacement::default(),
            norm: Norm::default(),
            step: DepthStep::default(),
            gain: 1.0,
            recompute: false,
        }
    }

    /// A velocity network on rows of `dim` numbers: its input columns are `[x (dim) | t (1)]`.
    pub fn velocity(dim: usize, width: usize, depth: usize) -> Self {
        Self::new(dim + 1, width, depth, dim)
    }

    /// The width inside the branches (as wide as the stream unless set).
    #[must_use]
    pub fn inner(mut self, width: usize) -> Self {
        self.inner = width;
        self
    }

    /// The activation in the branches (SiLU unless set).
    #[must_use]
    pub fn activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Where the blocks normalise (nowhere unless set).
    #[must_use]
    pub fn norm(mut self, placement: NormPlacement) -> Self {
        self.placement = placement;
        self
    }

    /// What they normalise by ([`Norm::Layer`] unless set).
    #[must_use]
    pub fn norm_kind(mut self, norm: Norm) -> Self {
        self.norm = norm;
        self
    }

    /// How far a block moves ([`DepthStep::Unit`] unless set).
    #[must_use]
    pub fn step(mut self, step: DepthStep) -> Self {
        self.step = step;
        self
    }

    /// Multiplies the initial weights of the branches.
    #[must_use]
    pub fn gain(mut self, gain: f64) -> Self {
        self.gain = gain;
        self
    }

    /// Keeps the stream at every √N-th block only, and runs the blocks between forward again on the way back: memory
    /// `2 √N` rows of `width + inner` numbers instead of `N`, for one more forward pass.
    #[must_use]
    pub fn recompute(mut self) -> Self {
        self.recompute = true;
        self
    }

    /// Blocks N.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Width of the stream.
    pub fn width(&self) -> usize {
        self.width
    }

    /// ε.
    pub fn epsilon(&self) -> f64 {
        let n = self.depth.max(1) as f64;
        match self.step {
            DepthStep::Unit => 1.0,
            DepthStep::InverseDepth => 1.0 / n,
            DepthStep::InverseSqrtDepth => 1.0 / n.sqrt(),
            DepthStep::Fixed(epsilon) => epsilon,
        }
    }

    /// Factor of the stream in the sum.
    fn carry(&self) -> f64 {
        if let NormPlacement::Deep { alpha } = self.placement { alpha } else { 1.0 }
    }

    fn pre(&self) -> bool {
        matches!(self.placement, NormPlacement::Pre | NormPlacement::Sub)
    }

    fn post(&self) -> bool {
        matches!(self.placement, NormPlacement::Post | NormPlacement::Deep { .. })
    }

    fn sub(&self) -> bool {
        self.placement == NormPlacement::Sub
    }

    /// The affine layers in order: input, two for each block, output.
    fn affine(&self, index: usize) -> Affine {
        let (d, k) = (self.width, self.inner);
        let (start_blocks, block) = ((self.inputs + 1) * d, (d + 1) * k + (k + 1) * d);
        let last = 2 * self.depth + 1;
        let (inputs, outputs, start) = match index {
            0 => (self.inputs, d, 0),
            i if i == last => (d, self.outputs, start_blocks + self.depth * block),
            i if i % 2 == 1 => (d, k, start_blocks + (i / 2) * block),
            i => (k, d, start_blocks + (i / 2 - 1) * block + (d + 1) * k),
        };
        Affine { inputs, outputs, start }
    }

    fn affines(&self) -> impl Iterator<Item = Affine> + '_ {
        (0..2 * self.depth + 2).map(|i| self.affine(i))
    }

    /// Length of theta.
    pub fn n_params(&self) -> usize {
        let last = self.affine(2 * self.depth + 1);
        last.start + (last.inputs + 1) * last.outputs
    }

    /// Where the parameters of a block are in theta.
    pub fn block_range(&self, block: usize) -> std::ops::Range<usize> {
        let (first, second) = (self.affine(2 * block + 1), self.affine(2 * block + 2));
        first.start..second.start + (second.inputs + 1) * second.outputs
    }

    fn named(&self) -> Vec<Parameter> {
        let mut parts = Vec::with_capacity(4 * self.depth + 4);
        for (i, l) in self.affines().enumerate() {
            let name = match i {
                0 => "input".to_owned(),
                i if i == 2 * self.depth + 1 => "output".to_owned(),
                i => format!("blocks.{}.{}", (i - 1) / 2, (i - 1) % 2),
            };
            let shape = vec![l.inputs, l.outputs];
            parts.push(Parameter { name: format!("{name}.weight"), offset: l.start, shape });
            let (offset, shape) = (l.start + l.inputs * l.outputs, vec![l.outputs]);
            parts.push(Parameter { name: format!("{name}.bias"), offset, shape });
        }
        parts
    }

    /// Xavier weights at the ends, the activation's own and LeCun's (times the gain) in the branches; biases zero.
    /// With [`NormPlacement::Deep`] all are Xavier's, as DeepNorm's β is its gain.
    fn draw<F: Real>(&self, seed: u64) -> Array1<F> {
        let mut theta = Array1::zeros(self.n_params());
        let numbers = theta.as_slice_mut().unwrap_or_default();
        let deep = matches!(self.placement, NormPlacement::Deep { .. });
        let last = 2 * self.depth + 1;
        for (i, l) in self.affines().enumerate() {
            let inside = i > 0 && i < last;
            let init = match i {
                _ if !inside || deep => Init::Xavier,
                i if i % 2 == 1 => Init::Auto,
                _ => Init::Lecun,
            };
            let weights = &mut numbers[l.start..][..l.inputs * l.outputs];
            init.fill(self.activation, l.inputs, l.outputs, &mut Rng::new(seed, i as u64), weights);
            if inside {
                weights.iter_mut().for_each(|w| *w *= F::of(self.gain));
            }
        }
        theta
    }

    fn verify(&self) -> Result<()> {
        let widths = [self.inputs, self.width, self.inner, self.outputs];
        if let Some(layer) = widths.iter().position(|&w| w == 0) {
            return Err(Error::ZeroWidth { layer });
        }
        let positive = |what, value: f64| {
            Error::setting(value > 0.0 && value.is_finite(), what, value, "it must be positive and finite")
        };
        positive("the depth", self.depth as f64)?;
        positive("alpha", self.carry())?;
        positive("the gain", self.gain)?;
        positive("the depth step", self.epsilon())
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
    fn weights<'a, F>(&self, theta: &'a [F]) -> &'a [F] {
        &theta[self.start..][..self.inputs * self.outputs]
    }
    fn biases<'a, F>(&self, theta: &'a [F]) -> &'a [F] {
        &theta[self.start + self.inputs * self.outputs..][..self.outputs]
    }
}
