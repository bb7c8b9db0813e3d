//! The numbers of the method.

use crate::Real;

pub(super) const SQRT6: f64 = 2.449489742783178;
pub(super) const C: [f64; 3] = [(4.0 - SQRT6) / 10.0, (4.0 + SQRT6) / 10.0, 1.0];
/// Eigenvalues γ and α ± iβ of the inverse of the matrix aᵢⱼ.
pub(super) const GAMMA: f64 = 3.637834252744496;
pub(super) const ALPHA: f64 = 2.681082873627752;
pub(super) const BETA: f64 = 3.050430199247411;
/// z = T w and w = T⁻¹ z bring that inverse to the blocks γ and [[α, −β], [β, α]].
pub(super) const T: [[f64; 3]; 3] = [
    [0.09123239487089295, -0.1412552950209542, -0.030029194105147424],
    [0.241717932707107, 0.20412935229379994, 0.3829421127572619],
    [0.966048182615093, 1.0, 0.0],
];
pub(super) const INVERSE_T: [[f64; 3]; 3] = [
    [4.325579890063155, 0.33919925181580984, 0.5417705399358749],
    [-4.178718591551905, -0.3276828207610624, 0.47662355450055044],
    [-0.5028726349457868, 2.571926949855605, -0.5960392048282249],
];
/// Weights of the stages in the error estimate.
pub(super) const E: [f64; 3] = [-(13.0 + 7.0 * SQRT6) / 3.0, (-13.0 + 7.0 * SQRT6) / 3.0, -1.0 / 3.0];

#[inline(always)]
pub(super) fn apply<F: Real>(m: &[[f64; 3]; 3], x: [F; 3]) -> [F; 3] {
    m.map(|row| F::of(row[0]) * x[0] + F::of(row[1]) * x[1] + F::of(row[2]) * x[2])
}

/// k₂ and k₃ of the collocation polynomial y₀ + θ(z₃ + θ̄(k₂ + θ k₃)).
#[inline(always)]
pub(super) fn bend<F: Real>(z: [F; 3]) -> (F, F) {
    let g = [0, 1].map(|i| (z[i] * F::of(1.0 / C[i]) - z[2]) * F::of(1.0 / (1.0 - C[i])));
    let k3 = (g[0] - g[1]) * F::of(1.0 / (C[0] - C[1]));
    (g[0] - F::of(C[0]) * k3, k3)
}
