//! Explicit Runge–Kutta methods: tableaux (data) and one loop that steps them all.

pub mod low_storage;
pub mod tableau;
pub mod tableaux;
