use crate::integrate::explicit::tableau::lower;
use crate::integrate::nystrom::{NystromMethod, NystromTableau};

/// Dormand, El-Mikkawy and Prince's 6(4) pair, RKN6(4)6FM: six stages of which the last is the next step's first.
///
/// For tolerances `1e-4` to `1e-8`.
///
/// Reference: Dormand, El-Mikkawy, Prince, *Families of Runge–Kutta–Nyström formulae*, IMA J. Numer. Anal. 7 (1987)
/// 235–250. Fractions as in OrdinaryDiffEq.jl's `DPRKN6`, rounded to the nearest `f64`.
#[derive(Debug, Clone, Copy)]
pub struct Dprkn6;

impl NystromMethod<6> for Dprkn6 {
    const TABLEAU: NystromTableau<6> = NystromTableau {
        name: "Dprkn6",
        order: 6,
        embedded_order: 4,
        a: lower([
            &[],
            &[0.008358715283968025],
            &[0.011144953711957367, 0.022289907423914734],
            &[0.1454747428010918, -0.22986064052264749, 0.3090349872029675],
            &[-0.20766826295078997, 0.6863667842925143, -0.19954927787234925, 0.12585075653062489],
            &[0.07811016144349478, 0.0, 0.2882917411897668, 0.12242553717457041, 0.011172560192168035],
        ]),
        b: [0.07811016144349478, 0.0, 0.2882917411897668, 0.12242553717457041, 0.011172560192168035, 0.0],
        bv: [0.07811016144349478, 0.0, 0.3888434787059826, 0.3713207579288423, 0.11172560192168035, 0.05],
        c: [0.0, 0.12929590313670442, 0.25859180627340883, 0.67029708261548, 0.9, 1.0],
        e: [
            -0.9807490989269235, 2.406751371924452, -1.559600370364267, 0.12242553717457041,
            0.011172560192168035, 0.0,
        ],
        ev: [0.023504273504273504, 0.0, -0.07242330719764424, 0.17543989844952962, -0.2765208647561589, 0.15],
        fsal: true,
    };
}
