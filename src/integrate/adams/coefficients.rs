//! Coefficients of variable-step Adams methods, which depend on the last steps' sizes.

/// Highest order of the predictor.
pub(super) const MOST: usize = 12;

/// Numbers that a step of size `h` from `xₙ` needs (HNW III.5, in the variables of Krogh and of Shampine and Gordon).
#[derive(Debug, Clone, Copy)]
pub(super) struct Coefficients {
    /// `βⱼ = Πᵢ₍ᵢ₍ⱼ (xₙ₊₁ − xₙ₋ᵢ) / (xₙ − xₙ₋ᵢ₋₁)`: differences at `xₙ` times these look ahead to `xₙ₊₁`.
    pub(super) beta: [f64; MOST + 2],
    /// `gⱼ`: the integral of the `j`-th Newton polynomial over the step, divided by `h`.
    pub(super) g: [f64; MOST + 2],
}

impl Coefficients {
    pub(super) const ZERO: Self = Coefficients { beta: [0.0; MOST + 2], g: [0.0; MOST + 2] };

    /// For order `k` (and the estimate at order `k + 1`); `back[i] = xₙ − xₙ₋ᵢ`.
    pub(super) fn new(h: f64, back: &[f64; MOST + 2], k: usize) -> Self {
        let mut c = Self::ZERO;
        c.beta[0] = 1.0;
        for j in 1..=k {
            // Without a step in the past the factor is never used.
            let past = if back[j] == 0.0 { h } else { back[j] };
            c.beta[j] = c.beta[j - 1] * (h + back[j - 1]) / past;
        }
        // Row j of c_jq, q = 1.., with g_j = c_j1 (HNW III.5.9).
        let mut row: [f64; MOST + 3] = std::array::from_fn(|q| 1.0 / (q + 1) as f64);
        c.g[0] = 1.0;
        for j in 1..=k + 1 {
            let ratio = h / (h + back[j - 1]);
            for q in 0..k + 2 - j {
                row[q] -= row[q + 1] * ratio;
            }
            c.g[j] = row[0];
        }
        c
    }
}

/// A polynomial in `θ`, powers ascending.
type Powers = [f64; MOST + 4];

/// Weights of the interpolant: rows of nested coefficients `c₁, c₂, ..` for `Φ₀, .., Φₘ₋₁` at the step's end (to be times
/// `h`), and last for `y₁ − y₀`.
///
/// The slope interpolates `f` at the last `m` points, the values match `y₀` and `y₁`:
///
/// ```text
/// dy/dθ = h Σⱼ₍ⱼ₍ₘ Nⱼ(θ) Φⱼ + a Nₘ(θ),   Nⱼ = Πᵢ₍ᵢ₍ⱼ (x − xₙ₊₁₋ᵢ) / (xₙ₊₁ − xₙ₋ᵢ),   a from ∫₀¹ dy/dθ dθ = y₁ − y₀
/// ```
pub(super) fn interpolant(h: f64, back: &[f64; MOST + 2], m: usize) -> [[f64; MOST + 2]; MOST + 1] {
    let mut newton: Powers = [0.0; MOST + 4];
    newton[0] = 1.0;
    let mut integrals = [[0.0; MOST + 4]; MOST + 1];
    for (j, integral) in integrals.iter_mut().enumerate().take(m + 1) {
        if j > 0 {
            // Nⱼ = Nⱼ₋₁ (x − x_{n+2-j}) / (xₙ₊₁ − xₙ₊₁₋ⱼ), in θ = (x − xₙ) / h.
            let node = if j == 1 { 1.0 } else { -back[j - 2] / h };
            let scale = h / (h + back[j - 1]);
            for p in (0..=j).rev() {
                let lower = if p > 0 { newton[p - 1] } else { 0.0 };
                newton[p] = scale * (lower - node * newton[p]);
            }
        }
        for p in 0..=j {
            integral[p + 1] = newton[p] / (p + 1) as f64;
        }
    }
    let whole = |p: &Powers| p.iter().sum::<f64>();
    let last = integrals[m];
    let mut rows = [[0.0; MOST + 2]; MOST + 1];
    for j in 0..m {
        let share = whole(&integrals[j]) / whole(&last);
        rows[j] = nested(std::array::from_fn(|p| integrals[j][p] - share * last[p]), m + 1);
    }
    rows[m] = nested(std::array::from_fn(|p| last[p] / whole(&last)), m + 1);
    rows
}

/// `c₁, c₂, ..` of `p(θ) = θ (c₁ + θ̄ (c₂ + θ (c₃ + ..)))`, by division with `θ` and `1 − θ` in turn.
fn nested(mut p: Powers, degree: usize) -> [f64; MOST + 2] {
    let mut c = [0.0; MOST + 2];
    p.copy_within(1.., 0);
    p[MOST + 3] = 0.0;
    for (k, c) in c.iter_mut().enumerate().take(degree) {
        if k % 2 == 0 {
            // p − p(1) = (1 − θ) q: Horner's rule at 1 gives the quotient by θ − 1.
            for i in (0..MOST + 3).rev() {
                p[i] += p[i + 1];
            }
            *c = p[0];
            p.copy_within(1.., 0);
            p[MOST + 3] = 0.0;
            p.iter_mut().for_each(|p| *p = -*p);
        } else {
            *c = p[0];
            p.copy_within(1.., 0);
            p[MOST + 3] = 0.0;
        }
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_steps_give_the_classical_numbers() {
        let back = std::array::from_fn(|i| 0.1 * i as f64);
        let c = Coefficients::new(0.1, &back, 5);
        // HNW III.1, table 1.1.
        for (g, want) in c.g.iter().zip([1.0, 0.5, 5.0 / 12.0, 3.0 / 8.0, 251.0 / 720.0, 95.0 / 288.0]) {
            assert!((g - want).abs() < 1e-14, "{g} {want}");
        }
        assert!(c.beta[..6].iter().all(|b| (b - 1.0).abs() < 1e-14));
    }

    #[test]
    fn the_interpolant_reproduces_polynomials_through_uneven_points() {
        // y = x⁵ with slopes at m = 4 points: degree m + 1 = 5 is exact.
        let steps = [0.3, 0.2, 0.5];
        let h = 0.4;
        let mut back = [0.0; MOST + 2];
        (0..3).for_each(|i| back[i + 1] = back[i] + steps[i]);
        let x0 = 0.7;
        let f = |x: f64| 5.0 * x.powi(4);
        let x = [x0 + h, x0, x0 - back[1], x0 - back[2]];
        let mut phi = [0.0; 4];
        // Modified divided differences by their definition.
        let mut table = x.map(f);
        for j in 0..4 {
            phi[j] = (0..j).fold(table[0], |p, i| p * (x[0] - x[i + 1]));
            (0..3 - j).for_each(|i| table[i] = (table[i] - table[i + 1]) / (x[i] - x[i + j + 1]));
        }
        let rows = interpolant(h, &back, 4);
        for theta in [0.0, 0.3, 0.5, 0.9, 1.0] {
            let value = |row: &[f64; MOST + 2]| {
                crate::integrate::explicit::tableau::Interpolant::weight(&row[..6], theta)
            };
            let (y0, y1) = (x0.powi(5), (x0 + h).powi(5));
            let sum: f64 = phi.iter().zip(&rows).map(|(p, row)| h * p * value(row)).sum();
            let y = y0 + sum + (y1 - y0) * value(&rows[4]);
            assert!((y - (x0 + theta * h).powi(5)).abs() < 1e-13, "{theta}: {y}");
        }
    }
}
