//! Memory of one block of rows: its record, and the scratch of its derivatives.

use super::{Mlp, stride};
use crate::Real;
use crate::nn::activation::Record;
use crate::nn::kernel::Buffer;

/// Record of a forward pass of one block. Rows are [`stride`] of their layer's width apart.
#[derive(Debug)]
pub(super) struct Block<F> {
    /// a_0 (features), .., a_{L-1}, y; each but y with a column of ones after its own columns.
    pub values: Vec<Buffer<F>>,
    /// σ'(z_l) of the hidden layers, if recorded.
    pub first: Vec<Buffer<F>>,
    /// σ''(z_l) of the hidden layers, if recorded.
    pub second: Vec<Buffer<F>>,
}

impl<F: Real> Block<F> {
    pub(super) fn new(net: &Mlp, rows: usize, record: Record) -> Self {
        let hidden = |least: Record| {
            let rows = if record >= least { rows } else { 0 };
            net.hidden.iter().map(|&w| Buffer::zeros(rows * stride(w))).collect()
        };
        Block {
            values: net.widths().map(|w| Buffer::zeros(rows * stride(w))).collect(),
            first: hidden(Record::First),
            second: hidden(Record::Second),
        }
    }

    /// Size of a block.
    pub(super) fn bytes(net: &Mlp, rows: usize, record: Record) -> usize {
        let hidden: usize = net.hidden.iter().copied().map(stride).sum();
        let numbers = net.widths().map(stride).sum::<usize>() + record as usize * hidden;
        rows * numbers * size_of::<F>()
    }
}

/// Scratch of one lane: cotangents and tangents of one block.
#[derive(Debug)]
pub(super) struct Scratch<F> {
    /// Cotangents of the layer in hand and of the one below, as wide as the widest layer.
    pub cotangent: Pair<F>,
    /// The second kind of cotangents in reverse over forward.
    pub second: Pair<F>,
    /// Cotangents of z_1, .., z_L in reverse mode, for reverse over forward; and, of the hidden layers, cotangents of a_l
    /// times σ''(z_l).
    pub chain: Vec<Buffer<F>>,
    pub bent: Vec<Buffer<F>>,
    /// Tangents of a_0, .., a_{L-1}.
    pub tangents: Vec<Buffer<F>>,
    /// Tangents of z_1, .., z_L.
    pub inner: Vec<Buffer<F>>,
}

/// Two buffers that take turns.
#[derive(Debug)]
pub(super) struct Pair<F> {
    pub now: Buffer<F>,
    pub next: Buffer<F>,
}

impl<F: Real> Pair<F> {
    fn new(len: usize) -> Self {
        Pair { now: Buffer::zeros(len), next: Buffer::zeros(len) }
    }

    pub(super) fn swap(&mut self) {
        std::mem::swap(&mut self.now, &mut self.next);
    }
}

impl<F: Real> Scratch<F> {
    pub(super) fn new(net: &Mlp, rows: usize) -> Self {
        let widest = rows * net.widths().map(stride).max().unwrap_or(0);
        let layers = net.hidden.len() + 1;
        let buffer = |w| Buffer::zeros(rows * stride(w));
        Scratch {
            cotangent: Pair::new(widest),
            second: Pair::new(widest),
            chain: net.widths().skip(1).map(buffer).collect(),
            bent: net.hidden.iter().copied().map(buffer).collect(),
            tangents: net.widths().take(layers).map(buffer).collect(),
            inner: net.widths().skip(1).map(buffer).collect(),
        }
    }
}
