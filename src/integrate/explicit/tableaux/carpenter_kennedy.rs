use crate::integrate::explicit::low_storage::{LowStorage, LowStorageMethod};
use crate::integrate::explicit::tableau::{Method, Tableau};

/// Carpenter and Kennedy's five-stage method of order 4 in 2N storage.
///
/// For large states from discretised hyperbolic equations, where memory is what counts: a step needs the solution and one
/// more array (see [`CarpenterKennedy2N`](crate::integrate::CarpenterKennedy2N)). Stable for `hλ` in `[-4.65, 0]` and in `[-3.34i, 3.34i]`. No error
/// estimate; values inside a step are cubic Hermite.
///
/// Reference: Carpenter, Kennedy, *Fourth-order 2N-storage Runge–Kutta schemes*, NASA TM 109112 (1994), solution 3. The
/// fractions agree in OrdinaryDiffEq.jl's `CarpenterKennedy2N54` and in the codes of Hesthaven and Warburton, *Nodal
/// Discontinuous Galerkin Methods* (2008), 3.4.
#[derive(Debug, Clone, Copy)]
pub struct CarpenterKennedy;

impl LowStorageMethod<5> for CarpenterKennedy {
    const LOW_STORAGE: LowStorage<5> = LowStorage {
        name: "CarpenterKennedy",
        order: 4,
        a: [
            0.0,
            -567301805773.0 / 1357537059087.0,
            -2404267990393.0 / 2016746695238.0,
            -3550918686646.0 / 2091501179385.0,
            -1275806237668.0 / 842570457699.0,
        ],
        b: [
            1432997174477.0 / 9575080441755.0,
            5161836677717.0 / 13612068292357.0,
            1720146321549.0 / 2090206949498.0,
            3134564353537.0 / 4481467310338.0,
            2277821191437.0 / 14882151754819.0,
        ],
        c: [
            0.0,
            1432997174477.0 / 9575080441755.0,
            2526269341429.0 / 6820363962896.0,
            2006345519317.0 / 3224310063776.0,
            2802321613138.0 / 2924317926251.0,
        ],
    };
}

impl Method<5> for CarpenterKennedy {
    const TABLEAU: Tableau<5> = Self::LOW_STORAGE.tableau();
}
