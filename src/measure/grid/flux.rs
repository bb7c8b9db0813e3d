//! The flux between two cells.

/// Bernoulli's function `z / (e^z - 1)`.
pub(crate) fn bernoulli(z: f64) -> f64 {
    if z.abs() < 1e-4 {
        // z/(e^z - 1) = 1 - z/2 + z²/12 - z⁴/720 ..
        1.0 - 0.5 * z + z * z / 12.0
    } else if z > 700.0 {
        0.0
    } else {
        z / z.exp_m1()
    }
}

/// Diffusion: `D ∫ ρ log ρ + c ∫ ρ^m / (m-1)`, whose pressure is `r(ρ) = D ρ + c ρ^m`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spreading {
    pub(crate) linear: f64,
    pub(crate) power: f64,
    pub(crate) exponent: f64,
}

impl Spreading {
    /// U(ρ).
    pub(crate) fn energy(&self, rho: f64) -> f64 {
        let log = if rho > 0.0 && self.linear != 0.0 { rho * rho.ln() } else { 0.0 };
        let power =
            if self.power != 0.0 { rho.max(0.0).powf(self.exponent) / (self.exponent - 1.0) } else { 0.0 };
        self.linear * log + self.power * power
    }

    /// U'(ρ); minus infinity at 0 for linear diffusion.
    pub(crate) fn slope(&self, rho: f64) -> f64 {
        let m = self.exponent;
        let log = if self.linear == 0.0 { 0.0 } else { self.linear * (rho.ln() + 1.0) };
        let power =
            if self.power == 0.0 { 0.0 } else { self.power * m / (m - 1.0) * rho.max(0.0).powf(m - 1.0) };
        log + power
    }

    /// The diffusivity r' between two densities for which the equilibria of the flux are exact: the mean of r' with respect
    /// to log ρ, `(h(b) - h(a)) / (log b - log a)`, `h = U'` (Bessemoulin-Chatard, Numer. Math. 121, 2012); the middle's
    /// where one of the two is empty.
    pub(crate) fn between(&self, a: f64, b: f64) -> f64 {
        if self.power == 0.0 {
            return self.linear;
        }
        let (m, c) = (self.exponent, self.power);
        let (a, b) = (a.max(0.0), b.max(0.0));
        let log = if a > 0.0 && b > 0.0 { (b / a).ln() } else { f64::INFINITY };
        let middle = 0.5 * (a + b);
        // Close together the quotient loses its digits; far apart its logarithm would stop a front.
        let mean = if log.abs() < 1e-4 || log.abs() > 30.0 {
            if middle > 0.0 { m * middle.powf(m - 1.0) } else { 0.0 }
        } else {
            m / (m - 1.0) * (b.powf(m - 1.0) - a.powf(m - 1.0)) / log
        };
        self.linear + c * mean
    }
}

/// Scharfetter and Gummel's flux from a cell of density `a` to its neighbour of density `b`, where the potential rises by
/// `rise` and the diffusivity is `d`: `[d B(z) a - d B(-z) b] / h` with z = rise / d; upwind where d vanishes. Zero
/// exactly where `b = a e^{-z}`.
pub(crate) fn flux(d: f64, rise: f64, a: f64, b: f64, h: f64) -> f64 {
    let (out, back) = rates(d, rise);
    (out * a - back * b) / h
}

/// (d B(z), d B(-z)).
pub(crate) fn rates(d: f64, rise: f64) -> (f64, f64) {
    if d <= 1e-300 || rise.abs() > 600.0 * d {
        return ((-rise).max(0.0), rise.max(0.0));
    }
    let z = rise / d;
    (d * bernoulli(z), d * bernoulli(-z))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_flux_in_equilibrium_and_a_difference_of_one_drift() {
        for rise in [-3.0, -1e-6, 0.0, 2e-5, 0.3, 40.0] {
            let d = 0.7;
            let (out, back) = rates(d, rise);
            // B(z) - B(-z) = -z: together they carry the drift.
            assert!((out - back + rise).abs() < 1e-14 * (1.0 + rise.abs()));
            let a = 1.3;
            assert!(flux(d, rise, a, a * (-rise / d).exp(), 0.1).abs() < 1e-14 * (1.0 + out * 10.0));
        }
        assert_eq!(rates(0.0, 2.0), (0.0, 2.0));
        assert_eq!(rates(1e-9, -2.0), (2.0, 0.0));
    }

    #[test]
    fn nonlinear_equilibria_carry_no_flux() {
        let u = Spreading { linear: 0.0, power: 1.0, exponent: 2.0 };
        // h(ρ) + V = const: 2ρ + V.
        let (a, b) = (0.9, 0.4);
        let rise = 2.0 * (a - b);
        assert!(flux(u.between(a, b), rise, a, b, 0.1).abs() < 1e-14);
        let (a, b) = (0.9, 0.9 + 1e-9);
        assert!((u.between(a, b) - 1.8).abs() < 1e-8);
        assert!(u.between(0.0, 0.5) > 0.0);
    }
}
