//! The catalogue of splitting methods: names, references, numbers.
//!
//! Methods of orders 6 and 8 are compositions of Störmer–Verlet steps of `w₁ h, w₂ h, .., w₁ h` (HLW V.3), whose adjoining
//! kicks are made one.

#![allow(clippy::excessive_precision, reason = "digits as published")]

use super::{Splitting, SplittingMethod};

/// Kicks of a composition of `N` velocity-Verlet steps: the kicks of neighbours joined. `M = N + 1`.
const fn joined<const N: usize, const M: usize>(w: [f64; N]) -> [f64; M] {
    let mut kicks = [0.0; M];
    let mut i = 0;
    while i < N {
        kicks[i] += 0.5 * w[i];
        kicks[i + 1] += 0.5 * w[i];
        i += 1;
    }
    kicks
}

/// Drifts of a composition of `N` velocity-Verlet steps. `M = N + 1`.
const fn drifts<const N: usize, const M: usize>(w: [f64; N]) -> [f64; M] {
    let mut drifts = [0.0; M];
    let mut i = 0;
    while i < N {
        drifts[i] = w[i];
        i += 1;
    }
    drifts
}

/// A palindrome of odd length `N` from its first half, its middle such that all sum to 1.
const fn palindrome<const H: usize, const N: usize>(half: [f64; H]) -> [f64; N] {
    let mut w = [0.0; N];
    let mut middle = 1.0;
    let mut i = 0;
    while i < H {
        w[i] = half[i];
        w[N - 1 - i] = half[i];
        middle -= 2.0 * half[i];
        i += 1;
    }
    w[H] = middle;
    w
}

macro_rules! splitting {
    ($(#[$doc:meta])* $name:ident, $order:literal, $kicks:expr, $drifts:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl SplittingMethod for $name {
            const SPLITTING: Splitting =
                Splitting { name: stringify!($name), order: $order, kicks: &$kicks, drifts: &$drifts };
        }
    };
}

splitting! {
    /// Symplectic Euler: `p₁ = p₀ + h p′(q₀)`, `q₁ = q₀ + h q′(p₁)` (HLW I.1.9).
    SymplecticEuler, 1, [1.0], [1.0]
}

splitting! {
    /// Störmer–Verlet, velocity form: half a kick, a drift, half a kick (HLW I.1.15; L. Verlet, Phys. Rev. 159, 1967).
    StormerVerlet, 2, [0.5, 0.5], [1.0, 0.0]
}

splitting! {
    /// Störmer–Verlet, position form: half a drift, a kick, half a drift (HLW I.1.15).
    PositionVerlet, 2, [0.0, 1.0], [0.5, 0.5]
}

splitting! {
    /// Two stages with the least leading error.
    ///
    /// Reference: McLachlan, Atela, *The accuracy of symplectic integrators*, Nonlinearity 5 (1992) 541–562, table 2.
    McLachlanAtela2, 2, [MA2_B1, 1.0 - MA2_B1], [1.0 - MA2_A2, MA2_A2]
}
/// 1 − √2/2.
const MA2_A2: f64 = 1.0 - std::f64::consts::FRAC_1_SQRT_2;
const MA2_B1: f64 = 1.0 - 1.0 / (2.0 * (1.0 - MA2_A2));

splitting! {
    /// Ruth's third-order method with rational numbers.
    ///
    /// Reference: R. D. Ruth, *A canonical integration technique*, IEEE Trans. Nucl. Sci. 30 (1983) 2669–2671; HLW II.5.
    Ruth3, 3, [7.0 / 24.0, 0.75, -1.0 / 24.0], [2.0 / 3.0, -2.0 / 3.0, 1.0]
}

splitting! {
    /// Three stages of order 3 with the least leading error.
    ///
    /// Reference: McLachlan, Atela, Nonlinearity 5 (1992) 541–562, table 2.
    McLachlanAtela3, 3, [1.0 - MA3_A1 - MA3_A2, MA3_A2, MA3_A1], [MA3_A1, MA3_A2, 1.0 - MA3_A1 - MA3_A2]
}
const MA3_A1: f64 = 0.9196615230173999;
const MA3_A2: f64 = 0.25 / MA3_A1 - MA3_A1 / 2.0;

splitting! {
    /// Four stages of order 4 for kinetic energies quadratic in the momenta (a Nyström method: the order is lower for
    /// others).
    ///
    /// Reference: McLachlan, Atela, Nonlinearity 5 (1992) 541–562, table 2. Digits as in OrdinaryDiffEq.jl's `McAte4`.
    McLachlanAtela4, 4,
    [0.134496199277431089, -0.224819803079420806, 0.756320000515668291, 0.334003603286321425],
    [0.515352837431122936, -0.085782019412973646, 0.441583023616466524, 0.128846158365384185]
}

splitting! {
    /// Six stages of order 5 for kinetic energies quadratic in the momenta.
    ///
    /// Reference: McLachlan, Atela, Nonlinearity 5 (1992) 541–562, table 2. Digits as in OrdinaryDiffEq.jl's `McAte5`.
    McLachlanAtela5, 5,
    [
        0.1193900292875672758, 0.6989273703824752308, -0.1713123582716007754, 0.401269502251353448,
        0.010705081848235984, -0.0589796254980311632
    ],
    [
        0.33983962583911, -0.088601336903027329, 0.5858564768259621188, -0.603039356536491888,
        0.3235807965546976394, 0.4423637942197494587
    ]
}

splitting! {
    /// Three Verlet steps: `w₁ = 1 / (2 − 2^(1/3))`, `w₀ = 1 − 2 w₁`.
    ///
    /// References: H. Yoshida, Phys. Lett. A 150 (1990) 262–268; Forest, Ruth, Physica D 43 (1990) 105–117; HLW II.4.4.
    Yoshida4, 4, joined::<3, 4>(YOSHIDA4), drifts::<3, 4>(YOSHIDA4)
}
const YOSHIDA4: [f64; 3] = palindrome([1.0 / (2.0 - CUBE_ROOT_2)]);
const CUBE_ROOT_2: f64 = 1.259921049894873164767210607278228350570;

splitting! {
    /// Seven Verlet steps.
    ///
    /// Reference: H. Yoshida, Phys. Lett. A 150 (1990) 262–268, table 1, solution A; digits of HLW V.3.11.
    Yoshida6, 6, joined::<7, 8>(YOSHIDA6), drifts::<7, 8>(YOSHIDA6)
}
const YOSHIDA6: [f64; 7] =
    palindrome([0.78451361047755726381949763, 0.23557321335935813368479318, -1.17767998417887100694641568]);

splitting! {
    /// Nine Verlet steps.
    ///
    /// Reference: Kahan, Li, *Composition constants for raising the orders of unconventional schemes for ordinary
    /// differential equations*, Math. Comp. 66 (1997) 1089–1099, s9odr6a.
    KahanLi6, 6, joined::<9, 10>(KAHAN_LI6), drifts::<9, 10>(KAHAN_LI6)
}
const KAHAN_LI6: [f64; 9] = palindrome([
    0.39216144400731413927925056,
    0.33259913678935943859974864,
    -0.70624617255763935980996482,
    0.08221359629355080023149045,
]);

splitting! {
    /// Fifteen Verlet steps, with larger coefficients than those of [`SuzukiUmeno8`].
    ///
    /// Reference: H. Yoshida, Phys. Lett. A 150 (1990) 262–268, table 2, solution D.
    Yoshida8, 8, joined::<15, 16>(YOSHIDA8), drifts::<15, 16>(YOSHIDA8)
}
const YOSHIDA8: [f64; 15] = palindrome([
    0.914844246229740, 0.253693336566229, -1.44485223686048, -0.158240635368243, 1.93813913762276,
    -1.96061023297549, 0.102799849391985,
]);

splitting! {
    /// Fifteen Verlet steps.
    ///
    /// References: Suzuki, Umeno, in *Computer Simulation Studies in Condensed-Matter Physics VI* (Springer 1993);
    /// R. I. McLachlan, SIAM J. Sci. Comput. 16 (1995) 151–168; HLW V.3.11.
    SuzukiUmeno8, 8, joined::<15, 16>(SUZUKI_UMENO8), drifts::<15, 16>(SUZUKI_UMENO8)
}
const SUZUKI_UMENO8: [f64; 15] = palindrome([
    0.74167036435061295344822780,
    -0.40910082580003159399730010,
    0.19075471029623837995387626,
    -0.57386247111608226665638773,
    0.29906418130365592384446354,
    0.33462491824529818378495798,
    0.31529309239676659663205666,
]);

splitting! {
    /// Seventeen Verlet steps.
    ///
    /// Reference: Kahan, Li, Math. Comp. 66 (1997) 1089–1099, s17odr8a; HLW V.3.11.
    KahanLi8, 8, joined::<17, 18>(KAHAN_LI8), drifts::<17, 18>(KAHAN_LI8)
}
const KAHAN_LI8: [f64; 17] = palindrome([
    0.13020248308889008087881763,
    0.56116298177510838456196441,
    -0.38947496264484728640807860,
    0.15884190655515560089621075,
    -0.39590389413323757733623154,
    0.18453964097831570709183254,
    0.25837438768632204729397911,
    0.29501172360931029887096624,
]);

#[cfg(test)]
mod tests {
    use super::*;

    fn power_sum(w: &[f64], k: i32) -> f64 {
        w.iter().map(|w| w.powi(k)).sum()
    }

    #[test]
    fn kicks_and_drifts_go_the_whole_way() {
        for m in [
            SymplecticEuler::SPLITTING,
            StormerVerlet::SPLITTING,
            PositionVerlet::SPLITTING,
            McLachlanAtela2::SPLITTING,
            Ruth3::SPLITTING,
            McLachlanAtela3::SPLITTING,
            McLachlanAtela4::SPLITTING,
            McLachlanAtela5::SPLITTING,
            Yoshida4::SPLITTING,
            Yoshida6::SPLITTING,
            Yoshida8::SPLITTING,
            KahanLi6::SPLITTING,
            SuzukiUmeno8::SPLITTING,
            KahanLi8::SPLITTING,
        ] {
            assert_eq!(m.kicks.len(), m.drifts.len(), "{}", m.name);
            for side in [m.kicks, m.drifts] {
                assert!((power_sum(side, 1) - 1.0).abs() < 1e-14, "{}", m.name);
            }
            let verlet = m.name.contains("Verlet") || m.name.contains("Li") || m.name.contains("Yoshida");
            assert_eq!(m.is_symmetric(), verlet || m.name == "SuzukiUmeno8", "{}", m.name);
        }
    }

    #[test]
    fn compositions_of_symmetric_steps_annul_the_odd_powers_below_their_order() {
        // HLW V.3.1: Σ wᵏ = 0 for odd k < order is necessary.
        for (w, order) in [
            (&YOSHIDA4[..], 4),
            (&YOSHIDA6, 6),
            (&YOSHIDA8, 8),
            (&KAHAN_LI6, 6),
            (&SUZUKI_UMENO8, 8),
            (&KAHAN_LI8, 8),
        ] {
            for k in (3..order).step_by(2) {
                // In units of the terms, which reach 100.
                let size: f64 = w.iter().map(|w| w.abs().powi(k)).sum();
                assert!(
                    power_sum(w, k).abs() < 1e-14 * size,
                    "order {order}, power {k}: {}",
                    power_sum(w, k)
                );
            }
        }
    }
}
