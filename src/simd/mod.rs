//! One loop for several instruction sets: run-time CPU dispatch, vectorised elementary functions, aligned memory.
//!
//! Everything is generic over the number type and over [`Arith`], the instruction set it is compiled
//! for; the compiler turns the fixed-size arrays into registers. `dispatch` holds the only `unsafe`.
//! May import: `scalar`.

mod buffer;
mod dispatch;
mod elementary;

pub(crate) use buffer::Buffer;
pub(crate) use dispatch::{Arith, Isa, Kernel};
pub(crate) use elementary::{exp, exp_below, expm1_below, normal_cdf, sigmoid, sin_cos, softplus, tanh};
