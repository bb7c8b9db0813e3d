use crate::integrate::explicit::tableau::{Interpolant, Method, Tableau, lower};

/// Kutta's 3/8 rule, order 4, four stages.
///
/// A little more accurate than [`Rk4`](super::Rk4) at the same cost. No error estimate; values inside a step are cubic
/// Hermite.
///
/// Reference: W. Kutta, Z. Math. Phys. 46 (1901) 435–453; HNW II.1, Table 1.2.
#[derive(Debug, Clone, Copy)]
pub struct Rk38;

impl Method<4> for Rk38 {
    const TABLEAU: Tableau<4> = Tableau {
        name: "Rk38",
        order: 4,
        embedded_order: 0,
        a: lower([&[], &[1.0 / 3.0], &[-1.0 / 3.0, 1.0], &[1.0, -1.0, 1.0]]),
        b: [1.0 / 8.0, 3.0 / 8.0, 3.0 / 8.0, 1.0 / 8.0],
        c: [0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0],
        e: None,
        e3: None,
        fsal: false,
        interpolant: Interpolant::Hermite,
    };
}
