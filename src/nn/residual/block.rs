//! One block forward and backward.
//!
//! With h = n(r) or r, u = n(h) or h, z = u W₁ + b₁, a = φ(z), c = n(a) or a, f = c W₂ + b₂ and r⁺ = κ h + ε f. Cotangents: q of
//! values; s of tangents, in reverse over forward only.

use super::Residual;
use super::tape::{Scratch, Work};
use crate::Real;
use crate::nn::activation::{Activate, Record};
use crate::nn::kernel::{Arith, Buffer, Isa, Kernel, Pack, RowsTimesPack, TransposeTimesRows, padded};
use crate::nn::norm::{Curve, Derive, Normalise, Rows};

/// What all blocks of rows share.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a, F> {
    pub net: &'a Residual,
    pub isa: Isa,
    pub theta: &'a [F],
    pub weights: &'a [Pack<F>],
    pub transposes: &'a [Pack<F>],
    /// A tangent of theta with its packed weights, if there is one.
    pub tangent: Option<(&'a [F], &'a [Pack<F>])>,
}

/// Rows of this width in the buffers of a tape.
fn rows_of(width: usize) -> Rows {
    Rows { width, stride: padded(width) }
}

impl<F: Real> Pass<'_, F> {
    /// c = a W + b for affine layer `index`.
    pub(super) fn affine(&self, index: usize, rows: usize, a: &[F], c: &mut [F]) {
        let layer = self.net.affine(index);
        let biases = layer.biases(self.theta);
        c.chunks_exact_mut(padded(layer.outputs))
            .take(rows)
            .for_each(|c| c[..biases.len()].copy_from_slice(biases));
        self.product(rows, a, &self.weights[index], c, true);
    }

    /// c = a B or c += a B.
    pub(super) fn product(&self, rows: usize, a: &[F], b: &Pack<F>, c: &mut [F], add: bool) {
        let (depth, a_stride, c_stride) = (b.depth(), padded(b.depth()), padded(b.width()));
        self.isa.run(RowsTimesPack { a, a_stride, rows, b, depth, c, c_stride, add });
    }

    fn wide(&self) -> Rows {
        rows_of(self.net.width)
    }

    fn deep(&self) -> Rows {
        rows_of(self.net.inner)
    }

    /// h and u of block `l` from its r, or from r_N at the end.
    pub(super) fn enter(&self, l: usize, r: &[F], w: &mut Scratch<F>) {
        let (norm, rows) = (self.net.norm, self.wide());
        if self.net.post() && l > 0 {
            self.isa.run(Normalise { norm, rows, x: r, y: &mut w.h });
        } else {
            w.h.copy_from_slice(r);
        }
        if self.net.pre() {
            self.isa.run(Normalise { norm, rows, x: &w.h, y: &mut w.u });
        } else {
            w.u.copy_from_slice(&w.h);
        }
    }

    /// a, its derivatives and c from z.
    pub(super) fn activate(&self, z: &[F], w: &mut Scratch<F>, record: Record) {
        w.a.copy_from_slice(z);
        let (width, stride) = (self.net.inner, padded(self.net.inner));
        let (first, second) = (&mut w.first[..], &mut w.second[..]);
        let activation = self.net.activation;
        self.isa.run(Activate { activation, z: &mut w.a, first, second, width, stride, record });
        if self.net.sub() {
            self.isa.run(Normalise { norm: self.net.norm, rows: self.deep(), x: &w.a, y: &mut w.c });
        } else {
            w.c.copy_from_slice(&w.a);
        }
    }

    /// Block `l` up to its branch: z and f from r.
    pub(super) fn branch_value(
        &self,
        l: usize,
        rows: usize,
        r: &[F],
        (z, f): (&mut [F], &mut [F]),
        w: &mut Scratch<F>,
    ) {
        self.enter(l, r, w);
        self.affine(2 * l + 1, rows, &w.u, z);
        self.activate(z, w, Record::Values);
        self.affine(2 * l + 2, rows, &w.c, f);
    }

    /// Block `l` forward: z and r⁺ from r.
    pub(super) fn forward(
        &self,
        l: usize,
        rows: usize,
        r: &[F],
        (z, next): (&mut [F], &mut [F]),
        w: &mut Scratch<F>,
    ) {
        self.branch_value(l, rows, r, (z, next), w);
        let (carry, epsilon) = (F::of(self.net.carry()), F::of(self.net.epsilon()));
        self.isa.run(Combine { carry, epsilon, x: &w.h, y: next });
    }

    /// x ↦ n'(at) x, for rows of the stream.
    pub(super) fn derive(&self, at: &[F], g: &mut [F], z: &mut [F]) {
        self.isa.run(Derive { norm: self.net.norm, rows: self.wide(), x: at, g, z });
    }

    /// The same inside the branch.
    pub(super) fn derive_inner(&self, at: &[F], g: &mut [F], z: &mut [F]) {
        self.isa.run(Derive { norm: self.net.norm, rows: self.deep(), x: at, g, z });
    }

    /// Adds aᵀ g to the gradient of affine layer `index`, and the sum of g's rows to that of its biases.
    pub(super) fn gradient(
        &self,
        index: usize,
        rows: usize,
        (a, g): (&[F], &[F]),
        biases: bool,
        (theta_bar, spare): (&mut [F], &mut [F]),
    ) {
        let layer = self.net.affine(index);
        let (height, width) = (layer.inputs, layer.outputs);
        let (a_stride, b_stride) = (padded(height), padded(width));
        let (weights, rest) = theta_bar[layer.start..].split_at_mut(height * width);
        let dense = width == b_stride;
        let c = if dense { &mut *weights } else { &mut spare[..height * b_stride] };
        self.isa.run(TransposeTimesRows { a, a_stride, height, b: g, b_stride, width, rows, c, add: dense });
        if !dense {
            for (to, from) in weights.chunks_exact_mut(width).zip(spare.chunks_exact(b_stride)) {
                to.iter_mut().zip(from).for_each(|(to, &from)| *to += from);
            }
        }
        if biases {
            self.isa.run(AddRows { g, stride: b_stride, rows, sum: &mut rest[..width] });
        }
    }

    /// Block `l` (the `i`-th of the segment) backward, from w.q and w.s of r⁺'s norm to those of h.
    pub(super) fn backward(
        &self,
        (l, i): (usize, usize),
        rows: usize,
        work: &mut Work<F>,
        theta_bar: Option<&mut [F]>,
        second: bool,
    ) {
        let Work { r, z, dr, dz, scratch: w, .. } = work;
        if self.net.post() {
            self.fold_norm(&r[i + 1], if second { Some(&dr[i + 1]) } else { None }, w);
        }
        self.enter(l, &r[i], w);
        self.activate(&z[i], w, if second { Record::Second } else { Record::First });
        if second {
            self.enter_tangent(l, &r[i], &dr[i], w);
            self.activate_tangent(&dz[i], w);
        }
        let epsilon = F::of(self.net.epsilon());
        self.isa.run(Scale { by: epsilon, x: &w.q, y: &mut w.q_branch });
        if second {
            self.isa.run(Scale { by: epsilon, x: &w.s, y: &mut w.s_branch });
        }
        self.branch(l, rows, if second { Some(&dz[i]) } else { None }, w, theta_bar);
        let (carry, one) = (F::of(self.net.carry()), F::one());
        let Scratch { q, s, q_branch, s_branch, .. } = w;
        self.isa.run(Combine { carry, epsilon: one, x: &*q, y: &mut *q_branch });
        std::mem::swap(q, q_branch);
        if second {
            self.isa.run(Combine { carry, epsilon: one, x: &*s, y: &mut *s_branch });
            std::mem::swap(s, s_branch);
        }
    }

    /// From cotangents of n(r) to those of r, in w.q and w.s.
    pub(super) fn fold_norm(&self, r: &[F], dr: Option<&Buffer<F>>, w: &mut Scratch<F>) {
        self.derive(r, &mut w.q, &mut w.row);
        if let Some(dx) = dr {
            let (norm, rows) = (self.net.norm, self.wide());
            self.isa.run(Curve { norm, rows, x: r, dx, s: &w.s, q: &mut w.q, z: &mut w.row });
            self.derive(r, &mut w.s, &mut w.row);
        }
    }

    /// The branch backward: from cotangents of f to those of h, in w.q_branch and w.s_branch.
    fn branch(
        &self,
        l: usize,
        rows: usize,
        dz: Option<&Buffer<F>>,
        w: &mut Scratch<F>,
        mut theta_bar: Option<&mut [F]>,
    ) {
        let (norm, deep) = (self.net.norm, self.deep());
        if let Some(to) = theta_bar.as_deref_mut() {
            self.gradient(2 * l + 2, rows, (&w.c, &w.q_branch), true, (to, &mut w.gradient));
            if dz.is_some() {
                self.gradient(2 * l + 2, rows, (&w.dc, &w.s_branch), false, (to, &mut w.gradient));
            }
        }
        self.product(rows, &w.q_branch, &self.transposes[2 * l + 2], &mut w.q_inner, false);
        if dz.is_some() {
            self.product(rows, &w.s_branch, &self.transposes[2 * l + 2], &mut w.s_inner, false);
        }
        if self.net.sub() {
            self.derive_inner(&w.a, &mut w.q_inner, &mut w.row);
            if dz.is_some() {
                let (x, dx, s) = (&w.a[..], &w.da[..], &w.s_inner[..]);
                self.isa.run(Curve { norm, rows: deep, x, dx, s, q: &mut w.q_inner, z: &mut w.row });
                self.derive_inner(&w.a, &mut w.s_inner, &mut w.row);
            }
        }
        match dz {
            None => self.isa.run(Times { g: &mut w.q_inner, by: &w.first }),
            Some(dz) => {
                let (first, second) = (&w.first[..], &w.second[..]);
                self.isa.run(Bend { q: &mut w.q_inner, s: &mut w.s_inner, first, second, dz });
            }
        }
        if let Some(to) = theta_bar {
            self.gradient(2 * l + 1, rows, (&w.u, &w.q_inner), true, (to, &mut w.gradient));
            if dz.is_some() {
                self.gradient(2 * l + 1, rows, (&w.du, &w.s_inner), false, (to, &mut w.gradient));
            }
        }
        self.product(rows, &w.q_inner, &self.transposes[2 * l + 1], &mut w.q_branch, false);
        if dz.is_some() {
            self.product(rows, &w.s_inner, &self.transposes[2 * l + 1], &mut w.s_branch, false);
        }
        if self.net.pre() {
            self.derive(&w.h, &mut w.q_branch, &mut w.row);
            if dz.is_some() {
                let (x, dx, s) = (&w.h[..], &w.dh[..], &w.s_branch[..]);
                self.isa.run(Curve { norm, rows: self.wide(), x, dx, s, q: &mut w.q_branch, z: &mut w.row });
                self.derive(&w.h, &mut w.s_branch, &mut w.row);
            }
        }
    }
}

/// y ← carry · x + epsilon · y.
pub(super) struct Combine<'a, F> {
    pub carry: F,
    pub epsilon: F,
    pub x: &'a [F],
    pub y: &'a mut [F],
}

impl<F: Real> Kernel for Combine<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        for (y, &x) in self.y.iter_mut().zip(self.x) {
            *y = A::fma(self.carry, x, self.epsilon * *y);
        }
    }
}

/// y = by · x.
struct Scale<'a, F> {
    by: F,
    x: &'a [F],
    y: &'a mut [F],
}

impl<F: Real> Kernel for Scale<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        self.y.iter_mut().zip(self.x).for_each(|(y, &x)| *y = self.by * x);
    }
}

/// g ← g ∘ by.
pub(super) struct Times<'a, F> {
    pub g: &'a mut [F],
    pub by: &'a [F],
}

impl<F: Real> Kernel for Times<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        self.g.iter_mut().zip(self.by).for_each(|(g, &by)| *g *= by);
    }
}

/// q ← q ∘ first + s ∘ second ∘ dz, then s ← s ∘ first.
struct Bend<'a, F> {
    q: &'a mut [F],
    s: &'a mut [F],
    first: &'a [F],
    second: &'a [F],
    dz: &'a [F],
}

impl<F: Real> Kernel for Bend<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        let derivatives = self.first.iter().zip(self.second).zip(self.dz);
        for ((q, s), ((&first, &second), &dz)) in self.q.iter_mut().zip(self.s).zip(derivatives) {
            *q = A::fma(*q, first, *s * second * dz);
            *s *= first;
        }
    }
}

/// Adds the rows of g to sum.
struct AddRows<'a, F> {
    g: &'a [F],
    stride: usize,
    rows: usize,
    sum: &'a mut [F],
}

impl<F: Real> Kernel for AddRows<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        for g in self.g.chunks_exact(self.stride).take(self.rows) {
            self.sum.iter_mut().zip(g).for_each(|(sum, &g)| *sum += g);
        }
    }
}
