//! The room of the integrators.

pub mod explicit;
