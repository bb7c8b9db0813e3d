//! Memory of a modulated network.

use super::{Affine, Film, HEAD};
use crate::nn::kernel::{Buffer, Isa, Pack, padded};
use crate::{Error, Real, Result};

/// Rows that go through all blocks together, while in cache.
const BLOCK_ROWS: usize = 64;

/// Workspace of a [`Film`] for up to a given number of rows.
#[derive(Debug)]
pub struct FilmTape<F> {
    pub(super) isa: Isa,
    pub(super) capacity: usize,
    /// The recorded rows of x, and how many they are.
    pub(super) rows: usize,
    pub(super) inputs: Buffer<F>,
    pub(super) layers: Vec<Affine>,
    pub(super) weights: [Vec<Pack<F>>; 2],
    pub(super) transposes: [Vec<Pack<F>>; 2],
    pub(super) transposed: bool,
    pub(super) work: Work<F>,
    /// Outputs of a block of rows and their cotangents, without padding; lent out while they are in use.
    pub(super) flat: Option<[Buffer<F>; 2]>,
}

/// What one block of rows needs.
#[derive(Debug)]
pub(super) struct Work<F> {
    /// Values, and tangents.
    pub values: [Values<F>; 2],
    /// Derivatives of the activations, of the embedding and of each block.
    pub curves: Vec<Curves<F>>,
    /// Cotangents of values, and their tangents.
    pub bars: [Bars<F>; 2],
    /// Rows `[t | condition]`; the gradient of one layer; three rows for the norms.
    pub context: Buffer<F>,
    pub gradient: Buffer<F>,
    pub row: Buffer<F>,
}

/// Everything between x and y.
#[derive(Debug)]
pub(super) struct Values<F> {
    pub x: Buffer<F>,
    pub features: Buffer<F>,
    pub e: Buffer<F>,
    pub blocks: Vec<Block<F>>,
    /// The end of the stream, its norm, and y.
    pub h: Buffer<F>,
    pub n: Buffer<F>,
    pub y: Buffer<F>,
}

/// One block: the stream h at its start, n(h), what modulates, u, a = φ(z) and f.
#[derive(Debug)]
pub(super) struct Block<F> {
    pub h: Buffer<F>,
    pub n: Buffer<F>,
    pub scale: Buffer<F>,
    pub shift: Buffer<F>,
    pub gate: Buffer<F>,
    pub u: Buffer<F>,
    pub a: Buffer<F>,
    pub f: Buffer<F>,
}

/// φ', φ'' and the tangent of their argument.
#[derive(Debug)]
pub(super) struct Curves<F> {
    pub first: Buffer<F>,
    pub second: Buffer<F>,
    pub tangent: Buffer<F>,
}

/// Cotangents of the stream, of a branch's ends, inside it, of the embedding, and of the features.
#[derive(Debug)]
pub(super) struct Bars<F> {
    pub h: Buffer<F>,
    pub f: Buffer<F>,
    pub u: Buffer<F>,
    pub z: Buffer<F>,
    pub e: Buffer<F>,
    pub features: Buffer<F>,
    pub x: Buffer<F>,
    pub y: Buffer<F>,
}

impl<F: Real> FilmTape<F> {
    pub(super) fn new(net: &Film, capacity: usize) -> Self {
        let isa = Isa::detect();
        let rows = capacity.clamp(1, BLOCK_ROWS);
        let flat = || Buffer::zeros(rows * net.dim);
        let forth = || net.affines().map(|l| Pack::new(l.inputs, l.outputs, isa)).collect();
        let back = || net.affines().map(|l| Pack::new(l.outputs, l.inputs, isa)).collect();
        FilmTape {
            isa,
            capacity,
            rows: 0,
            inputs: Buffer::zeros(capacity * (net.dim + net.context())),
            layers: net.affines().collect(),
            weights: [forth(), forth()],
            transposes: [back(), back()],
            transposed: false,
            work: Work::new(net, rows),
            flat: Some([flat(), flat()]),
        }
    }

    pub(super) fn per_block(&self) -> usize {
        self.capacity.clamp(1, BLOCK_ROWS)
    }

    pub(super) fn fits(&self, net: &Film) -> Result<()> {
        let shape = |l: Affine| [l.inputs, l.outputs];
        let (expected, found) = (|| net.affines().map(shape), || self.layers.iter().copied().map(shape));
        if expected().eq(found()) {
            return Ok(());
        }
        let (expected, found): (Vec<_>, Vec<_>) =
            (expected().flatten().collect(), found().flatten().collect());
        Error::shape("tape (of another network)", &expected, &found)
    }

    pub(super) fn pack(&mut self, theta: &[F]) {
        for (l, pack) in self.layers.iter().zip(&mut self.weights[0]) {
            pack.fill(l.weights(theta));
        }
        self.transposed = false;
    }

    pub(super) fn pack_transposes(&mut self, theta: &[F]) {
        if !std::mem::replace(&mut self.transposed, true) {
            for (l, pack) in self.layers.iter().zip(&mut self.transposes[0]) {
                pack.fill_transposed(l.weights(theta));
            }
        }
    }

    /// Packs a tangent of theta.
    pub(super) fn pack_tangent(&mut self, dtheta: &[F]) {
        for (l, pack) in self.layers.iter().zip(&mut self.weights[1]) {
            pack.fill(l.weights(dtheta));
        }
        for (l, pack) in self.layers.iter().zip(&mut self.transposes[1]) {
            pack.fill_transposed(l.weights(dtheta));
        }
    }
}

impl<F: Real> Work<F> {
    fn new(net: &Film, rows: usize) -> Self {
        let buffer = |width: usize| Buffer::zeros(rows * padded(width));
        let curves = |width| Curves { first: buffer(width), second: buffer(width), tangent: buffer(width) };
        let widest = net.affines().map(|l| l.inputs * padded(l.outputs)).max().unwrap_or(0);
        let inner = std::iter::repeat_n(net.inner, net.depth);
        Work {
            values: [Values::new(net, rows), Values::new(net, rows)],
            curves: std::iter::once(net.embedding).chain(inner).map(curves).collect(),
            bars: [Bars::new(net, rows), Bars::new(net, rows)],
            context: Buffer::zeros(rows * net.context()),
            gradient: Buffer::zeros(widest),
            row: Buffer::zeros(3 * padded(net.width)),
        }
    }
}

impl<F: Real> Values<F> {
    fn new(net: &Film, rows: usize) -> Self {
        let buffer = |width: usize| Buffer::zeros(rows * padded(width));
        let (w, k) = (net.width, net.inner);
        let block = |_| Block {
            h: buffer(w),
            n: buffer(w),
            scale: buffer(w),
            shift: buffer(w),
            gate: buffer(w),
            u: buffer(w),
            a: buffer(k),
            f: buffer(w),
        };
        Values {
            x: buffer(net.dim),
            features: buffer(net.features()),
            e: buffer(net.embedding),
            blocks: (0..net.depth).map(block).collect(),
            h: buffer(w),
            n: buffer(w),
            y: buffer(net.dim),
        }
    }
}

impl<F: Real> Bars<F> {
    fn new(net: &Film, rows: usize) -> Self {
        let buffer = |width: usize| Buffer::zeros(rows * padded(width));
        let [h, f, u] = [net.width; 3].map(buffer);
        let (z, e) = (buffer(net.inner), buffer(net.embedding));
        let (x, y) = (buffer(net.dim), buffer(net.dim));
        Bars { h, f, u, z, e, features: buffer(net.features()), x, y }
    }
}

/// First affine layer of block `l`.
pub(super) fn first_layer(l: usize) -> usize {
    HEAD + super::PER_BLOCK * l
}
