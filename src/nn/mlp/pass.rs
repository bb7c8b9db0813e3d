//! One block of rows forward and backward through all layers.

use super::block::{Block, Scratch};
use super::tape::Halves;
use super::{Mlp, stride};
use crate::Real;
use crate::nn::Activation;
use crate::nn::activation::{Activate, Record};
use crate::nn::kernel::{
    Arith, Buffer, Isa, Kernel, Pack, RowsTimesPack, TransposeTimesRows, copy_rows, padded, rows_times_pairs,
    transpose_times_rows,
};
use crate::precision::Format;

/// What all blocks of a pass share.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a, F> {
    pub net: &'a Mlp,
    pub isa: Isa,
    pub weights: &'a [Pack<F>],
    pub transposes: &'a [Pack<F>],
    pub tangents: &'a [Pack<F>],
    pub tangent_transposes: &'a [Pack<F>],
    /// Weights and transposes in bf16, if the products are taken there.
    pub halves: Option<&'a Halves>,
}

/// Where a lane adds its gradient, and whether something is there already.
pub(super) struct Gradient<'a, F> {
    pub layers: &'a mut [Buffer<F>],
    pub add: bool,
}

impl<F: Real> Pass<'_, F> {
    /// Columns into layer `l`.
    pub(super) fn inputs(&self, l: usize) -> usize {
        self.weights[l].depth() - 1
    }

    /// Columns out of layer `l`.
    pub(super) fn outputs(&self, l: usize) -> usize {
        self.weights[l].width()
    }

    /// `c = a b` or `c += a b` for rows of a layer `a_width` wide, using `depth` rows of b.
    pub(super) fn product(
        &self,
        rows: usize,
        (a, a_width): (&[F], usize),
        b: &Pack<F>,
        depth: usize,
        c: &mut [F],
        add: bool,
    ) {
        let (a_stride, c_stride) = (stride(a_width), stride(b.width()));
        self.isa.run(RowsTimesPack { a, a_stride, rows, b, depth, c, c_stride, add });
    }

    /// z = a W with the biases, for layer `l`.
    fn layer_values(&self, l: usize, rows: usize, a: &[F], z: &mut [F]) {
        let (inputs, width) = (self.inputs(l), self.outputs(l));
        if let (Some(halves), Some(a)) = (self.halves, F::as_f32(a))
            && let Some(z) = F::as_f32_mut(z)
        {
            return rows_times_pairs(a, stride(inputs), rows, &halves.weights[l], z, stride(width));
        }
        self.product(rows, (a, inputs), &self.weights[l], inputs + 1, z, false);
    }

    /// The cotangent of a from that of z, g Wᵀ.
    fn layer_cotangents(&self, l: usize, rows: usize, g: &[F], out: &mut [F]) {
        let (inputs, width) = (self.inputs(l), self.outputs(l));
        if let (Some(halves), Some(g)) = (self.halves, F::as_f32(g))
            && let Some(out) = F::as_f32_mut(out)
        {
            return rows_times_pairs(g, stride(width), rows, &halves.transposes[l], out, stride(inputs));
        }
        self.product(rows, (g, width), &self.transposes[l], width, out, false);
    }

    /// Rounds operands of the next products, where the products do not round by themselves.
    fn round(&self, a: &mut [F]) {
        if self.halves.is_none() && self.net.format != Format::Full {
            self.isa.run(Round { a, format: self.net.format });
        }
    }

    /// Writes the block's record from its rows of x.
    pub(super) fn forward(&self, x: &[F], rows: usize, block: &mut Block<F>, record: Record) {
        self.net.present(self.isa, x, &mut block.values[0]);
        for l in 0..self.weights.len() {
            let (below, above) = block.values.split_at_mut(l + 1);
            let width = self.outputs(l);
            let z = &mut above[0][..rows * stride(width)];
            self.round(&mut below[l]);
            self.layer_values(l, rows, &below[l], z);
            if l + 1 == self.weights.len() {
                return;
            }
            let activation = self.net.activation;
            let (first, second) = (&mut block.first[l][..], &mut block.second[l][..]);
            self.isa.run(Activate { activation, z, first, second, width, stride: stride(width), record });
            z.chunks_exact_mut(stride(width)).for_each(|row| row[width] = F::one());
        }
    }

    /// Copies the outputs out of a record.
    pub(super) fn outputs_of(&self, block: &Block<F>, y: &mut [F]) {
        let width = self.net.outputs;
        copy_rows(&block.values[self.weights.len()], stride(width), y, width, width);
    }

    /// Reverse mode from `ybar`: adds to the gradient; writes the cotangent of x.
    pub(super) fn backward(
        &self,
        ybar: &[F],
        rows: usize,
        block: &Block<F>,
        scratch: &mut Scratch<F>,
        mut gradient: Option<Gradient<'_, F>>,
        xbar: Option<&mut [F]>,
    ) {
        let g = &mut scratch.cotangent;
        self.start(ybar, &mut g.now);
        for l in (0..self.weights.len()).rev() {
            self.round(&mut g.now);
            if let Some(gradient) = &mut gradient {
                self.weight_gradient(l, rows, &block.values[l], &g.now, gradient, gradient.add);
            }
            if l == 0 && xbar.is_none() {
                return;
            }
            self.layer_cotangents(l, rows, &g.now, &mut g.next);
            if l > 0 {
                let (g, width) = (&mut g.next[..], self.inputs(l));
                if self.net.gradient_record() == Record::Values {
                    let (activation, values) = (self.net.activation, &block.values[l][..]);
                    self.isa.run(ScaleBySlope { activation, g, values, rows, width });
                } else {
                    self.isa.run(Scale { g, by: &block.first[l - 1], rows, width });
                }
            }
            g.swap();
        }
        if let Some(xbar) = xbar {
            self.net.absorb(&g.now, &block.values[0], xbar);
        }
    }

    /// Spreads the cotangents of y, zero in the padding.
    pub(super) fn start(&self, ybar: &[F], g: &mut [F]) {
        let width = self.net.outputs;
        let stride = stride(width);
        g[..ybar.len() / width * stride].fill(F::zero());
        copy_rows(ybar, width, g, stride, width);
    }

    /// Gradient of layer `l`: the inputs transposed, times the cotangents of its outputs.
    pub(super) fn weight_gradient(
        &self,
        l: usize,
        rows: usize,
        a: &[F],
        g: &[F],
        gradient: &mut Gradient<'_, F>,
        add: bool,
    ) {
        let (inputs, width) = (self.inputs(l), self.outputs(l));
        if let (Some(_), Some(a), Some(g)) = (self.halves, F::as_f32(a), F::as_f32(g))
            && let Some(c) = F::as_f32_mut(&mut gradient.layers[l])
        {
            let (a, g) = ((a, stride(inputs), inputs + 1), (g, stride(width), width));
            return transpose_times_rows(a, g, rows, c, add);
        }
        let c = &mut gradient.layers[l][..];
        let (mut left, mut right) = ((a, stride(inputs), inputs + 1), (g, stride(width), width));
        if self.net.gathers_transposed(width) {
            (left, right) = (right, left);
        }
        let ((a, a_stride, height), (b, b_stride, width)) = (left, right);
        self.isa.run(TransposeTimesRows { a, a_stride, height, b, b_stride, width, rows, c, add });
    }
}

/// Rounds every number.
struct Round<'a, F> {
    a: &'a mut [F],
    format: Format,
}

impl<F: Real> Kernel for Round<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        let format = self.format;
        self.a.iter_mut().for_each(|a| *a = format.round(*a));
    }
}

/// g ∘= σ', on rows of a layer, from the activations.
struct ScaleBySlope<'a, F> {
    activation: Activation,
    g: &'a mut [F],
    values: &'a [F],
    rows: usize,
    width: usize,
}

impl<F: Real> Kernel for ScaleBySlope<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        // A loop for each: the activation is not looked at inside.
        match self.activation {
            Activation::Tanh => self.each(|v| Activation::Tanh.slope_of_value::<A, F>(v)),
            Activation::Selu => self.each(|v| Activation::Selu.slope_of_value::<A, F>(v)),
            Activation::Relu => self.each(|v| Activation::Relu.slope_of_value::<A, F>(v)),
            _ => {}
        }
    }
}

impl<F: Real> ScaleBySlope<'_, F> {
    #[inline(always)]
    fn each(self, slope: impl Fn(F) -> F) {
        let (width, stride) = (padded(self.width), stride(self.width));
        let rows = self.g.chunks_exact_mut(stride).zip(self.values.chunks_exact(stride));
        for (g, values) in rows.take(self.rows) {
            g[..width].iter_mut().zip(&values[..width]).for_each(|(g, &v)| *g *= slope(v));
        }
    }
}

/// g ∘= by, on rows of a layer.
pub(super) struct Scale<'a, F> {
    pub g: &'a mut [F],
    pub by: &'a [F],
    pub rows: usize,
    pub width: usize,
}

impl<F: Real> Kernel for Scale<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        let (width, stride) = (padded(self.width), stride(self.width));
        for (g, by) in self.g.chunks_exact_mut(stride).zip(self.by.chunks_exact(stride)).take(self.rows) {
            g[..width].iter_mut().zip(&by[..width]).for_each(|(g, &by)| *g *= by);
        }
    }
}
