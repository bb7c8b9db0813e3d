//! Inner loops of the networks: packed products and copies, on top of `simd`'s dispatch and elementary functions.
//!
//! May import: `scalar`, `simd`.

mod copy;
mod gemm;
mod half;
mod pack;

pub(crate) use copy::copy_rows;
pub(crate) use gemm::{RowsTimesPack, TransposeTimesRows};
pub(crate) use half::{PairPack, available as half_available, rows_times_pairs, transpose_times_rows};
pub(crate) use pack::Pack;

pub(crate) use crate::simd::{
    Arith, Buffer, Isa, Kernel, expm1_below, normal_cdf, sigmoid, sin_cos, softplus, tanh,
};

/// Numbers in a group: the unit to which widths are padded (one AVX-512 register of `f32`).
pub(crate) const GROUP: usize = 16;

/// `n` rounded up to whole groups.
pub(crate) fn padded(n: usize) -> usize {
    n.next_multiple_of(GROUP)
}
