//! The step-size controller of [`Pi`](crate::integrate::control::Pi), for lanes and for rows.

use crate::scalar::{log2_of_parts, rough_exp2};

/// Smallest error norm that still matters.
const TINY: f64 = 1e-10;
/// log2 of 1e-4, below which the error of the step before does not count.
pub(super) const LOG_FLOOR: f64 = -13.287712379549449;

/// The library's rough log2, bit for bit, by operations that have a vector instruction everywhere: the exponent comes from
/// a shift that fills with zeros, and becomes a number as the low bits of 1.5 · 2^52.
#[inline(always)]
fn log2(x: f64) -> f64 {
    const SQRT_HALF_BITS: u64 = 0x3fe6_a09e_667f_3bcd;
    const BIAS: u64 = 1023 << 52;
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let biased = x.to_bits().wrapping_add(BIAS - SQRT_HALF_BITS) >> 52;
    let exponent = f64::from_bits(ROUND.to_bits() + biased) - (ROUND + 1023.0);
    let mantissa = x.to_bits().wrapping_add(BIAS).wrapping_sub(biased << 52);
    log2_of_parts(exponent, f64::from_bits(mantissa) - 1.0)
}

/// The controller's exponents. What it remembers of a member is kept by the caller: log2 of the last error, and the largest
/// factor that its next step may grow by (1 after a rejection).
#[derive(Debug, Clone, Copy)]
pub(super) struct Pi {
    pub(super) beta: f64,
    pub(super) inverse_k: f64,
}

impl Pi {
    /// For an error estimate of this order.
    pub(super) fn new(order: u32) -> Self {
        let inverse_k = 1.0 / (f64::from(order) + 1.0);
        Pi { beta: 0.2 * inverse_k, inverse_k }
    }

    /// The factor for the next step, or for this one again if `err > 1` or NaN. `memory` is the log2 of the last step's
    /// error, `most` the largest factor allowed; both are brought up to date.
    #[inline(always)]
    pub(super) fn factor(self, err: f64, memory: &mut f64, most: &mut f64) -> f64 {
        let log_err = log2(if err > TINY { err } else { TINY });
        let exponent = (0.75 * self.beta - self.inverse_k) * log_err;
        let accept = err <= 1.0;
        let history = if accept { self.beta * *memory } else { 0.0 };
        let limit = if accept { *most } else { 0.9 };
        let factor = 0.9 * rough_exp2(exponent + history);
        let factor = if factor > 0.2 { factor } else { 0.2 };
        let factor = if factor < limit { factor } else { limit };
        let kept = if log_err > LOG_FLOOR { log_err } else { LOG_FLOOR };
        *memory = if accept { kept } else { *memory };
        *most = if accept { 10.0 } else { 1.0 };
        // A NaN or infinite error is larger than any number.
        if err <= f64::MAX { factor } else { 0.1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrate::{Controller, control};

    #[test]
    fn is_the_controller_of_single_solves() {
        let mut single = control::Pi::default();
        let pi = Pi::new(4);
        let (mut memory, mut most, mut h, mut h2) = (LOG_FLOOR, 10.0, 1.0, 1.0);
        for err in [0.5, 1e-3, 0.9, 3.0, 0.7, 0.2, f64::NAN, 0.0, 1e-12, 100.0, 2.0, 1.0, f64::INFINITY, 0.3]
        {
            h = single.judge(h, err, 4).h;
            h2 *= pi.factor(err, &mut memory, &mut most);
            assert_eq!(h, h2, "after an error of {err}");
        }
    }
}
