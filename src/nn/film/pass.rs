//! One block of rows forward, in forward mode, and backward.
//!
//! Backward, q are cotangents of values and p their tangents: the cotangents' change along the tangent of x and theta,
//! which is what reverse over forward asks for.

use super::tape::{Bars, Block, Curves, Values, Work, first_layer};
use super::{Affine, DOWN, Film, GATE, SCALE, SHIFT, UP};
use crate::Real;
use crate::nn::activation::{Activate, Record};
use crate::nn::kernel::{Arith, Isa, Kernel, Pack, RowsTimesPack, TransposeTimesRows, copy_rows, padded};
use crate::nn::norm::{Curve, Derive, Normalise, Rows};
use crate::nn::time_features::{Present, pull_back, pull_back_curvature, tangent};

/// What a pass over a block of rows needs beside its memory.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a, F> {
    pub net: &'a Film,
    pub isa: Isa,
    pub theta: &'a [F],
    /// A tangent of theta.
    pub dtheta: Option<&'a [F]>,
    pub layers: &'a [Affine],
    /// Packed weights of theta, and of its tangent; their transposes.
    pub weights: &'a [Vec<Pack<F>>; 2],
    pub transposes: &'a [Vec<Pack<F>>; 2],
    pub rows: usize,
    /// Whether the second derivatives are wanted.
    pub second: bool,
}

/// A value (or its cotangent), and its tangent.
type Two<'b, F> = (&'b [F], &'b [F]);
type TwoMut<'b, F> = (&'b mut [F], &'b mut [F]);

impl<F: Real> Pass<'_, F> {
    fn map<G: Fn(F, [F; N]) -> F, const N: usize>(&self, out: &mut [F], from: [&[F]; N], g: G) {
        self.isa.run(Map { out, from, g });
    }

    fn product(&self, a: &[F], b: &Pack<F>, c: &mut [F], add: bool) {
        let (rows, depth) = (self.rows, b.depth());
        let (a_stride, c_stride) = (padded(depth), padded(b.width()));
        self.isa.run(RowsTimesPack { a, a_stride, rows, b, depth, c, c_stride, add });
    }

    /// c = a W + b for affine layer `index`.
    fn affine(&self, index: usize, a: &[F], c: &mut [F]) {
        self.product(a, &self.weights[0][index], c, false);
        self.isa.run(AddRow { row: self.layers[index].biases(self.theta), to: c });
    }

    /// dc = da W, and a dW + db if theta has a tangent.
    fn affine_tangent(&self, index: usize, (a, da): Two<'_, F>, dc: &mut [F]) {
        self.product(da, &self.weights[0][index], dc, false);
        if let Some(dtheta) = self.dtheta {
            self.product(a, &self.weights[1][index], dc, true);
            self.isa.run(AddRow { row: self.layers[index].biases(dtheta), to: dc });
        }
    }

    /// Cotangents of a layer's inputs from those of its outputs, written or added.
    fn pull(&self, index: usize, (q, p): Two<'_, F>, (to, dto): TwoMut<'_, F>, add: bool) {
        let transpose = &self.transposes[0][index];
        self.product(q, transpose, to, add);
        if self.second {
            self.product(p, transpose, dto, add);
            if self.dtheta.is_some() {
                self.product(q, &self.transposes[1][index], dto, true);
            }
        }
    }

    /// Adds to the gradient of a layer: aᵀ q, or its tangent aᵀ p + ȧᵀ q; and of its biases.
    fn gradient(
        &self,
        index: usize,
        (a, da): Two<'_, F>,
        (q, p): Two<'_, F>,
        theta_bar: Option<&mut [F]>,
        spare: &mut [F],
    ) {
        let Some(theta_bar) = theta_bar else { return };
        let layer = self.layers[index];
        let (height, width, rows) = (layer.inputs, layer.outputs, self.rows);
        let (a_stride, b_stride) = (padded(height), padded(width));
        let mut times = |a, b, add| {
            let c = &mut *spare;
            self.isa.run(TransposeTimesRows { a, a_stride, height, b, b_stride, width, rows, c, add });
        };
        times(a, if self.second { p } else { q }, false);
        if self.second {
            times(da, q, true);
        }
        let to = &mut theta_bar[layer.start..layer.end()];
        let (weights, biases) = to.split_at_mut(height * width);
        for (to, from) in weights.chunks_exact_mut(width).zip(spare.chunks_exact(b_stride)) {
            to.iter_mut().zip(from).for_each(|(to, &from)| *to += from);
        }
        for g in (if self.second { p } else { q }).chunks_exact(b_stride).take(rows) {
            biases.iter_mut().zip(g).for_each(|(to, &g)| *to += g);
        }
    }

    fn activate(&self, width: usize, z: &mut [F], curves: &mut Curves<F>, record: Record) {
        let (first, second) = (&mut curves.first[..], &mut curves.second[..]);
        let (activation, stride) = (self.net.activation, padded(width));
        self.isa.run(Activate { activation, z, first, second, width, stride, record });
    }

    fn stream(&self) -> Rows {
        Rows { width: self.net.width, stride: padded(self.net.width) }
    }

    fn normalise(&self, x: &[F], y: &mut [F]) {
        match self.net.norm {
            Some(norm) => self.isa.run(Normalise { norm, rows: self.stream(), x, y }),
            None => y.copy_from_slice(x),
        }
    }

    /// g ← n'(x) g.
    fn derive(&self, x: &[F], g: &mut [F], z: &mut [F]) {
        if let Some(norm) = self.net.norm {
            self.isa.run(Derive { norm, rows: self.stream(), x, g, z });
        }
    }

    /// From cotangents of n(x) to those of x, in place.
    fn fold(&self, (x, dx): Two<'_, F>, (q, p): TwoMut<'_, F>, z: &mut [F]) {
        let Some(norm) = self.net.norm else { return };
        if self.second {
            self.derive(x, p, z);
            self.isa.run(Curve { norm, rows: self.stream(), x, dx, s: q, q: p, z });
        }
        self.derive(x, q, z);
    }

    /// Everything forward from rows `[x | t | condition]`.
    pub(super) fn forward(&self, x: &[F], record: Record, work: &mut Work<F>) {
        let Work { values: [v, _], curves, context, .. } = work;
        let (net, n) = (self.net, self.net.context());
        let inputs = net.dim + n;
        copy_rows(x, inputs, &mut v.x, padded(net.dim), net.dim);
        for (row, to) in x.chunks_exact(inputs).zip(context.chunks_exact_mut(n)) {
            to.copy_from_slice(&row[net.dim..]);
        }
        let context = &context[..self.rows * n];
        let stride = padded(net.features());
        copy_rows(context, n, &mut v.features, stride, n);
        if !net.frequencies.is_empty() {
            let (frequencies, a) = (&net.frequencies[..], &mut v.features[..]);
            self.isa.run(Present { frequencies, x: context, inputs: n, column: 0, a, stride });
        }
        self.affine(1, &v.features, &mut v.e);
        self.activate(net.embedding, &mut v.e, &mut curves[0], record);
        self.affine(0, &v.x, &mut v.blocks[0].h);
        for l in 0..net.depth {
            let (before, after) = v.blocks.split_at_mut(l + 1);
            let next = after.first_mut().map_or(&mut v.h, |b| &mut b.h);
            self.block(l, &v.e, &mut before[l], &mut curves[l + 1], record, next);
        }
        self.normalise(&v.h, &mut v.n);
        self.affine(net.layers() - 1, &v.n, &mut v.y);
    }

    fn block(
        &self,
        l: usize,
        e: &[F],
        b: &mut Block<F>,
        curves: &mut Curves<F>,
        record: Record,
        next: &mut [F],
    ) {
        let first = first_layer(l);
        self.affine(first + SCALE, e, &mut b.scale);
        self.affine(first + SHIFT, e, &mut b.shift);
        self.affine(first + GATE, e, &mut b.gate);
        self.normalise(&b.h, &mut b.n);
        self.map(&mut b.u, [&b.n, &b.scale, &b.shift], |_, [n, scale, shift]| n + n * scale + shift);
        self.affine(first + UP, &b.u, &mut b.a);
        self.activate(self.net.inner, &mut b.a, curves, record);
        self.affine(first + DOWN, &b.a, &mut b.f);
        self.map(next, [&b.h, &b.gate, &b.f], |_, [h, gate, f]| h + gate * f);
    }

    /// Everything in forward mode, after [`forward`](Self::forward); without dx, along the tangent of theta alone.
    pub(super) fn tangent(&self, dx: Option<&[F]>, work: &mut Work<F>) {
        let Work { values: [v, d], curves, row, .. } = work;
        self.enter_tangent(dx, v, d);
        self.affine_tangent(1, (&v.features, &d.features), &mut curves[0].tangent);
        self.map(&mut d.e, [&curves[0].first, &curves[0].tangent], |_, [slope, dz]| slope * dz);
        self.affine_tangent(0, (&v.x, &d.x), &mut d.blocks[0].h);
        for (l, b) in v.blocks.iter().enumerate() {
            let (before, after) = d.blocks.split_at_mut(l + 1);
            let next = after.first_mut().map_or(&mut d.h, |b| &mut b.h);
            self.block_tangent(l, (&v.e, &d.e), (b, &mut before[l]), (&mut curves[l + 1], row), next);
        }
        d.n.copy_from_slice(&d.h);
        self.derive(&v.h, &mut d.n, row);
        self.affine_tangent(self.net.layers() - 1, (&v.n, &d.n), &mut d.y);
    }

    fn enter_tangent(&self, dx: Option<&[F]>, v: &Values<F>, d: &mut Values<F>) {
        let (net, n) = (self.net, self.net.context());
        let Some(dx) = dx else {
            d.x.fill(F::zero());
            return d.features.fill(F::zero());
        };
        let (inputs, stride) = (net.dim + n, padded(net.features()));
        copy_rows(dx, inputs, &mut d.x, padded(net.dim), net.dim);
        let rows = v.features.chunks_exact(stride).zip(d.features.chunks_exact_mut(stride));
        for (dx, (f, df)) in dx.chunks_exact(inputs).zip(rows) {
            df[..n].copy_from_slice(&dx[net.dim..]);
            let width = net.features();
            tangent(&net.frequencies, &f[n..width], dx[net.dim], &mut df[n..width]);
        }
    }

    fn block_tangent(
        &self,
        l: usize,
        e: Two<'_, F>,
        (b, d): (&Block<F>, &mut Block<F>),
        (curves, row): (&mut Curves<F>, &mut [F]),
        next: &mut [F],
    ) {
        let first = first_layer(l);
        self.affine_tangent(first + SCALE, e, &mut d.scale);
        self.affine_tangent(first + SHIFT, e, &mut d.shift);
        self.affine_tangent(first + GATE, e, &mut d.gate);
        d.n.copy_from_slice(&d.h);
        self.derive(&b.h, &mut d.n, row);
        let from = [&b.n[..], &b.scale, &d.n, &d.scale, &d.shift];
        self.map(&mut d.u, from, |_, [n, s, dn, ds, dt]| dn + dn * s + n * ds + dt);
        self.affine_tangent(first + UP, (&b.u, &d.u), &mut curves.tangent);
        self.map(&mut d.a, [&curves.first, &curves.tangent], |_, [slope, dz]| slope * dz);
        self.affine_tangent(first + DOWN, (&b.a, &d.a), &mut d.f);
        let from = [&d.h[..], &b.gate, &b.f, &d.gate, &d.f];
        self.map(next, from, |_, [dh, g, f, dg, df]| dh + dg * f + g * df);
    }

    /// Everything backward from ybar: cotangents of values, or, with [`second`](Self::second), their tangents.
    pub(super) fn backward(
        &self,
        ybar: &[F],
        mut theta_bar: Option<&mut [F]>,
        xbar: Option<&mut [F]>,
        work: &mut Work<F>,
    ) {
        let Work { values: [v, d], curves, bars: [q, p], gradient: spare, row, .. } = work;
        let (net, last) = (self.net, self.net.layers() - 1);
        copy_rows(ybar, net.dim, &mut q.y, padded(net.dim), net.dim);
        for zero in [&mut p.y, &mut q.e, &mut p.e] {
            zero.fill(F::zero());
        }
        self.gradient(last, (&v.n, &d.n), (&q.y, &p.y), theta_bar.as_deref_mut(), spare);
        self.pull(last, (&q.y, &p.y), (&mut q.h, &mut p.h), false);
        self.fold((&v.h, &d.h), (&mut q.h, &mut p.h), row);
        for l in (0..net.depth).rev() {
            let memory = (&mut spare[..], &mut row[..]);
            let (b, e) = ((&v.blocks[l], &d.blocks[l], &curves[l + 1]), (&v.e[..], &d.e[..]));
            self.block_backward(l, b, e, (&mut *q, &mut *p), theta_bar.as_deref_mut(), memory);
        }
        self.gradient(0, (&v.x, &d.x), (&q.h, &p.h), theta_bar.as_deref_mut(), spare);
        self.bend(&curves[0], (&mut q.e, &mut p.e));
        self.gradient(1, (&v.features, &d.features), (&q.e, &p.e), theta_bar, spare);
        if let Some(xbar) = xbar {
            self.pull(0, (&q.h, &p.h), (&mut q.x, &mut p.x), false);
            self.pull(1, (&q.e, &p.e), (&mut q.features, &mut p.features), false);
            self.leave((v, d), (q, p), xbar);
        }
    }

    /// From cotangents of φ(z) to those of z, in place.
    fn bend(&self, curves: &Curves<F>, (q, p): TwoMut<'_, F>) {
        if self.second {
            let from = [&*q, &curves.first[..], &curves.second, &curves.tangent];
            self.map(p, from, |p, [q, first, second, dz]| p * first + q * second * dz);
        }
        self.map(q, [&curves.first], |q, [first]| q * first);
    }

    fn block_backward(
        &self,
        l: usize,
        (b, d, curves): (&Block<F>, &Block<F>, &Curves<F>),
        e: Two<'_, F>,
        (q, p): (&mut Bars<F>, &mut Bars<F>),
        mut theta_bar: Option<&mut [F]>,
        (spare, row): TwoMut<'_, F>,
    ) {
        let first = first_layer(l);
        // The gate's cotangent passes through u.
        self.times((&q.h, &p.h), (&b.gate, &d.gate), (&mut q.f, &mut p.f));
        self.times((&q.h, &p.h), (&b.f, &d.f), (&mut q.u, &mut p.u));
        self.gradient(first + GATE, e, (&q.u, &p.u), theta_bar.as_deref_mut(), spare);
        self.pull(first + GATE, (&q.u, &p.u), (&mut q.e, &mut p.e), true);
        self.gradient(first + DOWN, (&b.a, &d.a), (&q.f, &p.f), theta_bar.as_deref_mut(), spare);
        self.pull(first + DOWN, (&q.f, &p.f), (&mut q.z, &mut p.z), false);
        self.bend(curves, (&mut q.z, &mut p.z));
        self.gradient(first + UP, (&b.u, &d.u), (&q.z, &p.z), theta_bar.as_deref_mut(), spare);
        self.pull(first + UP, (&q.z, &p.z), (&mut q.u, &mut p.u), false);
        self.gradient(first + SHIFT, e, (&q.u, &p.u), theta_bar.as_deref_mut(), spare);
        self.pull(first + SHIFT, (&q.u, &p.u), (&mut q.e, &mut p.e), true);
        self.times((&q.u, &p.u), (&b.n, &d.n), (&mut q.f, &mut p.f));
        self.gradient(first + SCALE, e, (&q.f, &p.f), theta_bar, spare);
        self.pull(first + SCALE, (&q.f, &p.f), (&mut q.e, &mut p.e), true);
        if self.second {
            self.map(&mut p.u, [&q.u, &b.scale, &d.scale], |p, [q, s, ds]| p + p * s + q * ds);
        }
        self.map(&mut q.u, [&b.scale], |q, [s]| q + q * s);
        self.fold((&b.h, &d.h), (&mut q.u, &mut p.u), row);
        self.map(&mut q.h, [&q.u], |h, [u]| h + u);
        if self.second {
            self.map(&mut p.h, [&p.u], |h, [u]| h + u);
        }
    }

    /// q ∘ x, and its tangent.
    fn times(&self, (q, p): Two<'_, F>, (x, dx): Two<'_, F>, (to, dto): TwoMut<'_, F>) {
        self.map(to, [q, x], |_, [q, x]| q * x);
        if self.second {
            self.map(dto, [q, x, p, dx], |_, [q, x, p, dx]| p * x + q * dx);
        }
    }

    /// Writes the cotangents of rows of input.
    fn leave(&self, (v, d): (&Values<F>, &Values<F>), (q, p): (&Bars<F>, &Bars<F>), xbar: &mut [F]) {
        let (net, n, width) = (self.net, self.net.context(), self.net.features());
        let (inputs, narrow, wide) = (net.dim + n, padded(net.dim), padded(width));
        let bars = if self.second { p } else { q };
        let frequencies = &net.frequencies[..];
        for (i, xbar) in xbar.chunks_exact_mut(inputs).enumerate() {
            let [f, df] = [v, d].map(|v| &v.features[i * wide..][..width]);
            let [bar, first] = [bars, q].map(|b| &b.features[i * wide..][..width]);
            xbar[..net.dim].copy_from_slice(&bars.x[i * narrow..][..net.dim]);
            xbar[net.dim..].copy_from_slice(&bar[..n]);
            xbar[net.dim] += pull_back(frequencies, &f[n..], &bar[n..]);
            if self.second {
                xbar[net.dim] += df[0] * pull_back_curvature(frequencies, &f[n..], &first[n..]);
            }
        }
    }
}

/// out ← g(out, from), number by number.
struct Map<'a, F, G, const N: usize> {
    out: &'a mut [F],
    from: [&'a [F]; N],
    g: G,
}

impl<F: Real, G: Fn(F, [F; N]) -> F, const N: usize> Kernel for Map<'_, F, G, N> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        let n = self.out.len();
        let from: [&[F]; N] = self.from.map(|f| &f[..n]);
        for (i, out) in self.out.iter_mut().enumerate() {
            *out = (self.g)(*out, std::array::from_fn(|k| from[k][i]));
        }
    }
}

/// Adds a row to every row.
struct AddRow<'a, F> {
    row: &'a [F],
    to: &'a mut [F],
}

impl<F: Real> Kernel for AddRow<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        for to in self.to.chunks_exact_mut(padded(self.row.len())) {
            to.iter_mut().zip(self.row).for_each(|(to, &row)| *to += row);
        }
    }
}
