//! One block in forward mode.

use super::block::{Combine, Pass, Times};
use super::tape::Scratch;
use crate::Real;
use crate::nn::activation::Record;
use crate::nn::kernel::padded;

impl<F: Real> Pass<'_, F> {
    /// Tangents of h and u from that of r; h as [`enter`](Self::enter) left it.
    pub(super) fn enter_tangent(&self, l: usize, r: &[F], dr: &[F], w: &mut Scratch<F>) {
        w.dh.copy_from_slice(dr);
        if self.net.post() && l > 0 {
            self.derive(r, &mut w.dh, &mut w.row);
        }
        w.du.copy_from_slice(&w.dh);
        if self.net.pre() {
            self.derive(&w.h, &mut w.du, &mut w.row);
        }
    }

    /// Tangents of a and c from that of z; a and φ' as [`activate`](Self::activate) left them.
    pub(super) fn activate_tangent(&self, dz: &[F], w: &mut Scratch<F>) {
        w.da.copy_from_slice(dz);
        self.isa.run(Times { g: &mut w.da, by: &w.first });
        w.dc.copy_from_slice(&w.da);
        if self.net.sub() {
            self.derive_inner(&w.a, &mut w.dc, &mut w.row);
        }
    }

    /// dc = da W, and a dW + db if theta has a tangent, for affine layer `index`.
    pub(super) fn affine_tangent(&self, index: usize, rows: usize, (a, da): (&[F], &[F]), dc: &mut [F]) {
        let Some((dtheta, packed)) = self.tangent else {
            return self.product(rows, da, &self.weights[index], dc, false);
        };
        let layer = self.net.affine(index);
        let biases = layer.biases(dtheta);
        dc.chunks_exact_mut(padded(layer.outputs))
            .take(rows)
            .for_each(|c| c[..biases.len()].copy_from_slice(biases));
        self.product(rows, a, &packed[index], dc, true);
        self.product(rows, da, &self.weights[index], dc, true);
    }

    /// Block `l` in forward mode: tangents of z and r⁺ from that of r, given r and z.
    pub(super) fn tangent(
        &self,
        l: usize,
        rows: usize,
        (r, z): (&[F], &[F]),
        (dr, dz, next): (&[F], &mut [F], &mut [F]),
        w: &mut Scratch<F>,
    ) {
        self.enter(l, r, w);
        self.enter_tangent(l, r, dr, w);
        self.affine_tangent(2 * l + 1, rows, (&w.u, &w.du), dz);
        self.activate(z, w, Record::First);
        self.activate_tangent(dz, w);
        self.affine_tangent(2 * l + 2, rows, (&w.c, &w.dc), next);
        let (carry, epsilon) = (F::of(self.net.carry()), F::of(self.net.epsilon()));
        self.isa.run(Combine { carry, epsilon, x: &w.dh, y: next });
    }
}
