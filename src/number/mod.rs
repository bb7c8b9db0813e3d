//! Numbers that a right-hand side written once runs on: plain ones, SIMD [`Lanes`], and [`Dual`]s, which carry derivatives.
//!
//! May import nothing but `std`: everything else stands on it.

mod arithmetic;
mod dual;
mod lanes;

pub use arithmetic::Number;
pub use dual::Dual;
pub use lanes::Lanes;
