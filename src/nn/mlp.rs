//! The multilayer perceptron: its architecture and the layout of its parameters.

mod batch;
mod block;
mod lanes;
mod network;
mod pass;
mod rows;
mod tangent;
mod tape;
mod trace;

use ndarray::Array1;

use super::kernel::padded;
use super::{Activation, Init, Parameter, TimeFeatures};
use crate::precision::Format;
use crate::rng::Rng;
use crate::{Error, Real, Result};

pub use tape::MlpTape;
use tape::lane_count;

/// A multilayer perceptron: a_0 = features of x, a_l = σ(a_{l-1} W_l + b_l), y = a_{L-1} W_L + b_L.
///
/// This is the architecture alone; the parameters are a vector of
/// [`n_params`](Self::n_params) numbers that the caller owns. For each layer in turn it holds the
/// weights W_l (`in × out`, row-major) and then the biases b_l; see [`layout`](Self::layout).
///
/// ```
/// use flowfield::nn::{Activation, Mlp, Network};
/// let net = Mlp::velocity(2, &[64, 64]).activation(Activation::Selu);
/// let theta = Network::<f32>::init(&net, 0);
/// assert_eq!((net.inputs(), net.outputs(), theta.len()), (3, 2, net.n_params()));
/// ```
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Mlp {
    inputs: usize,
    hidden: Vec<usize>,
    outputs: usize,
    condition: usize,
    /// The column of x that is a time.
    time_column: Option<usize>,
    time: TimeFeatures,
    frequencies: Vec<f64>,
    activation: Activation,
    init: Init,
    zero_last: bool,
    format: Format,
}

impl Mlp {
    /// A network of `inputs` columns, hidden layers of the given widths, and `outputs` columns.
    pub fn new(inputs: usize, hidden: &[usize], outputs: usize) -> Self {
        Mlp {
            inputs,
            hidden: hidden.to_vec(),
            outputs,
            condition: 0,
            time_column: None,
            time: TimeFeatures::Plain,
            frequencies: Vec::new(),
            activation: Activation::default(),
            init: Init::default(),
            zero_last: false,
            format: Format::Full,
        }
    }

    /// A velocity network v(x, t) on rows of `dim` numbers: its input columns are `[x (dim) | t (1)]`,
    /// followed by the columns of [`condition`](Self::condition) if any; its outputs are `dim`.
    pub fn velocity(dim: usize, hidden: &[usize]) -> Self {
        Mlp { time_column: Some(dim), ..Mlp::new(dim + 1, hidden, dim) }
    }

    /// The activation of the hidden layers (SiLU unless set).
    #[must_use]
    pub fn activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Adds input columns, at the right end, for what the output is conditioned on.
    #[must_use]
    pub fn condition(mut self, columns: usize) -> Self {
        self.inputs += columns;
        self.condition += columns;
        self
    }

    /// How the time column of a velocity network is presented to the first layer.
    #[must_use]
    pub fn time(mut self, time: TimeFeatures) -> Self {
        self.frequencies = time.frequencies();
        self.time = time;
        self
    }

    /// The distribution of the initial weights.
    #[must_use]
    pub fn initialisation(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// Starts the last layer at zero, so that the network starts as the zero map.
    #[must_use]
    pub fn zero_last(mut self) -> Self {
        self.zero_last = true;
        self
    }

    /// Takes the products in this format: weights, activations and cotangents are rounded to it, sums stay in full precision, and so
    /// does theta (unless set: no rounding). bf16 products of `f32` networks run on AVX-512 BF16 where the CPU has it. Forward mode
    /// and reverse over forward are taken with the rounded weights in full precision.
    #[must_use]
    pub fn compute(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Numbers in a row of x.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Numbers in a row of y.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// How many of the input columns are a condition; they are the last ones.
    pub fn condition_columns(&self) -> usize {
        self.condition
    }

    /// Length of theta.
    pub fn n_params(&self) -> usize {
        self.layers().map(|l| l.end - l.start).sum()
    }

    /// The parts of theta, in order.
    pub fn layout(&self) -> Vec<Parameter> {
        let part = |l: &Layer, what: &str, offset, shape: &[usize]| Parameter {
            name: format!("layers.{}.{what}", l.index),
            offset,
            shape: shape.to_vec(),
        };
        self.layers()
            .flat_map(|l| {
                let bias = l.start + l.inputs * l.outputs;
                [part(&l, "weight", l.start, &[l.inputs, l.outputs]), part(&l, "bias", bias, &[l.outputs])]
            })
            .collect()
    }

    /// Initial parameters; the same seed gives the same bits.
    pub(crate) fn draw<F: Real>(&self, seed: u64) -> Array1<F> {
        let mut theta = Array1::zeros(self.n_params());
        let all = theta.as_slice_mut().unwrap_or_default();
        for l in self.layers() {
            let last = l.index == self.hidden.len();
            if last && self.zero_last {
                continue;
            }
            let activation = if last { Activation::Identity } else { self.activation };
            let init = if last && self.init == Init::Auto { Init::Lecun } else { self.init };
            let weights = &mut all[l.start..l.start + l.inputs * l.outputs];
            init.fill(activation, l.inputs, l.outputs, &mut Rng::new(seed, l.index as u64), weights);
        }
        theta
    }

    /// Whether the settings mean something.
    pub(crate) fn verify(&self) -> Result<()> {
        if let Some(layer) = self.widths().position(|w| w == 0) {
            return Err(Error::ZeroWidth { layer });
        }
        let pairs = self.frequencies.len() as f64;
        let usable = self.time_column.is_some() || self.time == TimeFeatures::Plain;
        Error::setting(
            usable,
            "pairs of time features",
            pairs,
            "0 unless the network is made by Mlp::velocity",
        )?;
        let bad = self.frequencies.iter().copied().find(|w| !w.is_finite());
        Error::setting(
            bad.is_none(),
            "frequency",
            bad.unwrap_or(0.0),
            "finite; take a positive max_freq or a finite scale",
        )
    }

    /// Columns of x and the features of its time column: what the first layer sees.
    fn features(&self) -> usize {
        self.inputs + 2 * self.frequencies.len()
    }

    /// Widths of all layers, the first layer's input being the features.
    fn widths(&self) -> impl Iterator<Item = usize> {
        std::iter::once(self.features()).chain(self.hidden.iter().copied()).chain([self.outputs])
    }

    /// The layers' places in theta.
    fn layers(&self) -> impl Iterator<Item = Layer> {
        let outs = self.widths().skip(1);
        self.widths().zip(outs).enumerate().scan(0, |next, (index, (inputs, outputs))| {
            let start = *next;
            *next += (inputs + 1) * outputs;
            Some(Layer { index, inputs, outputs, start, end: *next })
        })
    }
}

/// One affine layer: shape and place in theta. Weights and biases together are one
/// `(inputs + 1) × outputs` matrix, applied to a row with a 1 appended.
#[derive(Debug, Clone, Copy)]
struct Layer {
    index: usize,
    inputs: usize,
    outputs: usize,
    start: usize,
    end: usize,
}

/// Distance between rows of `width` numbers in a block: room for the 1 that multiplies the biases.
fn stride(width: usize) -> usize {
    padded(width + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_covers_theta_without_gaps() {
        let net =
            Mlp::velocity(2, &[5, 7]).condition(3).time(TimeFeatures::Sinusoidal { pairs: 2, max_freq: 8.0 });
        assert_eq!((net.inputs(), net.outputs(), net.condition_columns()), (6, 2, 3));
        let mut next = 0;
        for p in net.layout() {
            assert_eq!(p.offset, next, "{}", p.name);
            next += p.shape.iter().product::<usize>();
        }
        assert_eq!(next, net.n_params());
        assert_eq!(net.n_params(), 11 * 5 + 6 * 7 + 8 * 2);
        assert_eq!(net.layout()[3].name, "layers.1.bias");
    }

    #[test]
    fn unusable_architectures_are_named() {
        assert_eq!(Mlp::new(0, &[3], 1).verify(), Err(Error::ZeroWidth { layer: 0 }));
        assert_eq!(Mlp::new(2, &[3, 0], 1).verify(), Err(Error::ZeroWidth { layer: 2 }));
        assert_eq!(Mlp::new(2, &[], 0).verify(), Err(Error::ZeroWidth { layer: 1 }));
        let timed = Mlp::new(2, &[3], 1).time(TimeFeatures::Fourier { pairs: 2, scale: 1.0, seed: 0 });
        assert!(matches!(timed.verify(), Err(Error::Setting { .. })));
    }

    #[test]
    fn zero_last_is_the_zero_map_and_seeds_matter() {
        let net = Mlp::new(3, &[4], 2);
        assert_eq!(net.draw::<f32>(1), net.draw::<f32>(1));
        assert_ne!(net.draw::<f32>(1), net.draw::<f32>(2));
        let theta = net.zero_last().draw::<f64>(1);
        assert!(theta.iter().skip(16).all(|&w| w == 0.0) && theta[0] != 0.0);
    }
}
