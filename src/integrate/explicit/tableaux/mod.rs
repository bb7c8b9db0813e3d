//! The catalogue of explicit methods, one file each: a doc comment with the reference, and numbers.
//!
//! Fractions stand as the papers print them; long ones and long decimals are rounded to the nearest `f64`. The order
//! conditions of every tableau and interpolant are checked by `tests/order_conditions.rs`.
//!
//! "HNW" is Hairer, Nørsett, Wanner, *Solving Ordinary Differential Equations I* (2nd edition, Springer 1993).

mod bs3;
mod carpenter_kennedy;
mod dop853;
mod dopri5;
mod euler;
mod extragradient;
mod heun;
mod midpoint;
mod ralston;
mod rk38;
mod rk4;
mod ssp_rk33;
mod ssp_rk43;
mod tsit5;
mod vern6;
mod vern7;
mod vern8;
mod vern9;

pub use bs3::Bs3;
pub use carpenter_kennedy::CarpenterKennedy;
pub use dop853::Dop853;
pub use dopri5::Dopri5;
pub use euler::Euler;
pub use extragradient::Extragradient;
pub use heun::Heun;
pub use midpoint::Midpoint;
pub use ralston::Ralston;
pub use rk4::Rk4;
pub use rk38::Rk38;
pub use ssp_rk33::SspRk33;
pub use ssp_rk43::SspRk43;
pub use tsit5::Tsit5;
pub use vern6::Vern6;
pub use vern7::Vern7;
pub use vern8::Vern8;
pub use vern9::Vern9;
