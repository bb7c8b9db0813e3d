//! The catalogue of explicit methods, one file each: a doc comment with the reference, and numbers.
//!
//! Fractions stand as the papers print them; long decimals are rounded to the nearest `f64`. The order conditions of every
//! tableau and interpolant are checked by `tests/order_conditions.rs`.

mod bs3;
mod dopri5;
mod euler;
mod heun;
mod midpoint;
mod ralston;
mod rk4;
mod ssp_rk33;
mod tsit5;

pub use bs3::Bs3;
pub use dopri5::Dopri5;
pub use euler::Euler;
pub use heun::Heun;
pub use midpoint::Midpoint;
pub use ralston::Ralston;
pub use rk4::Rk4;
pub use ssp_rk33::SspRk33;
pub use tsit5::Tsit5;
