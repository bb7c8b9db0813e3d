//! One block of rows in forward mode, and in reverse over forward.
//!
//! With ȧ, ż the tangents and S, Q the cotangents of ż_l and z_l for s = <ȳ, ż_L>:
//! ż_l = ȧ_{l-1} W_l + a_{l-1} Ẇ_l, ȧ_l = σ'(z_l) ∘ ż_l; S_L = ȳ, Q_L = 0, and with g = S_l W_lᵀ,
//! h = Q_l W_lᵀ + S_l Ẇ_lᵀ, S_{l-1} = g ∘ σ', Q_{l-1} = h ∘ σ' + g ∘ σ'' ∘ ż_{l-1}; ds/dW_l = a_{l-1}ᵀ Q_l + ȧ_{l-1}ᵀ S_l.
//!
//! S does not depend on the tangent: it is the chain of reverse mode, and of the slopes that a penalty looks at.

use super::block::{Block, Scratch};
use super::pass::{Gradient, Pass, Scale};
use super::stride;
use crate::Real;
use crate::nn::kernel::{Arith, Kernel, copy_rows, padded};

impl<F: Real> Pass<'_, F> {
    /// Writes the tangents of all layers for a tangent of x and one of theta (packed beforehand).
    pub(super) fn tangent(
        &self,
        dx: Option<&[F]>,
        with_theta: bool,
        rows: usize,
        block: &Block<F>,
        scratch: &mut Scratch<F>,
    ) {
        self.net.present_tangent(dx, &block.values[0], &mut scratch.tangents[0]);
        for l in 0..self.weights.len() {
            let (inputs, width) = (self.inputs(l), self.outputs(l));
            let inner = &mut scratch.inner[l];
            self.product(rows, (&scratch.tangents[l], inputs), &self.weights[l], inputs, inner, false);
            if with_theta {
                self.product(rows, (&block.values[l], inputs), &self.tangents[l], inputs + 1, inner, true);
            }
            if l + 1 < self.weights.len() {
                let (by, out) = (&block.first[l], &mut scratch.tangents[l + 1]);
                self.isa.run(Multiply { a: inner, by, out, rows, width });
            }
        }
    }

    /// Copies the tangents of y out of the scratch.
    pub(super) fn tangents_of_outputs(&self, scratch: &Scratch<F>, dy: &mut [F]) {
        let width = self.net.outputs;
        copy_rows(&scratch.inner[self.weights.len() - 1], stride(width), dy, width, width);
    }

    /// The chain S of reverse mode from `ybar`, kept for [`bend`](Self::bend), together with g ∘ σ'' where the activation
    /// is curved; writes the cotangent of x.
    pub(super) fn slopes(
        &self,
        ybar: &[F],
        rows: usize,
        block: &Block<F>,
        scratch: &mut Scratch<F>,
        xbar: Option<&mut [F]>,
    ) {
        let Scratch { chain, bent, cotangent, .. } = scratch;
        let top = self.weights.len() - 1;
        self.start(ybar, &mut chain[top]);
        for l in (1..=top).rev() {
            let (below, above) = chain.split_at_mut(l);
            let (wide, width, s) = (self.outputs(l), self.inputs(l), &mut below[l - 1]);
            self.product(rows, (&above[0], wide), &self.transposes[l], wide, s, false);
            let first = &block.first[l - 1];
            if self.net.activation.is_curved() {
                let second = &block.second[l - 1];
                self.isa.run(Multiply { a: s, by: second, out: &mut bent[l - 1], rows, width });
            }
            self.isa.run(Scale { g: s, by: first, rows, width });
        }
        if let Some(xbar) = xbar {
            let wide = self.outputs(0);
            self.product(rows, (&chain[0], wide), &self.transposes[0], wide, &mut cotangent.now, false);
            self.net.absorb(&cotangent.now, &block.values[0], xbar);
        }
    }

    /// Reverse over forward, after [`tangent`](Self::tangent) and [`slopes`](Self::slopes): adds to the gradient of
    /// s = <ybar, dy>, the first of these having had a tangent of theta or not. True if Q of the first layer is zero, and
    /// then not written.
    pub(super) fn bend(
        &self,
        with_theta: bool,
        rows: usize,
        block: &Block<F>,
        scratch: &mut Scratch<F>,
        mut gradient: Option<&mut Gradient<'_, F>>,
    ) -> bool {
        // Q is zero at the top, and everywhere if the activation is not curved and theta has no tangent.
        let mut q_is_zero = true;
        for l in (0..self.weights.len()).rev() {
            if let Some(gradient) = &mut gradient {
                let add = gradient.add;
                self.weight_gradient(l, rows, &scratch.tangents[l], &scratch.chain[l], gradient, add);
                if !q_is_zero {
                    self.weight_gradient(l, rows, &block.values[l], &scratch.second.now, gradient, true);
                }
            }
            if l > 0 {
                q_is_zero = self.bend_layer(l, with_theta, rows, block, scratch, q_is_zero);
            }
        }
        q_is_zero
    }

    /// Q of the layer below; true if it is zero, and then not written.
    fn bend_layer(
        &self,
        l: usize,
        with_theta: bool,
        rows: usize,
        block: &Block<F>,
        scratch: &mut Scratch<F>,
        q_is_zero: bool,
    ) -> bool {
        let curved = self.net.activation.is_curved();
        if q_is_zero && !with_theta && !curved {
            return true;
        }
        self.pull_q(l, with_theta, rows, scratch, q_is_zero);
        let Scratch { second: q, bent, inner, .. } = scratch;
        let (first, width) = (&block.first[l - 1], self.inputs(l));
        if curved {
            let (bent, inner) = (&bent[l - 1], &inner[l - 1]);
            self.isa.run(Bend { q: &mut q.next, first, bent, inner, rows, width });
        } else {
            self.isa.run(Scale { g: &mut q.next, by: first, rows, width });
        }
        q.swap();
        false
    }

    /// h of the layer below, in `second.next`.
    fn pull_q(&self, l: usize, with_theta: bool, rows: usize, scratch: &mut Scratch<F>, q_is_zero: bool) {
        let Scratch { second: q, chain, .. } = scratch;
        let wide = self.outputs(l);
        if !q_is_zero {
            self.product(rows, (&q.now, wide), &self.transposes[l], wide, &mut q.next, false);
        }
        if with_theta {
            self.product(rows, (&chain[l], wide), &self.tangent_transposes[l], wide, &mut q.next, !q_is_zero);
        } else if q_is_zero {
            q.next[..rows * stride(self.inputs(l))].fill(F::zero());
        }
    }

    /// Writes ds/dx, after [`bend`](Self::bend); the cotangent of ȧ_0 is that of [`slopes`](Self::slopes) asked for x.
    pub(super) fn bent_inputs(
        &self,
        (with_theta, q_is_zero): (bool, bool),
        dx: Option<&[F]>,
        rows: usize,
        block: &Block<F>,
        scratch: &mut Scratch<F>,
        xbar: &mut [F],
    ) {
        self.pull_q(0, with_theta, rows, scratch, q_is_zero);
        self.net.absorb(&scratch.second.next, &block.values[0], xbar);
        if let Some(dx) = dx {
            self.net.absorb_curvature(&scratch.cotangent.now, &block.values[0], dx, xbar);
        }
    }
}

/// out = a ∘ by, on rows of a layer.
pub(super) struct Multiply<'a, F> {
    pub a: &'a [F],
    pub by: &'a [F],
    pub out: &'a mut [F],
    pub rows: usize,
    pub width: usize,
}

impl<F: Real> Kernel for Multiply<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        let (width, stride) = (padded(self.width), stride(self.width));
        let rows = self
            .a
            .chunks_exact(stride)
            .zip(self.by.chunks_exact(stride))
            .zip(self.out.chunks_exact_mut(stride));
        for ((a, by), out) in rows.take(self.rows) {
            let row = a[..width].iter().zip(&by[..width]).zip(&mut out[..width]);
            row.for_each(|((&a, &by), out)| *out = a * by);
        }
    }
}

/// q = q ∘ first + bent ∘ inner.
struct Bend<'a, F> {
    q: &'a mut [F],
    first: &'a [F],
    bent: &'a [F],
    inner: &'a [F],
    rows: usize,
    width: usize,
}

impl<F: Real> Kernel for Bend<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        let (width, stride) = (padded(self.width), stride(self.width));
        for r in 0..self.rows {
            let row = r * stride..r * stride + width;
            let bent = self.bent[row.clone()].iter().zip(&self.inner[row.clone()]);
            let q = self.q[row.clone()].iter_mut().zip(&self.first[row]);
            q.zip(bent).for_each(|((q, &first), (&bent, &inner))| *q = A::fma(*q, first, bent * inner));
        }
    }
}
