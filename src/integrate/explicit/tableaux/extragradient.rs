use crate::integrate::explicit::tableau::{Interpolant, Method, Tableau, lower};

/// The extragradient method, order 1, two stages: a look ahead, and a step by what is seen there.
///
/// ```text
/// y₁ = y₀ + h f(t + h, y₀ + h f(t, y₀))
/// ```
///
/// The point of it is games, whose fields rotate: on `y′ = i ω y` it contracts for `|h ω| < 1`, where Euler's method
/// (simultaneous gradient descent) spirals out. Stability function `1 + z + z²`.
///
/// No error estimate; cubic Hermite values inside a step (no better than order 1, which is all there is).
///
/// Reference: G. M. Korpelevich, Ekonomika i Mat. Metody 12 (1976) 747–756; for GANs: Gidel et al., *A variational inequality
/// perspective on generative adversarial networks*, ICLR 2019, equation 15.
#[derive(Debug, Clone, Copy)]
pub struct Extragradient;

impl Method<2> for Extragradient {
    const TABLEAU: Tableau<2> = Tableau {
        name: "Extragradient",
        order: 1,
        embedded_order: 0,
        a: lower([&[], &[1.0]]),
        b: [0.0, 1.0],
        c: [0.0, 1.0],
        e: None,
        e3: None,
        fsal: false,
        interpolant: Interpolant::Hermite,
    };
}
