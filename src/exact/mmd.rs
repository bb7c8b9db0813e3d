//! Maximum mean discrepancy on the line.

/// The quantile function at level `s` and time `t` of the gradient flow of `½ MMD²` to the uniform law on \[0, 1\] with the
/// energy kernel `k = -|x - y|`, from the value `start` (in \[0, 1\]) at time 0:
///
/// ```text
/// ∂Q/∂t(s) = 2 (s - F_ν(Q(s))),   Q = s + (Q₀ - s) e^{-2t}
/// ```
///
/// ```
/// assert!((flowfield::exact::energy_distance_flow(0.25, 0.75, 0.5) - (0.25 + 0.5 * (-1.0_f64).exp())).abs() < 1e-15);
/// ```
pub fn energy_distance_flow(level: f64, start: f64, t: f64) -> f64 {
    level + (start - level) * (-2.0 * t).exp()
}
