//! Explicit Runge–Kutta methods: tableaux (data) and one loop that steps them all.

mod combine;
mod rk;
pub mod tableau;
pub mod tableaux;

pub use rk::ExplicitRk;
