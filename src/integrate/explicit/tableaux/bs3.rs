use crate::integrate::explicit::tableau::{Interpolant, Method, Tableau, lower};

/// Bogacki–Shampine 3(2), order 3, four stages of which the last is the next step's first (three evaluations a step),
/// embedded order 2.
///
/// For loose tolerances (`1e-2` to `1e-4`) and for right-hand sides that are not very smooth; MATLAB's `ode23`, SciPy's
/// `RK23`. Values inside a step are cubic Hermite, of the method's own order 3 and free, since both slopes are known.
///
/// Reference: Bogacki, Shampine, Appl. Math. Lett. 2 (1989) 321–325. All coefficients are short fractions, as in SciPy's
/// `RK23` and OrdinaryDiffEq.jl's `BS3`.
#[derive(Debug, Clone, Copy)]
pub struct Bs3;

impl Method<4> for Bs3 {
    const TABLEAU: Tableau<4> = Tableau {
        name: "Bs3",
        order: 3,
        embedded_order: 2,
        a: lower([&[], &[0.5], &[0.0, 0.75], &[2.0 / 9.0, 1.0 / 3.0, 4.0 / 9.0]]),
        b: [2.0 / 9.0, 1.0 / 3.0, 4.0 / 9.0, 0.0],
        c: [0.0, 0.5, 0.75, 1.0],
        e: Some([-5.0 / 72.0, 1.0 / 12.0, 1.0 / 9.0, -1.0 / 8.0]),
        e3: None,
        fsal: true,
        interpolant: Interpolant::Hermite,
    };
}
