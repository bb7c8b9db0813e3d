//! Memory of a residual network.

use super::Residual;
use crate::nn::kernel::{Buffer, Isa, Pack, padded};
use crate::{Error, Real, Result};

/// Rows that go through all blocks together: the record of a deep network of usual width then stays in cache.
const BLOCK_ROWS: usize = 64;

/// Workspace of a [`Residual`] network for up to a given number of rows.
///
/// Holds for each block and row `width + inner` numbers, twice that after a forward-mode pass; with
/// [`recompute`](Residual::recompute) `2 √N` instead of `N` times as many.
#[derive(Debug)]
pub struct ResidualTape<F> {
    pub(super) isa: Isa,
    pub(super) capacity: usize,
    pub(super) rows: usize,
    /// The recorded rows of x.
    pub(super) inputs: Buffer<F>,
    pub(super) weights: Vec<Pack<F>>,
    pub(super) transposes: Vec<Pack<F>>,
    pub(super) transposed: bool,
    /// A tangent of the weights; made when first needed.
    pub(super) tangents: Vec<Pack<F>>,
    pub(super) work: Work<F>,
    /// Outputs of a block of rows and their cotangents, without padding; lent out while they are in use.
    pub(super) flat: Option<[Buffer<F>; 2]>,
}

/// What one block of rows needs.
#[derive(Debug)]
pub(super) struct Work<F> {
    /// Rows of x and y in strides, with their tangents and cotangents.
    pub x: Buffer<F>,
    pub dx: Buffer<F>,
    pub y: Buffer<F>,
    /// The stream at the first block of every segment, with its tangent; empty if there is one segment.
    pub checkpoints: Vec<[Buffer<F>; 2]>,
    /// Record of the segment in hand: the stream r before any norm, and the inner pre-activations z.
    pub r: Vec<Buffer<F>>,
    pub z: Vec<Buffer<F>>,
    /// Their tangents; made when first needed.
    pub dr: Vec<Buffer<F>>,
    pub dz: Vec<Buffer<F>>,
    pub scratch: Scratch<F>,
}

/// Values within a block: h, u = n(h), a = φ(z), c = n(a) with tangents, and cotangents of values (q) and of tangents (s).
#[derive(Debug)]
pub(super) struct Scratch<F> {
    pub h: Buffer<F>,
    pub u: Buffer<F>,
    pub dh: Buffer<F>,
    pub du: Buffer<F>,
    pub q: Buffer<F>,
    pub s: Buffer<F>,
    pub q_branch: Buffer<F>,
    pub s_branch: Buffer<F>,
    pub a: Buffer<F>,
    pub c: Buffer<F>,
    pub da: Buffer<F>,
    pub dc: Buffer<F>,
    pub q_inner: Buffer<F>,
    pub s_inner: Buffer<F>,
    pub first: Buffer<F>,
    pub second: Buffer<F>,
    /// Gradient of one affine layer, padded.
    pub gradient: Buffer<F>,
    /// Three rows for the norms.
    pub row: Buffer<F>,
}

impl<F: Real> ResidualTape<F> {
    pub(super) fn new(net: &Residual, capacity: usize) -> Self {
        let isa = Isa::detect();
        let flat = || Buffer::zeros(capacity.clamp(1, BLOCK_ROWS) * net.outputs);
        ResidualTape {
            isa,
            capacity,
            rows: 0,
            inputs: Buffer::zeros(capacity * net.inputs),
            weights: net.affines().map(|l| Pack::new(l.inputs, l.outputs, isa)).collect(),
            transposes: net.affines().map(|l| Pack::new(l.outputs, l.inputs, isa)).collect(),
            transposed: false,
            tangents: Vec::new(),
            work: Work::new(net, capacity.clamp(1, BLOCK_ROWS)),
            flat: Some([flat(), flat()]),
        }
    }

    /// Rows of one pass.
    pub(super) fn per_block(&self) -> usize {
        self.capacity.clamp(1, BLOCK_ROWS)
    }

    pub(super) fn fits(&self, net: &Residual) -> Result<()> {
        let expected = || net.affines().flat_map(|l| [l.inputs, l.outputs]);
        let found = || self.weights.iter().flat_map(|w| [w.depth(), w.width()]);
        if expected().eq(found()) {
            return Ok(());
        }
        Error::shape(
            "tape (of another network)",
            &expected().collect::<Vec<_>>(),
            &found().collect::<Vec<_>>(),
        )
    }

    pub(super) fn pack(&mut self, net: &Residual, theta: &[F]) {
        net.affines().zip(&mut self.weights).for_each(|(l, pack)| pack.fill(l.weights(theta)));
        self.transposed = false;
    }

    pub(super) fn pack_transposes(&mut self, net: &Residual, theta: &[F]) {
        if !self.transposed {
            net.affines()
                .zip(&mut self.transposes)
                .for_each(|(l, pack)| pack.fill_transposed(l.weights(theta)));
            self.transposed = true;
        }
    }

    pub(super) fn pack_tangent(&mut self, net: &Residual, dtheta: &[F]) {
        if self.tangents.is_empty() {
            self.tangents = net.affines().map(|l| Pack::new(l.inputs, l.outputs, self.isa)).collect();
        }
        net.affines().zip(&mut self.tangents).for_each(|(l, pack)| pack.fill(l.weights(dtheta)));
    }
}

impl<F: Real> Work<F> {
    fn new(net: &Residual, rows: usize) -> Self {
        let buffer = |width: usize| Buffer::zeros(rows * padded(width));
        let segment = segment(net);
        let segments = net.depth.div_ceil(segment.max(1));
        let checkpoints = if segments > 1 { segments } else { 0 };
        Work {
            x: buffer(net.inputs),
            dx: buffer(net.inputs),
            y: buffer(net.outputs),
            checkpoints: (0..checkpoints).map(|_| [buffer(net.width), buffer(net.width)]).collect(),
            r: (0..segment + 1).map(|_| buffer(net.width)).collect(),
            z: (0..segment).map(|_| buffer(net.inner)).collect(),
            dr: Vec::new(),
            dz: Vec::new(),
            scratch: Scratch::new(net, rows),
        }
    }

    /// Makes room for tangents.
    pub(super) fn prepare_tangents(&mut self) {
        if self.dr.is_empty() {
            self.dr = self.r.iter().map(|b| Buffer::zeros(b.len())).collect();
            self.dz = self.z.iter().map(|b| Buffer::zeros(b.len())).collect();
        }
    }
}

impl<F: Real> Scratch<F> {
    fn new(net: &Residual, rows: usize) -> Self {
        let wide = || Buffer::zeros(rows * padded(net.width));
        let deep = || Buffer::zeros(rows * padded(net.inner));
        let widest = net.affines().map(|l| l.inputs * padded(l.outputs)).max().unwrap_or(0);
        Scratch {
            h: wide(),
            u: wide(),
            dh: wide(),
            du: wide(),
            q: wide(),
            s: wide(),
            q_branch: wide(),
            s_branch: wide(),
            a: deep(),
            c: deep(),
            da: deep(),
            dc: deep(),
            q_inner: deep(),
            s_inner: deep(),
            first: deep(),
            second: deep(),
            gradient: Buffer::zeros(widest),
            row: Buffer::zeros(3 * padded(net.width.max(net.inner))),
        }
    }
}

/// Blocks whose record is held at once.
pub(super) fn segment(net: &Residual) -> usize {
    if net.recompute { (net.depth as f64).sqrt().ceil() as usize } else { net.depth }
}
