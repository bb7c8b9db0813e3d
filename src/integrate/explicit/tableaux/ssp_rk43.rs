use crate::integrate::explicit::tableau::{Interpolant, Method, Tableau, lower};

/// Kraaijevanger's method SSPRK(4,3), order 3, four stages, with an embedded solution of order 2.
///
/// A convex combination of Euler steps with SSP coefficient 2: it keeps what one Euler step of size `h/2` keeps. A stage more
/// than [`SspRk33`](super::SspRk33) doubles the step, hence the better of the two, and the one to take with adaptive steps.
/// Values inside a step are cubic Hermite, and these need not keep the bounds.
///
/// References: J. F. B. M. Kraaijevanger, BIT 31 (1991) 482–528 (method); Fekete, Conde, Shadid, J. Comput. Appl. Math. 412
/// (2022) 114325, arXiv:1806.08693 (embedded weights, all 1/4).
#[derive(Debug, Clone, Copy)]
pub struct SspRk43;

impl Method<4> for SspRk43 {
    const TABLEAU: Tableau<4> = Tableau {
        name: "SspRk43",
        order: 3,
        embedded_order: 2,
        a: lower([&[], &[0.5], &[0.5, 0.5], &[1.0 / 6.0, 1.0 / 6.0, 1.0 / 6.0]]),
        b: [1.0 / 6.0, 1.0 / 6.0, 1.0 / 6.0, 0.5],
        c: [0.0, 0.5, 1.0, 0.5],
        e: Some([-1.0 / 12.0, -1.0 / 12.0, -1.0 / 12.0, 0.25]),
        e3: None,
        fsal: false,
        interpolant: Interpolant::Hermite,
    };
}
