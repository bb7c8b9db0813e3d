//! Floating-point formats below `f32`, as sets of numbers within it.

use crate::Real;

/// A format that numbers are rounded to; they stay stored as `f32` or `f64`.
///
/// | format | significant bits | largest | least normal | least |
/// |---|---|---|---|---|
/// | `Full` (of `f32`) | 24 | 3.4e38 | 1.2e-38 | 1.4e-45 |
/// | `Bf16` | 8 | 3.4e38 | 1.2e-38 | 9.2e-41 |
/// | `F16` | 11 | 65504 | 6.1e-5 | 6.0e-8 |
///
/// ```
/// use flowfield::precision::Format;
/// assert_eq!(Format::Bf16.round(1.0_f32 - 1e-3), 1.0);            // an update that is lost
/// assert_eq!(Format::F16.round(1e-8_f32), 0.0);                   // a gradient that is lost
/// assert_eq!(Format::F16.round(1e5_f32), f32::INFINITY);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Format {
    /// The number type itself: no rounding.
    #[default]
    Full,
    /// bfloat16: the range of `f32`, 8 significant bits.
    Bf16,
    /// IEEE binary16.
    F16,
}

impl Format {
    /// `x` rounded to the nearest number of the format, ties to even.
    #[inline(always)]
    pub fn round<F: Real>(self, x: F) -> F {
        match self {
            Format::Full => x,
            Format::Bf16 => F::of(f64::from(bf16(x.f64() as f32))),
            Format::F16 => F::of(f64::from(f16(x.f64() as f32))),
        }
    }

    /// Rounds a slice in place.
    pub fn round_all<F: Real>(self, x: &mut [F]) {
        if self != Format::Full {
            x.iter_mut().for_each(|x| *x = self.round(*x));
        }
    }

    /// Distance from 1 to the next larger number; that of `f32` for `Full`.
    pub fn eps(self) -> f64 {
        match self {
            Format::Full => f64::from(f32::EPSILON),
            Format::Bf16 => 1.0 / 128.0,
            Format::F16 => 1.0 / 1024.0,
        }
    }

    /// Spacing of the format's numbers around x.
    pub(super) fn spacing(self, x: f64) -> f64 {
        let least = if self == Format::F16 { 2f64.powi(-14) } else { f64::from(f32::MIN_POSITIVE) };
        let exponent = x.abs().max(least).log2().floor();
        self.eps() * exponent.exp2()
    }
}

#[inline(always)]
fn bf16(x: f32) -> f32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) & 0xffff_0000;
    if x.is_nan() { x } else { f32::from_bits(rounded) }
}

#[inline(always)]
fn f16(x: f32) -> f32 {
    /// Adding and subtracting this rounds to multiples of 2⁻²⁴, the spacing of subnormal numbers.
    const SUBNORMAL: f32 = 0.75;
    let bits = x.to_bits();
    let normal = f32::from_bits(bits.wrapping_add(0xfff + (bits >> 13 & 1)) & 0xffff_e000);
    let size = x.abs();
    if size < 6.103_515_6e-5 {
        ((size + SUBNORMAL) - SUBNORMAL).copysign(x)
    } else if normal.abs() > 65504.0 {
        f32::INFINITY.copysign(x)
    } else if x.is_nan() {
        x
    } else {
        normal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of a binary16 pattern.
    fn decode(bits: u16) -> f64 {
        let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
        match exponent {
            0 => fraction * 2f64.powi(-24),
            31 => f64::INFINITY,
            e => (1.0 + fraction / 1024.0) * 2f64.powi(e - 15),
        }
    }

    #[test]
    fn every_number_of_f16_is_its_own_and_midpoints_go_to_even() {
        for bits in 0..0x7c00_u16 {
            let (x, next) = (decode(bits), decode(bits + 1));
            assert_eq!(Format::F16.round(x), x);
            assert_eq!(Format::F16.round(-x as f32), -x as f32);
            let middle = if bits + 1 == 0x7c00 { 65520.0 } else { 0.5 * (x + next) };
            let even = if bits % 2 == 0 { x } else { next };
            assert_eq!(Format::F16.round(middle as f32), even as f32, "{bits:x}");
            assert_eq!(Format::F16.round((middle * (1.0 - 1e-6)) as f32), x as f32, "{bits:x}");
        }
    }

    #[test]
    fn bf16_keeps_eight_bits_and_the_range() {
        assert_eq!(Format::Bf16.round(1.0_f64 + 1.0 / 256.0), 1.0);
        assert_eq!(Format::Bf16.round(1.0_f32 + 3.0 / 256.0), 1.0 + 1.0 / 64.0);
        assert_eq!(Format::Bf16.round(1e38_f32).to_bits() & 0xffff, 0);
        for format in [Format::Bf16, Format::F16] {
            assert!(format.round(f32::NAN).is_nan());
            assert_eq!(format.round(f32::NEG_INFINITY), f32::NEG_INFINITY);
            assert_eq!(format.round(-0.0_f32).to_bits(), (-0.0_f32).to_bits());
            assert_eq!(format.spacing(1.5), format.eps());
        }
    }
}
