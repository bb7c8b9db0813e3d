//! One block of rows in forward mode, and in reverse over forward.
//!
//! With ȧ, ż the tangents and S, Q the cotangents of ż_l and z_l for s = <ȳ, ż_L>:
//! ż_l = ȧ_{l-1} W_l, ȧ_l = σ'(z_l) ∘ ż_l; S_L = ȳ, Q_L = 0, and with g = S_l W_lᵀ, h = Q_l W_lᵀ,
//! S_{l-1} = g ∘ σ', Q_{l-1} = h ∘ σ' + g ∘ σ'' ∘ ż_{l-1}; ds/dW_l = a_{l-1}ᵀ Q_l + ȧ_{l-1}ᵀ S_l.

use super::block::{Block, Scratch};
use super::pass::{Gradient, Pass};
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

    /// Reverse over forward, after [`tangent`](Self::tangent) with the same dx: adds to the gradient of
    /// s = <ybar, dy>; writes ds/dx.
    pub(super) fn second(
        &self,
        (ybar, dx): (&[F], &[F]),
        rows: usize,
        block: &Block<F>,
        scratch: &mut Scratch<F>,
        mut gradient: Option<Gradient<'_, F>>,
        xbar: Option<&mut [F]>,
    ) {
        let Scratch { cotangent: s, second: q, tangents, inner, .. } = scratch;
        self.start(ybar, &mut s.now);
        // Q is zero at the top, and everywhere if the activation is not curved.
        let mut q_is_zero = true;
        for l in (0..self.weights.len()).rev() {
            if let Some(gradient) = &mut gradient {
                self.weight_gradient(l, rows, &tangents[l], &s.now, gradient, gradient.add);
                if !q_is_zero {
                    self.weight_gradient(l, rows, &block.values[l], &q.now, gradient, true);
                }
            }
            if l == 0 && xbar.is_none() {
                return;
            }
            let (wide, packed) = (self.outputs(l), &self.transposes[l]);
            self.product(rows, (&s.now, wide), packed, wide, &mut s.next, false);
            if q_is_zero {
                q.next[..rows * stride(self.inputs(l))].fill(F::zero());
            } else {
                self.product(rows, (&q.now, wide), packed, wide, &mut q.next, false);
            }
            if l > 0 {
                let (first, second, inner) = (&block.first[l - 1], &block.second[l - 1], &inner[l - 1]);
                let width = self.inputs(l);
                self.isa.run(Bend { s: &mut s.next, q: &mut q.next, first, second, inner, rows, width });
                q_is_zero = !self.net.activation.is_curved();
            }
            s.swap();
            q.swap();
        }
        if let Some(xbar) = xbar {
            self.net.absorb(&q.now, &block.values[0], xbar);
            self.net.absorb_curvature(&s.now, &block.values[0], dx, xbar);
        }
    }
}

/// out = a ∘ by, on rows of a layer.
struct Multiply<'a, F> {
    a: &'a [F],
    by: &'a [F],
    out: &'a mut [F],
    rows: usize,
    width: usize,
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

/// q = q ∘ first + s ∘ second ∘ inner, then s = s ∘ first.
struct Bend<'a, F> {
    s: &'a mut [F],
    q: &'a mut [F],
    first: &'a [F],
    second: &'a [F],
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
            let (s, q) = (&mut self.s[row.clone()], &mut self.q[row.clone()]);
            let derivatives = self.first[row.clone()].iter().zip(&self.second[row.clone()]);
            for (((s, q), (&first, &second)), &inner) in
                s.iter_mut().zip(q).zip(derivatives).zip(&self.inner[row])
            {
                *q = A::fma(*q, first, *s * second * inner);
                *s *= first;
            }
        }
    }
}
