//! The divergence in closed form.
//!
//! With s_l = σ'(z_l) and W_1x the rows of W_1 that belong to the first `outputs` inputs, ∂y/∂x = W_1x diag(s_1) W_2 diag(s_2) ..
//! W_L (acting on rows). Two hidden layers: its trace is s_1ᵀ M s_2 with M = W_2 ∘ (W_3 W_1x)ᵀ, one product of the batch with a
//! matrix that depends on theta alone, in any dimension. Otherwise it is the sum over k of the tangents along input k, of which
//! the first layer is a row of W_1 and the last one a dot product.

use super::Mlp;
use super::block::{Block, Scratch};
use super::lanes::Job;
use super::pass::Pass;
use super::stride;
use super::tangent::Multiply;
use super::tape::MlpTape;
use crate::Real;
use crate::nn::activation::Record;
use crate::nn::kernel::{Arith, GROUP, Kernel, Pack, padded};

impl Mlp {
    /// Writes the divergence at the recorded rows.
    pub(super) fn run_divergence<F: Real>(&self, theta: &[F], div: &mut [F], tape: &mut MlpTape<F>) {
        tape.pack_full(self, theta);
        let mixed = self.hidden.len() == 2;
        if mixed && !std::mem::replace(&mut tape.packed.mixture, true) {
            let mixture = self.mixture(theta);
            let (depth, width, isa) = (self.hidden[0], self.hidden[1], tape.isa);
            tape.mixture.get_or_insert_with(|| Pack::new(depth, width, isa)).fill(&mixture);
        }
        div.fill(F::zero());
        let mixture = tape.mixture.take();
        let enough = tape.order >= Record::First;
        let (pass, inputs, share) = tape.share(self, div, 1);
        let block = |Job { first, rows, lane, kept, out }: Job<'_, F>| {
            let x = super::batch::recorded(inputs, self.inputs, first, rows);
            let block = pass.recorded(x, rows, kept.filter(|_| enough), &mut lane.block, Record::First);
            match mixture.as_ref().filter(|_| mixed) {
                Some(mixture) => pass.mixed_trace(mixture, rows, block, &mut lane.scratch, out),
                None => pass.trace(theta, rows, block, &mut lane.scratch, out),
            }
        };
        share.run(&block, &|_, _| ());
        tape.mixture = mixture;
    }

    /// W_2 ∘ (W_3 W_1x)ᵀ, row-major.
    fn mixture<F: Real>(&self, theta: &[F]) -> Vec<F> {
        let [first, middle, last]: [&[F]; 3] = {
            let mut parts = self.layers().map(|l| &theta[l.start..l.end]);
            std::array::from_fn(|_| parts.next().unwrap_or_default())
        };
        let (wide, width, outputs) = (self.hidden[0], self.hidden[1], self.outputs);
        let mut mixture = Vec::with_capacity(wide * width);
        let mut column = vec![F::zero(); outputs];
        for p in 0..wide {
            column.iter_mut().enumerate().for_each(|(k, c)| *c = first[k * wide + p]);
            for q in 0..width {
                let row = &last[q * outputs..][..outputs];
                let through: F = column.iter().zip(row).map(|(&a, &b)| a * b).sum();
                mixture.push(middle[p * width + q] * through);
            }
        }
        mixture
    }
}

impl<F: Real> Pass<'_, F> {
    /// s_1ᵀ M s_2.
    fn mixed_trace(
        &self,
        mixture: &Pack<F>,
        rows: usize,
        block: &Block<F>,
        scratch: &mut Scratch<F>,
        div: &mut [F],
    ) {
        let (wide, width) = (self.outputs(0), self.outputs(1));
        let a = &mut scratch.inner[1];
        self.product(rows, (&block.first[0], wide), mixture, wide, a, false);
        self.isa.run(Dots { a, by: &block.first[1], by_stride: stride(width), width, out: div });
    }

    /// The tangents along the first inputs, one after another.
    fn trace(&self, theta: &[F], rows: usize, block: &Block<F>, scratch: &mut Scratch<F>, div: &mut [F]) {
        let (outputs, top) = (self.net.outputs, self.weights.len() - 1);
        let mut layers = self.net.layers().map(|l| &theta[l.start..l.end]);
        let (Some(first), last) = (layers.next(), layers.last()) else { return };
        let Some(last) = last else {
            let trace: F = (0..outputs).map(|k| first[k * outputs + k]).sum();
            return div.fill(trace);
        };
        let (wide, width) = (self.outputs(0), self.inputs(top));
        for k in 0..outputs {
            let row = &mut scratch.cotangent.now;
            row[..wide].copy_from_slice(&first[k * wide..][..wide]);
            row[wide..padded(wide)].fill(F::zero());
            self.isa.run(Spread {
                row,
                by: &block.first[0],
                out: &mut scratch.tangents[1],
                rows,
                width: wide,
            });
            for l in 1..top {
                let (inputs, width) = (self.inputs(l), self.outputs(l));
                let (inner, (below, above)) = (&mut scratch.inner[l], scratch.tangents.split_at_mut(l + 1));
                self.product(rows, (&below[l], inputs), &self.weights[l], inputs, inner, false);
                self.isa.run(Multiply { a: inner, by: &block.first[l], out: &mut above[0], rows, width });
            }
            let column = &mut scratch.cotangent.now;
            column[..padded(width)].fill(F::zero());
            column.iter_mut().zip(last[k..].iter().step_by(outputs)).take(width).for_each(|(c, &w)| *c = w);
            self.isa.run(Dots { a: &scratch.tangents[top], by: column, by_stride: 0, width, out: div });
        }
    }
}

/// out = row ∘ by, the same row for all.
struct Spread<'a, F> {
    row: &'a [F],
    by: &'a [F],
    out: &'a mut [F],
    rows: usize,
    width: usize,
}

impl<F: Real> Kernel for Spread<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        let (width, stride) = (padded(self.width), stride(self.width));
        let rows = self.by.chunks_exact(stride).zip(self.out.chunks_exact_mut(stride));
        for (by, out) in rows.take(self.rows) {
            let row = self.row[..width].iter().zip(&by[..width]).zip(&mut out[..width]);
            row.for_each(|((&a, &by), out)| *out = a * by);
        }
    }
}

/// out += <a, by>, row by row.
struct Dots<'a, F> {
    a: &'a [F],
    by: &'a [F],
    by_stride: usize,
    width: usize,
    out: &'a mut [F],
}

impl<F: Real> Kernel for Dots<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        let (width, stride) = (padded(self.width), stride(self.width));
        for (r, out) in self.out.iter_mut().enumerate() {
            let (a, by) = (&self.a[r * stride..][..width], &self.by[r * self.by_stride..][..width]);
            let mut sum = [F::zero(); GROUP];
            for (a, by) in a.as_chunks::<GROUP>().0.iter().zip(by.as_chunks::<GROUP>().0) {
                for l in 0..GROUP {
                    sum[l] = A::fma(a[l], by[l], sum[l]);
                }
            }
            *out += sum.iter().copied().sum::<F>();
        }
    }
}
