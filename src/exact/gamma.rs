//! The gamma function.

/// Lanczos' coefficients for g = 7, n = 9 (Godfrey's numbers, relative error 1e-15).
const LANCZOS: [f64; 9] = [
    0.999_999_999_999_809_9, 676.520_368_121_885_1, -1_259.139_216_722_402_8, 771.323_428_777_653_1,
    -176.615_029_162_140_6, 12.507_343_278_686_905, -0.138_571_095_265_720_12, 9.984_369_578_019_572e-6,
    1.505_632_735_149_311_6e-7,
];

/// log Γ(x) for x > 0.
pub(super) fn ln_gamma(x: f64) -> f64 {
    let x = x - 1.0;
    let sum = LANCZOS[1..].iter().zip(1..).fold(LANCZOS[0], |s, (c, k)| s + c / (x + f64::from(k)));
    let t = x + 7.5;
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::ln_gamma;

    #[test]
    fn factorials_and_a_half() {
        let factorial = (1..10).map(f64::from).product::<f64>();
        assert!((ln_gamma(10.0) - factorial.ln()).abs() < 1e-13);
        assert!((ln_gamma(0.5) - 0.5 * std::f64::consts::PI.ln()).abs() < 1e-14);
        assert!(ln_gamma(1.0).abs() < 1e-14 && ln_gamma(2.0).abs() < 1e-14);
    }
}
