//! Rows of the caller's arrays in and out of a block, with the features of time.

use super::{Mlp, stride};
use crate::Real;
use crate::nn::kernel::{Isa, copy_rows};
use crate::nn::time_features::{Present, pull_back, pull_back_curvature, tangent};

impl Mlp {
    /// The time column, if the time has features.
    fn timed(&self) -> Option<usize> {
        self.time_column.filter(|_| !self.frequencies.is_empty())
    }

    /// Writes a_0: the columns of x, the features of its time column, a one.
    pub(super) fn present<F: Real>(&self, isa: Isa, x: &[F], a: &mut [F]) {
        let (n, width) = (self.inputs, self.features());
        copy_rows(x, n, a, stride(width), n);
        let rows = x.len() / n;
        a.chunks_exact_mut(stride(width)).take(rows).for_each(|a| a[width] = F::one());
        if let Some(t) = self.timed() {
            let (frequencies, stride) = (&self.frequencies[..], stride(width));
            isa.run(Present { frequencies, x, inputs: n, column: t, a, stride });
        }
    }

    /// Writes the tangent of a_0 at a_0 for the tangent dx; without dx, zero.
    pub(super) fn present_tangent<F: Real>(&self, dx: Option<&[F]>, a: &[F], da: &mut [F]) {
        let (n, width) = (self.inputs, self.features());
        let Some(dx) = dx else { return da.fill(F::zero()) };
        for ((dx, a), da) in
            dx.chunks_exact(n).zip(a.chunks_exact(stride(width))).zip(da.chunks_exact_mut(stride(width)))
        {
            da[..n].copy_from_slice(dx);
            if let Some(t) = self.timed() {
                tangent(&self.frequencies, &a[n..width], dx[t], &mut da[n..width]);
            }
        }
    }

    /// Writes the cotangent of x for the cotangent g of a_0.
    pub(super) fn absorb<F: Real>(&self, g: &[F], a: &[F], xbar: &mut [F]) {
        let (n, width) = (self.inputs, self.features());
        let rows = g.chunks_exact(stride(width)).zip(a.chunks_exact(stride(width)));
        for ((g, a), xbar) in rows.zip(xbar.chunks_exact_mut(n)) {
            xbar.copy_from_slice(&g[..n]);
            if let Some(t) = self.timed() {
                xbar[t] += pull_back(&self.frequencies, &a[n..width], &g[n..width]);
            }
        }
    }

    /// Adds to the cotangent of x what the curvature of the features gives: <g, d²a_0/dt²> dt.
    pub(super) fn absorb_curvature<F: Real>(&self, g: &[F], a: &[F], dx: &[F], xbar: &mut [F]) {
        let (n, width) = (self.inputs, self.features());
        let Some(t) = self.timed() else { return };
        let rows = g.chunks_exact(stride(width)).zip(a.chunks_exact(stride(width)));
        for (((g, a), dx), xbar) in rows.zip(dx.chunks_exact(n)).zip(xbar.chunks_exact_mut(n)) {
            xbar[t] += dx[t] * pull_back_curvature(&self.frequencies, &a[n..width], &g[n..width]);
        }
    }
}
