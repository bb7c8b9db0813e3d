use crate::integrate::explicit::tableau::{Interpolant, Method, Tableau, lower};

/// The explicit midpoint rule, order 2, two stages; Euler's step as its embedded first-order solution.
///
/// ```text
/// y₁ = y₀ + h f(t + h/2, y₀ + h/2 f(t, y₀))
/// ```
///
/// The usual second-order sampler of trained flows. Exact for quadratures of linear functions; values inside a step are
/// cubic Hermite.
///
/// Reference: C. Runge, Math. Ann. 46 (1895) 167–178; HNW II.1.
#[derive(Debug, Clone, Copy)]
pub struct Midpoint;

impl Method<2> for Midpoint {
    const TABLEAU: Tableau<2> = Tableau {
        name: "Midpoint",
        order: 2,
        embedded_order: 1,
        a: lower([&[], &[0.5]]),
        b: [0.0, 1.0],
        c: [0.0, 0.5],
        e: Some([-1.0, 1.0]),
        e3: None,
        fsal: false,
        interpolant: Interpolant::Hermite,
    };
}
