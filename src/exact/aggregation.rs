//! Particles that attract and repel each other: `x_i' = -Σ_j w_j ∇W(x_i - x_j)`.

/// How much a cloud of mass M has shrunk to its (constant) mean at time t under `W = |x|²/2`: `e^{-Mt}`.
pub fn quadratic_contraction(mass: f64, t: f64) -> f64 {
    (-mass * t).exp()
}

/// Positions at time t of N equal particles on the line under `W = x²/2 - |x|`, from sorted positions at time 0:
///
/// ```text
/// x_i' = -(x_i - x̄) + c_i,   c_i = (2i - N + 1) / N,   x_i(t) = x̄ + c_i + (x_i(0) - x̄ - c_i) e^{-t}
/// ```
///
/// exact for every N: the order never changes. The limit is uniform on x̄ + \[-1, 1\].
///
/// ```
/// use flowfield::exact::aggregation::line;
/// let x = line(&[-0.1, 0.0, 0.4], 50.0);
/// assert!((x[0] - (0.1 - 2.0 / 3.0)).abs() < 1e-15 && (x[2] - (0.1 + 2.0 / 3.0)).abs() < 1e-15);
/// ```
pub fn line(start: &[f64], t: f64) -> Vec<f64> {
    let n = start.len() as f64;
    let mean = start.iter().sum::<f64>() / n;
    let rest = |i: usize| mean + (2.0 * i as f64 - n + 1.0) / n;
    start.iter().enumerate().map(|(i, &x)| rest(i) + (x - rest(i)) * (-t).exp()).collect()
}

/// Radius at time t of a uniform disk of mass 1 under `W = |x|²/2 - log|x|` in the plane, which stays a uniform
/// disk: `R² = 1 + (R₀² - 1) e^{-2t}`.
pub fn disk_radius(start: f64, t: f64) -> f64 {
    (1.0 + (start * start - 1.0) * (-2.0 * t).exp()).sqrt()
}

/// Radius of the ring (in the plane) on which mass 1 settles under `W = |x|⁴/4 - |x|²/2`.
///
/// On the line the same potential leaves two point masses at ±1/2.
pub const RING_RADIUS: f64 = 0.577_350_269_189_625_8;
