//! The numbers of one step of a backward differentiation formula on unequal steps.

/// The highest order.
pub(super) const MOST: usize = 5;

/// What a step of order `q` from the last `q + 1` step sizes needs.
///
/// With `ξᵢ = (tₙ₊₁ − tₙ₊₁₋ᵢ) / h`, the new Nordsieck vector is the predicted one plus `l` times the correction, where
/// `Σ lᵢ xⁱ = (1 + x/ξ*) Π (1 + x/ξᵢ)`, i < q, and `ξ*` makes `l₁ = Σ 1/i`, that of equal steps: the leading coefficient is
/// fixed (Jackson, Sacks-Davis, ACM TOMS 6 (1980) 295–318; the CVODE user guide, chapter "Mathematical considerations").
#[derive(Debug, Clone, Copy)]
pub(super) struct Coefficients {
    pub(super) l: [f64; MOST + 1],
    /// Local error over the norm of the correction.
    pub(super) error: f64,
    /// The same for the order below, to be multiplied with the highest Nordsieck term.
    pub(super) error_below: f64,
    /// The same for the order above, to be multiplied with a difference of corrections.
    pub(super) error_above: f64,
    /// The correction over the derivative of order q + 1, up to factors that two steps have in common.
    pub(super) scale: f64,
}

impl Coefficients {
    pub(super) const ZERO: Self =
        Coefficients { l: [0.0; MOST + 1], error: 0.0, error_below: 0.0, error_above: 0.0, scale: 0.0 };

    /// For a step of size `h` after steps of sizes `past`, newest first.
    pub(super) fn new(q: usize, h: f64, past: &[f64; MOST + 1]) -> Self {
        let mut l = [0.0; MOST + 1];
        (l[0], l[1]) = (1.0, 1.0);
        // −Σ 1/i to q, and the same with the true distances; the inverse distances that go into the last two factors.
        let (mut harmonic, mut distance) = (-1.0, h);
        let (mut harmonic_true, mut last, mut star) = (-1.0, 1.0, 1.0);
        if q > 1 {
            for j in 2..q {
                distance += past[j - 2];
                harmonic -= INVERSE[j];
                multiply(&mut l, j, h / distance);
            }
            harmonic -= INVERSE[q];
            star = -l[1] - harmonic;
            distance += past[q - 2];
            last = h / distance;
            harmonic_true = -l[1] - last;
            multiply(&mut l, q, star);
        }
        let a = 1.0 - harmonic_true + harmonic;
        let b = 1.0 + q as f64 * a;
        let scale = (b * star / (l[q] * last)).abs();
        let error_below = if q > 1 {
            let c = harmonic + INVERSE[q];
            (star / l[q] * (1.0 - (harmonic_true + last) + c) / c).abs()
        } else {
            1.0
        };
        distance += past[q - 1];
        let next = h / distance;
        let harmonic_above = harmonic - INVERSE[q + 1];
        let above = 1.0 - (harmonic_true - next) + harmonic_above;
        Coefficients {
            l,
            error: (a / (harmonic * b)).abs(),
            error_below,
            error_above: (above / (b * next * (q as f64 + 2.0) * harmonic_above)).abs(),
            scale,
        }
    }
}

/// Multiplies the polynomial `l` of degree `degree - 1` by `1 + factor x`.
#[inline(always)]
fn multiply(l: &mut [f64; MOST + 1], degree: usize, factor: f64) {
    for i in (1..=degree).rev() {
        l[i] += l[i - 1] * factor;
    }
}

/// The coefficients of `x² Π (x + ξⱼ)` over the last `count` points, `ξⱼ = (tₙ − tₙ₋ⱼ) / h`: what changes in the history when its
/// highest term does.
pub(super) fn vanishing(count: usize, h: f64, past: &[f64; MOST + 1]) -> [f64; MOST + 1] {
    let mut c = [0.0; MOST + 1];
    c[2] = 1.0;
    let mut distance = 0.0;
    for (j, past) in past.iter().enumerate().take(count) {
        distance += past;
        for i in (2..=j + 3).rev() {
            c[i] = c[i] * (distance / h) + c[i - 1];
        }
    }
    c
}

/// What makes of the last correction of order `q` the next highest term of the history.
pub(super) fn lift(q: usize, h: f64, past: &[f64; MOST + 1]) -> f64 {
    let (mut distance, mut product, mut sum) = (0.0, 1.0, 0.0);
    for (past, inverse) in past.iter().zip(&INVERSE[1..]).take(q) {
        distance += past;
        let xi = distance / h;
        product *= xi;
        sum += inverse - 1.0 / xi;
    }
    sum / product
}

pub(super) const INVERSE: [f64; MOST + 3] = [0.0, 1.0, 0.5, 1.0 / 3.0, 0.25, 0.2, 1.0 / 6.0, 1.0 / 7.0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_steps_give_the_classical_formulas() {
        // l₁ = Σ 1/i and the local error 1/(q + 1) / Σ 1/i of the correction, a backward difference (HNW III.1).
        for q in 1..=MOST {
            let c = Coefficients::new(q, 0.1, &[0.1; MOST + 1]);
            let harmonic: f64 = (1..=q).map(|i| 1.0 / i as f64).sum();
            assert!((c.l[1] - harmonic).abs() < 1e-13);
            assert!((c.error - 1.0 / ((q as f64 + 1.0) * harmonic)).abs() < 1e-13);
        }
    }
}
