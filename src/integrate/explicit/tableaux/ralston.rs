use crate::integrate::explicit::tableau::{Interpolant, Method, Tableau, lower};

/// Ralston's method of order 2, two stages; Euler's step as its embedded first-order solution.
///
/// Of all two-stage methods of order 2 the one with the smallest bound on the truncation error: `c₂ = 2/3` makes the
/// third-order quadrature condition `Σ bᵢcᵢ² = 1/3` hold as well. The one to take at second order when nothing else
/// decides. Values inside a step are cubic Hermite.
///
/// Reference: A. Ralston, Math. Comp. 16 (1962) 431–437.
#[derive(Debug, Clone, Copy)]
pub struct Ralston;

impl Method<2> for Ralston {
    const TABLEAU: Tableau<2> = Tableau {
        name: "Ralston",
        order: 2,
        embedded_order: 1,
        a: lower([&[], &[2.0 / 3.0]]),
        b: [0.25, 0.75],
        c: [0.0, 2.0 / 3.0],
        e: Some([-3.0 / 4.0, 0.75]),
        e3: None,
        fsal: false,
        interpolant: Interpolant::Hermite,
    };
}
