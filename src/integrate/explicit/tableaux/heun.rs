use crate::integrate::explicit::tableau::{Interpolant, Method, Tableau, lower};

/// Heun's method of order 2 (the explicit trapezoidal rule), two stages; Euler's step as its embedded first-order
/// solution.
///
/// ```text
/// y₁ = y₀ + h/2 (f(t, y₀) + f(t + h, y₀ + h f(t, y₀)))
/// ```
///
/// An average of two Euler steps, hence strong-stability preserving with coefficient 1 (it is SSPRK(2,2)); also the
/// deterministic sampler of score-based diffusion models. Values inside a step are cubic Hermite.
///
/// Reference: K. Heun, Z. Math. Phys. 45 (1900) 23–38; HNW II.1; as SSPRK(2,2): Shu, Osher, J. Comput. Phys. 77 (1988)
/// 439–471.
#[derive(Debug, Clone, Copy)]
pub struct Heun;

impl Method<2> for Heun {
    const TABLEAU: Tableau<2> = Tableau {
        name: "Heun",
        order: 2,
        embedded_order: 1,
        a: lower([&[], &[1.0]]),
        b: [0.5, 0.5],
        c: [0.0, 1.0],
        e: Some([-0.5, 0.5]),
        e3: None,
        fsal: false,
        interpolant: Interpolant::Hermite,
    };
}
