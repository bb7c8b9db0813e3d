use crate::integrate::explicit::tableau::{Interpolant, Method, Tableau, lower};

/// Explicit Euler, order 1, one stage.
///
/// ```text
/// y₁ = y₀ + h f(t, y₀)
/// ```
///
/// Gradient descent, a residual network and the plainest sampler of a trained flow are this method. To solve a smooth system
/// accurately, take any other.
///
/// No error estimate; cubic Hermite values inside a step (no better than order 1, which is all there is).
///
/// Reference: L. Euler, *Institutiones calculi integralis*, vol. I (1768), sect. 2, cap. VII; HNW I.7.
#[derive(Debug, Clone, Copy)]
pub struct Euler;

impl Method<1> for Euler {
    const TABLEAU: Tableau<1> = Tableau {
        name: "Euler",
        order: 1,
        embedded_order: 0,
        a: lower([&[]]),
        b: [1.0],
        c: [0.0],
        e: None,
        e3: None,
        fsal: false,
        interpolant: Interpolant::Hermite,
    };
}
