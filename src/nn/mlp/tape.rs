//! Memory of one network: packed weights, records and scratch of blocks of rows.

use super::block::{Block, Scratch};
use super::{Layer, Mlp};
use crate::nn::activation::Record;
use crate::nn::kernel::{Buffer, Isa, Pack, PairPack, half_available};
use crate::precision::Format;
use crate::{Error, Real, Result};

/// Records larger than this are not kept: the derivatives then run each block forward again while it is
/// in cache. Measured, keeping pays well for wide layers up to here, and is even for narrow ones; it also
/// bounds the memory of a large batch.
pub(super) const KEEP_BYTES: usize = 32 << 20;

/// Work below this is not worth a second thread, in floating-point operations.
const LANE_FLOPS: usize = 30_000_000;

/// Rows a lane must have beyond the first two lanes, so that summing the lanes' gradients stays cheap.
const LANE_ROWS: usize = 256;

/// Rows in a block. Times differ by less than 5% between 48 and 256; 128 suits wide layers slightly better
/// and deals 256 rows evenly to two lanes.
const BLOCK_ROWS: usize = 128;

const MAX_LANES: usize = 16;

/// Workspace of an [`Mlp`] for up to a given number of rows.
///
/// The batch is cut into blocks of rows that go through all layers while in cache. The blocks are dealt
/// to lanes, the lanes to threads; how, depends on the number of rows alone and not on the threads.
#[derive(Debug)]
pub struct MlpTape<F> {
    pub(super) isa: Isa,
    /// Rows there is room for.
    pub(super) capacity: usize,
    /// Rows recorded by the last forward pass.
    pub(super) rows: usize,
    /// Rows in a block.
    pub(super) per_block: usize,
    /// Weights with biases below, one per layer; their transposes; both of a parameter tangent.
    pub(super) weights: Vec<Pack<F>>,
    pub(super) transposes: Vec<Pack<F>>,
    pub(super) tangents: Vec<Pack<F>>,
    pub(super) tangent_transposes: Vec<Pack<F>>,
    /// Weights and transposes in bf16, if the products are taken there.
    pub(super) halves: Option<Halves>,
    /// Which of the packs are those of the recorded parameters.
    pub(super) packed: Packed,
    /// The parameters that are packed.
    recorded: Vec<F>,
    format: Format,
    /// What the closed form of the divergence needs of the parameters.
    pub(super) mixture: Option<Pack<F>>,
    /// The recorded input, where the records are not kept or not enough for all derivatives.
    pub(super) inputs: Buffer<F>,
    /// What the kept records hold.
    pub(super) order: Record,
    /// One record per block, or none.
    pub(super) kept: Vec<Block<F>>,
    pub(super) lanes: Vec<Lane<F>>,
}

/// Weights and their transposes in bf16.
#[derive(Debug)]
pub(super) struct Halves {
    pub weights: Vec<PairPack>,
    pub transposes: Vec<PairPack>,
}

impl Halves {
    /// Room for a network's, if its products are to be taken in bf16 and can be.
    fn new<F: Real>(net: &Mlp) -> Option<Self> {
        let wanted = net.format == Format::Bf16 && F::as_f32(&[]).is_some() && half_available();
        wanted.then(|| Halves {
            weights: net.layers().map(|l| PairPack::new(l.inputs + 1, l.outputs)).collect(),
            transposes: net.layers().map(|l| PairPack::new(l.outputs, l.inputs)).collect(),
        })
    }
}

/// Which packs hold the recorded parameters.
#[derive(Debug, Default)]
pub(super) struct Packed {
    full: bool,
    full_transposes: bool,
    half_transposes: bool,
    pub(super) mixture: bool,
}

/// What one thread needs for itself.
#[derive(Debug)]
pub(super) struct Lane<F> {
    /// Record of the block in hand when it is not kept.
    pub block: Block<F>,
    pub scratch: Scratch<F>,
    /// Gradient by layer, `(in + 1) × out` padded to groups.
    pub gradient: Vec<Buffer<F>>,
    /// Whether the gradient holds anything yet.
    pub started: bool,
    pub loss: F,
    /// Outputs and their cotangents without padding, as a loss sees them.
    pub y: Buffer<F>,
    pub ybar: Buffer<F>,
    /// Slopes and their cotangents, likewise.
    pub slope: Buffer<F>,
    pub slope_bar: Buffer<F>,
}

impl<F: Real> MlpTape<F> {
    pub(super) fn new(net: &Mlp, capacity: usize, isa: Isa, keep_bytes: usize) -> Self {
        let per_block = BLOCK_ROWS.min(capacity.max(1));
        let blocks = capacity.div_ceil(per_block);
        let order = Record::Second;
        let keep = blocks * Block::<F>::bytes(net, per_block, order) <= keep_bytes;
        let lanes = lane_count(net, capacity, per_block);
        if lanes > 1 {
            // Starts the thread pool now rather than in the first pass.
            rayon::current_num_threads();
        }
        let packs = |make: fn(&Layer) -> (usize, usize)| -> Vec<Pack<F>> {
            net.layers().map(|l| make(&l)).map(|(depth, width)| Pack::new(depth, width, isa)).collect()
        };
        MlpTape {
            isa,
            capacity,
            rows: 0,
            per_block,
            weights: packs(|l| (l.inputs + 1, l.outputs)),
            transposes: packs(|l| (l.outputs, l.inputs)),
            tangents: packs(|l| (l.inputs + 1, l.outputs)),
            tangent_transposes: packs(|l| (l.outputs, l.inputs)),
            halves: Halves::new::<F>(net),
            packed: Packed::default(),
            recorded: Vec::with_capacity(net.n_params()),
            format: net.format,
            mixture: None,
            inputs: Buffer::zeros(if keep { 0 } else { capacity * net.inputs }),
            order,
            kept: (0..if keep { blocks } else { 0 }).map(|_| Block::new(net, per_block, order)).collect(),
            lanes: (0..lanes).map(|_| Lane::new(net, per_block)).collect(),
        }
    }

    /// Keeps no more than reverse mode needs; the other derivatives run forward again.
    pub(super) fn for_gradients(net: &Mlp, capacity: usize, isa: Isa) -> Self {
        let mut tape = MlpTape::new(net, capacity, isa, 0);
        tape.add_records(net);
        tape
    }

    /// The records of [`for_gradients`](Self::for_gradients) alone, to be exchanged with such a tape's.
    pub(super) fn records(net: &Mlp, capacity: usize, isa: Isa) -> Self {
        // No packs and no lanes: they are the other tape's.
        let mut tape = MlpTape::new(&Mlp::new(0, &[], 0), 0, isa, 0);
        (tape.capacity, tape.per_block) = (capacity, BLOCK_ROWS.min(capacity.max(1)));
        tape.inputs = Buffer::zeros(capacity * net.inputs);
        tape.add_records(net);
        tape
    }

    fn add_records(&mut self, net: &Mlp) {
        self.order = net.gradient_record();
        if record_bytes::<F>(net, self.capacity) <= KEEP_BYTES {
            let blocks = 0..self.capacity.div_ceil(self.per_block);
            self.kept = blocks.map(|_| Block::new(net, self.per_block, self.order)).collect();
        }
    }

    /// Exchanges what the last forward passes left behind.
    pub(super) fn exchange(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.rows, &mut other.rows);
        std::mem::swap(&mut self.inputs, &mut other.inputs);
        std::mem::swap(&mut self.kept, &mut other.kept);
    }

    /// Checks that this is a tape of a network like `net`.
    pub(super) fn fits(&self, net: &Mlp) -> Result<()> {
        let (format, need) =
            (self.format.eps(), "that of the network; make the tape from the network that uses it");
        Error::setting(self.format == net.format, "the eps of the tape's format", format, need)?;
        let expected = || net.layers().map(|l| [l.inputs + 1, l.outputs]);
        let found = || self.weights.iter().map(|w| [w.depth(), w.width()]);
        if expected().eq(found()) {
            return Ok(());
        }
        Error::shape(
            "tape (of another network)",
            &expected().flatten().collect::<Vec<_>>(),
            &found().flatten().collect::<Vec<_>>(),
        )
    }

    /// Packs the weights for the products of a pass, unless that is done: a game asks for the same parameters several times a step.
    pub(super) fn pack(&mut self, net: &Mlp, theta: &[F]) {
        if same(&self.recorded, theta) {
            return;
        }
        self.recorded.clear();
        self.recorded.extend_from_slice(theta);
        self.packed = Packed::default();
        match (&mut self.halves, F::as_f32(theta)) {
            (Some(halves), Some(theta)) => {
                for (l, pack) in net.layers().zip(&mut halves.weights) {
                    pack.fill(&theta[l.start..l.end]);
                }
            }
            _ => self.pack_full(net, theta),
        }
    }

    /// Packs the transposed weights, unless that is done.
    pub(super) fn pack_transposes(&mut self, net: &Mlp, theta: &[F]) {
        match (&mut self.halves, F::as_f32(theta)) {
            (Some(halves), Some(theta)) if !self.packed.half_transposes => {
                for (l, pack) in net.layers().zip(&mut halves.transposes) {
                    pack.fill_transposed(&theta[l.start..l.start + l.inputs * l.outputs]);
                }
                self.packed.half_transposes = true;
            }
            (Some(_), Some(_)) => {}
            _ => self.pack_full_transposes(net, theta),
        }
    }

    /// Packs the weights for products in full precision, unless that is done.
    pub(super) fn pack_full(&mut self, net: &Mlp, theta: &[F]) {
        if !std::mem::replace(&mut self.packed.full, true) {
            for (l, pack) in net.layers().zip(&mut self.weights) {
                pack.fill(&theta[l.start..l.end]);
                pack.round(net.format);
            }
        }
    }

    /// The same for the transposes.
    pub(super) fn pack_full_transposes(&mut self, net: &Mlp, theta: &[F]) {
        if !std::mem::replace(&mut self.packed.full_transposes, true) {
            for (l, pack) in net.layers().zip(&mut self.transposes) {
                pack.fill_transposed(&theta[l.start..l.start + l.inputs * l.outputs]);
                pack.round(net.format);
            }
        }
    }

    /// Packs a parameter tangent.
    pub(super) fn pack_tangent(&mut self, net: &Mlp, dtheta: &[F]) {
        for (l, pack) in net.layers().zip(&mut self.tangents) {
            pack.fill(&dtheta[l.start..l.end]);
        }
    }

    /// Packs its transposes.
    pub(super) fn pack_tangent_transposes(&mut self, net: &Mlp, dtheta: &[F]) {
        for (l, pack) in net.layers().zip(&mut self.tangent_transposes) {
            pack.fill_transposed(&dtheta[l.start..l.start + l.inputs * l.outputs]);
        }
    }
}

impl<F: Real> Lane<F> {
    fn new(net: &Mlp, rows: usize) -> Self {
        let gradient = net.layers().map(|l| Buffer::zeros(net.gradient_len(&l))).collect();
        Lane {
            block: Block::new(net, rows, Record::Second),
            scratch: Scratch::new(net, rows),
            gradient,
            started: false,
            loss: F::zero(),
            y: Buffer::zeros(rows * net.outputs),
            ybar: Buffer::zeros(rows * net.outputs),
            slope: Buffer::zeros(rows * net.inputs),
            slope_bar: Buffer::zeros(rows * net.inputs),
        }
    }

    /// Adds another lane's gradient and loss to this one's.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.loss += other.loss;
        for (to, from) in self.gradient.iter_mut().zip(&other.gradient) {
            to.iter_mut().zip(from.iter()).for_each(|(to, &from)| *to += from);
        }
    }
}

/// Size of what reverse mode needs of a forward pass of so many rows.
pub(super) fn record_bytes<F: Real>(net: &Mlp, rows: usize) -> usize {
    let per_block = BLOCK_ROWS.min(rows.max(1));
    rows.div_ceil(per_block) * Block::<F>::bytes(net, per_block, net.gradient_record())
        + rows * net.inputs * size_of::<F>()
}

/// Equality, in strides that vectorise: the parameters are compared in every pass.
fn same<F: Real>(a: &[F], b: &[F]) -> bool {
    let differ = |(a, b): (&[F], &[F])| a.iter().zip(b).fold(false, |d, (a, b)| d | (a != b));
    a.len() == b.len() && !a.chunks(512).zip(b.chunks(512)).any(differ)
}

/// Lanes for a batch.
pub(super) fn lane_count(net: &Mlp, rows: usize, per_block: usize) -> usize {
    let by_work = 6 * rows * net.n_params() / LANE_FLOPS;
    let by_rows = (rows / LANE_ROWS).max(2);
    by_work.min(by_rows).min(MAX_LANES).min(rows.div_ceil(per_block)).max(1)
}
