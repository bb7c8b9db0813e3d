use crate::integrate::explicit::tableau::{Interpolant, Method, Tableau, lower};

/// *The* Runge–Kutta method, order 4, four stages.
///
/// Simpson's rule made a method. The best order a method of so few stages can have, and the first choice for fixed steps;
/// with adaptive steps [`Tsit5`](super::Tsit5) does the same work better. No error estimate; values inside a step are
/// cubic Hermite.
///
/// Reference: W. Kutta, Z. Math. Phys. 46 (1901) 435–453; HNW II.1, Table 1.2.
#[derive(Debug, Clone, Copy)]
pub struct Rk4;

impl Method<4> for Rk4 {
    const TABLEAU: Tableau<4> = Tableau {
        name: "Rk4",
        order: 4,
        embedded_order: 0,
        a: lower([&[], &[0.5], &[0.0, 0.5], &[0.0, 0.0, 1.0]]),
        b: [1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0],
        c: [0.0, 0.5, 0.5, 1.0],
        e: None,
        e3: None,
        fsal: false,
        interpolant: Interpolant::Hermite,
    };
}
