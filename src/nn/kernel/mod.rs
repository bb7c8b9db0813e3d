//! Inner loops: run-time CPU dispatch, packed products, vectorised elementary functions, aligned memory.
//!
//! Everything is generic over the number type and over [`Arith`], the instruction set it is compiled
//! for; the compiler turns the fixed-size arrays into registers. [`dispatch`] holds the only `unsafe`.
//! May import: `scalar`.

mod buffer;
mod copy;
mod dispatch;
mod elementary;
mod gemm;
mod pack;

pub(crate) use buffer::Buffer;
pub(crate) use copy::copy_rows;
pub(crate) use dispatch::{Arith, Isa, Kernel};
pub(crate) use elementary::{expm1_below, normal_cdf, sigmoid, sin_cos, softplus, tanh};
pub(crate) use gemm::{RowsTimesPack, TransposeTimesRows};
pub(crate) use pack::Pack;

/// Numbers in a group: the unit to which widths are padded (one AVX-512 register of `f32`).
pub(crate) const GROUP: usize = 16;

/// `n` rounded up to whole groups.
pub(crate) fn padded(n: usize) -> usize {
    n.next_multiple_of(GROUP)
}
