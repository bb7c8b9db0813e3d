//! The diffusion times an increment.

use crate::Real;
use crate::noise::Kind;

/// `out += scale · g dw`.
#[inline]
pub(super) fn add<F: Real>(kind: Kind, g: &[F], dw: &[F], scale: F, out: &mut [F]) {
    match kind {
        Kind::Diagonal => {
            out.iter_mut().zip(g.iter().zip(dw)).for_each(|(o, (&g, &w))| *o += scale * g * w);
        }
        Kind::Scalar => {
            let w = scale * dw[0];
            out.iter_mut().zip(g).for_each(|(o, &g)| *o += g * w);
        }
        Kind::Matrix(m) => {
            for (o, row) in out.iter_mut().zip(g.chunks_exact(m)) {
                *o += scale * row.iter().zip(dw).map(|(&g, &w)| g * w).sum::<F>();
            }
        }
    }
}

/// `out += scale · column j of g`; the whole of `g` where there is one number a component.
#[inline]
pub(super) fn add_column<F: Real>(kind: Kind, g: &[F], j: usize, scale: F, out: &mut [F]) {
    match kind {
        Kind::Matrix(m) => {
            out.iter_mut().zip(g.chunks_exact(m)).for_each(|(o, row)| *o += scale * row[j]);
        }
        _ => out.iter_mut().zip(g).for_each(|(o, &g)| *o += scale * g),
    }
}
