use crate::integrate::explicit::tableau::{Interpolant, Method, Tableau, lower};

/// The Shu–Osher method SSPRK(3,3), order 3, three stages, with an embedded solution of order 2.
///
/// A convex combination of Euler steps: whatever norm, bound or positivity one Euler step of size `h` keeps, this keeps too
/// (SSP coefficient 1). The standard partner of TVD and WENO fluxes for conservation laws. Values inside a step are
/// cubic Hermite, and these need not keep the bounds.
///
/// References: Shu, Osher, J. Comput. Phys. 77 (1988) 439–471 (method); Fekete, Conde, Shadid, J. Comput. Appl. Math. 412
/// (2022) 114325, arXiv:1806.08693 (embedded weights 0.29148541887841, 0.29148541887841, 0.41702916224318; they satisfy
/// the second-order conditions for any value of the first, which is the paper's).
#[derive(Debug, Clone, Copy)]
pub struct SspRk33;

impl Method<3> for SspRk33 {
    const TABLEAU: Tableau<3> = Tableau {
        name: "SspRk33",
        order: 3,
        embedded_order: 2,
        a: lower([&[], &[1.0], &[0.25, 0.25]]),
        b: [1.0 / 6.0, 1.0 / 6.0, 2.0 / 3.0],
        c: [0.0, 1.0, 0.5],
        e: Some([-0.12481875221174234, -0.12481875221174234, 0.24963750442348467]),
        e3: None,
        fsal: false,
        interpolant: Interpolant::Hermite,
    };
}
