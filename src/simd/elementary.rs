//! Elementary functions without branches, which the compiler vectorises inside a [`Kernel`](super::Kernel).
//!
//! exp by x = n ln 2 + r, |r| <= ln 2 / 2 (Cody and Waite 1980); the polynomials are interpolants at
//! Chebyshev nodes computed with 50 digits. NaN passes through all of them.

use super::Arith;
use crate::Real;

/// (e^r - 1 - r) / r² on |r| <= ln 2 / 2, for `f32` and `f64`; relative errors 1e-7 and 5e-16.
const EXP_32: &[f64] = &[
    0.5,
    0.166_665_769_896_987_76,
    0.041_666_554_617_204_57,
    0.008_363_179_052_722_577,
    0.001_392_618_358_771_349_5,
];
const EXP_64: &[f64] = &[
    0.500_000_000_000_000_1,
    0.166_666_666_666_666_67,
    0.041_666_666_666_624_13,
    0.008_333_333_333_330_032,
    0.001_388_888_891_721_371_7,
    0.000_198_412_698_630_536_17,
    0.000_024_801_521_295_954_375,
    2.755_726_845_999_706_4e-6,
    2.762_008_844_540_974_8e-7,
    2.510_038_549_551_032e-8,
];

/// atanh(w) / w in powers of w², on w² <= 1/9.
const ATANH_32: &[f64] = &[
    1.000_000_003_840_879_4, 0.333_331_608_206_888_9, 0.200_122_976_153_518_74, 0.139_825_788_725_986_34,
    0.140_788_891_815_545_4,
];
const ATANH_64: &[f64] = &[
    1.0, 0.333_333_333_333_412_9, 0.199_999_999_976_438, 0.142_857_145_558_285_8, 0.111_110_954_306_731_42,
    0.090_914_299_002_369_55, 0.076_818_381_244_458_17, 0.067_956_527_427_899_47, 0.049_403_945_243_823_93,
    0.088_903_819_130_566_51,
];

/// Phi(-x) e^{x²/2} (4 + x) / 4 in powers of s = (4 - x) / (4 + x), x >= 0 (the substitution of
/// Press et al., Numerical Recipes, section 6.2.2).
const TAIL_32: &[f64] = &[
    0.188_821_282_603_937_88,
    0.151_974_099_147_273_78,
    0.096_784_349_787_108_88,
    0.046_631_701_491_017_93,
    0.015_099_151_207_012_647,
    0.001_877_972_991_966_748_7,
    -0.000_869_957_719_061_671_7,
    -0.000_390_834_270_970_078_03,
    3.337_756_056_755_952e-5,
    3.928_038_869_868_403_5e-5,
    -4.183_288_427_188_951e-7,
];
const TAIL_64: &[f64] = &[
    0.188_821_282_603_937_88,
    0.151_974_160_492_973_27,
    0.096_784_350_185_554_13,
    0.046_630_464_489_891_804,
    0.015_099_143_722_690_594,
    0.001_885_047_242_284_186_7,
    -0.000_869_923_090_722_429_3,
    -0.000_407_704_621_968_984_23,
    3.333_606_472_412_23e-5,
    5.777_378_768_704_912e-5,
    -4.769_768_609_789_295e-7,
    -8.786_411_110_469_081e-6,
    1.788_183_972_013_144_5e-7,
    1.480_744_875_694_710_5e-6,
    -1.565_516_276_928_055e-7,
    -2.567_736_057_135_909_4e-7,
    6.655_806_855_291_416e-8,
    4.057_969_631_469_552e-8,
    -1.997_451_663_348_388_7e-8,
    -4.902_038_368_964_99e-9,
    4.133_958_915_994_292_5e-9,
    3.211_361_167_947_618e-10,
    -4.434_245_897_661_458e-10,
];

/// tanh(x) / x as a quotient of polynomials in x² on |x| <= 9.02, where tanh is 1 to the round-off of `f32`: minimax in relative
/// error (2e-8), by Lawson's iteration.
const TANH_32: [&[f64]; 2] = [
    &[
        0.999_999_979_206_542_4, 0.133_796_674_592_000_84, 0.003_493_973_598_713_542,
        2.058_245_454_831_518_3e-5, 1.331_763_444_273_244e-8,
    ],
    &[
        1.0,
        0.467_129_827_746_867_57,
        0.025_870_843_681_861_336,
        0.000_328_299_191_959_446_4,
        7.761_432_789_667_626e-7,
    ],
];

/// (sin r - r) / r³ and (cos r - 1) / r² in powers of r², on |r| <= π/4.
const SIN_32: &[f64] = &[-0.166_666_646_611_149, 0.008_332_748_037_528_802, -0.000_195_878_405_238_231_5];
const COS_32: &[f64] = &[
    -0.499_999_999_690_946_55,
    0.041_666_650_634_931_315,
    -0.001_388_758_863_784_169_5,
    2.446_372_116_696_831e-5,
];
const SIN_64: &[f64] = &[
    -0.166_666_666_666_666_66,
    0.008_333_333_333_330_946,
    -0.000_198_412_698_367_549_7,
    2.755_731_610_068_312e-6,
    -2.505_113_145_544_742_8e-8,
    1.591_810_123_167_728e-10,
];
const COS_64: &[f64] = &[
    -0.5,
    0.041_666_666_666_666_64,
    -0.001_388_888_888_888_076_7,
    2.480_158_729_368_715e-5,
    -2.755_731_556_415_152e-7,
    2.087_588_639_090_108_3e-9,
    -1.136_797_819_256_624_9e-11,
];
/// π/2 in three parts, the first two short enough for their product with n to be exact (`f32`, `f64`).
const HALF_PI: [(f64, f64); 3] = [
    (1.570_312_5, 1.570_796_326_734_125_6),
    (0.000_483_751_296_997_070_3, 6.077_100_506_303_966e-11),
    (7.549_789_954_891_882e-8, 2.022_266_248_795_950_6e-21),
];

#[inline(always)]
const fn single<F>() -> bool {
    size_of::<F>() == 4
}

/// Horner's rule.
#[inline(always)]
fn horner<A: Arith, F: Real>(c: &'static [f64], x: F) -> F {
    let mut p = F::of(c[c.len() - 1]);
    for &c in c[..c.len() - 1].iter().rev() {
        p = A::fma(p, x, F::of(c));
    }
    p
}

/// (e^r - 1, 2^n) with x = n ln 2 + r; x is clamped to the range of normal numbers, from above only if `BOUNDED`.
#[inline(always)]
fn exp_parts<A: Arith, F: Real, const BOUNDED: bool>(x: F) -> (F, F) {
    let (lo, hi) = if single::<F>() { (-87.3, 88.3) } else { (-708.3, 709.4) };
    // ln 2 in two parts, the first short enough for n times it to be exact.
    let (ln2_hi, ln2_lo) = if single::<F>() {
        (0.693_359_375, -2.121_944_4e-4)
    } else {
        (0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10)
    };
    let x = if BOUNDED && x > F::of(hi) { F::of(hi) } else { x };
    let x = if x < F::of(lo) { F::of(lo) } else { x };
    let rounded = A::fma(x, F::of(std::f64::consts::LOG2_E), F::ROUND);
    let n = rounded - F::ROUND;
    let r = A::fma(n, F::of(-ln2_hi), x);
    let r = A::fma(n, F::of(-ln2_lo), r);
    let q = horner::<A, F>(if single::<F>() { EXP_32 } else { EXP_64 }, r);
    (A::fma(r * r, q, r), rounded.exp2_of_rounded())
}

/// e^x; saturates instead of overflowing.
#[inline(always)]
pub(crate) fn exp<A: Arith, F: Real>(x: F) -> F {
    let (e, scale) = exp_parts::<A, F, true>(x);
    A::fma(e, scale, scale)
}

/// The same for x below the overflow of e^x, and something (perhaps not a number) elsewhere.
#[inline(always)]
pub(crate) fn exp_below<A: Arith, F: Real>(x: F) -> F {
    let (e, scale) = exp_parts::<A, F, false>(x);
    A::fma(e, scale, scale)
}

/// e^x - 1 without cancellation near 0.
#[inline(always)]
pub(crate) fn expm1<A: Arith, F: Real>(x: F) -> F {
    let (e, scale) = exp_parts::<A, F, true>(x);
    A::fma(e, scale, scale - F::one())
}

/// The same for x below the overflow of e^x, and something (perhaps not a number) elsewhere.
#[inline(always)]
pub(crate) fn expm1_below<A: Arith, F: Real>(x: F) -> F {
    let (e, scale) = exp_parts::<A, F, false>(x);
    A::fma(e, scale, scale - F::one())
}

/// tanh(x): for `f32` a quotient of polynomials; for `f64` m / (m + 2) with m = e^{2|x|} - 1, and the sign of x.
#[inline(always)]
pub(crate) fn tanh<A: Arith, F: Real>(x: F) -> F {
    if single::<F>() {
        let z = clamp_abs(x, 9.02);
        let u = z * z;
        let t = horner::<A, F>(TANH_32[0], u) * z / horner::<A, F>(TANH_32[1], u);
        // A slope 1 - t² must not be negative.
        return (if t > F::one() { F::one() } else { t }).copysign(x);
    }
    let m = expm1::<A, F>(clamp_abs(x + x, 60.0));
    (m / (m + F::of(2.0))).copysign(x)
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub(crate) fn sigmoid<A: Arith, F: Real>(x: F) -> F {
    F::one() / (F::one() + exp::<A, F>(-x))
}

/// (ln(1 + e^x), its derivative), by u = e^-|x| and ln(1 + u) = 2 artanh(u / (2 + u)).
#[inline(always)]
pub(crate) fn softplus<A: Arith, F: Real>(x: F) -> (F, F) {
    let u = exp::<A, F>(-x.abs());
    let w = u / (F::of(2.0) + u);
    let log = (w + w) * horner::<A, F>(if single::<F>() { ATANH_32 } else { ATANH_64 }, w * w);
    let inverse = F::one() / (F::one() + u);
    let positive = if x < F::zero() { F::zero() } else { x };
    (positive + log, if x < F::zero() { u * inverse } else { inverse })
}

/// (Phi(x), phi(x)): distribution and density of the standard normal, accurate in both tails.
#[inline(always)]
pub(crate) fn normal_cdf<A: Arith, F: Real>(x: F) -> (F, F) {
    let z = clamp_abs(x, 40.0);
    let gauss = exp::<A, F>(z * z * F::of(-0.5));
    let inverse = F::one() / (z + F::of(4.0));
    let s = (F::of(4.0) - z) * inverse;
    let tail = horner::<A, F>(if single::<F>() { TAIL_32 } else { TAIL_64 }, s);
    let tail = F::of(4.0) * inverse * tail * gauss;
    let cdf = if x < F::zero() { tail } else { F::one() - tail };
    (cdf, gauss * F::of(0.398_942_280_401_432_7))
}

/// (sin x, cos x): x = n π/2 + r with π/2 in three parts, accurate for |x| below 10⁴ (`f32`: 10³), beyond
/// which the rounding of x itself is what counts; polynomials on |r| <= π/4, exchanged by the parity of n.
#[inline(always)]
pub(crate) fn sin_cos<A: Arith, F: Real>(x: F) -> (F, F) {
    let rounded = A::fma(x, F::of(std::f64::consts::FRAC_2_PI), F::ROUND);
    let n = rounded - F::ROUND;
    let r =
        HALF_PI.iter().fold(x, |r, &part| A::fma(n, F::of(-if single::<F>() { part.0 } else { part.1 }), r));
    let r2 = r * r;
    let sin = A::fma(r * r2, horner::<A, F>(if single::<F>() { SIN_32 } else { SIN_64 }, r2), r);
    let cos = A::fma(r2, horner::<A, F>(if single::<F>() { COS_32 } else { COS_64 }, r2), F::one());
    // n mod 4 by arithmetic: q in {0, 1, 2, 3}.
    let q = n - F::of(4.0) * floor::<F>(n * F::of(0.25));
    let odd = q == F::one() || q == F::of(3.0);
    let (s, c) = if odd { (cos, sin) } else { (sin, cos) };
    let s = if q >= F::of(2.0) { -s } else { s };
    (s, if q == F::one() || q == F::of(2.0) { -c } else { c })
}

/// The integer part of a multiple of 1/4 that is small enough.
#[inline(always)]
fn floor<F: Real>(x: F) -> F {
    let nearest = (x + F::ROUND) - F::ROUND;
    if nearest > x { nearest - F::one() } else { nearest }
}

/// |x|, at most `most`; NaN stays.
#[inline(always)]
fn clamp_abs<F: Real>(x: F, most: f64) -> F {
    let x = x.abs();
    if x > F::of(most) { F::of(most) } else { x }
}

#[cfg(test)]
mod tests {
    use super::super::{Isa, Kernel};
    use super::*;

    /// All functions at one point, by one instruction set.
    struct At<F>(F);

    struct Circle<F>(F);

    impl<F: Real> Kernel for Circle<F> {
        type Output = (F, F);
        #[inline(always)]
        fn run<A: Arith>(self) -> (F, F) {
            sin_cos::<A, F>(self.0)
        }
    }

    impl<F: Real> Kernel for At<F> {
        type Output = [F; 8];
        #[inline(always)]
        fn run<A: Arith>(self) -> [F; 8] {
            let x = self.0;
            let ((soft, slope), (cdf, density)) = (softplus::<A, F>(x), normal_cdf::<A, F>(x));
            [exp::<A, F>(x), expm1::<A, F>(x), tanh::<A, F>(x), sigmoid::<A, F>(x), soft, slope, cdf, density]
        }
    }

    /// The same by the standard library, in double precision; the normal distribution by quadrature.
    fn reference(x: f64) -> [f64; 8] {
        let sigmoid = 1.0 / (1.0 + (-x).exp());
        let density = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
        let soft = x.max(0.0) + (-x.abs()).exp().ln_1p();
        [x.exp(), x.exp_m1(), x.tanh(), sigmoid, soft, sigmoid, normal_tail(-x), density]
    }

    /// 1 - Phi(x): the integral of the density by the trapezium rule in the variable of
    /// t = x + e^(u - e^-u) (double exponential), to 15 digits.
    fn normal_tail(x: f64) -> f64 {
        if x < 0.0 {
            return 1.0 - normal_tail(-x);
        }
        let h = 1.0 / 64.0;
        let sum: f64 = (-256..=256)
            .map(|i| {
                let u = f64::from(i) * h;
                let s = (u - (-u).exp()).exp();
                (-0.5 * s * (2.0 * x + s)).exp() * s * (1.0 + (-u).exp())
            })
            .sum();
        h * sum * (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt()
    }

    const NAMES: [&str; 8] = ["exp", "expm1", "tanh", "sigmoid", "softplus", "softplus'", "Phi", "phi"];

    /// The largest relative error in units of round-off over a range of x where nothing under- or overflows.
    fn worst<F: Real>(isa: Isa, bound: f64) -> [f64; 8] {
        let mut worst = [0.0_f64; 8];
        for i in -1_000..=1_000 {
            let x = F::of(f64::from(i) / 1_000.0 * bound);
            for ((got, want), worst) in isa.run(At(x)).into_iter().zip(reference(x.f64())).zip(&mut worst) {
                if want != 0.0 {
                    *worst = worst.max((got.f64() - want).abs() / want.abs() / F::EPS.f64());
                }
            }
        }
        worst
    }

    #[test]
    fn within_a_few_units_of_round_off() {
        // e^(-x²/2) inherits the rounding of x²/2, hence the wider bounds of the last two.
        let limits = [2.0, 2.5, 4.0, 3.5, 3.0, 3.0, 24.0, 20.0];
        for &isa in Isa::available() {
            for bound in [0.1, 1.0, 6.0] {
                let (single, double) = (worst::<f32>(isa, bound), worst::<f64>(isa, bound));
                for (i, name) in NAMES.iter().enumerate() {
                    assert!(single[i] < limits[i], "f32 {name} by {isa:?} up to {bound}: {}", single[i]);
                    assert!(double[i] < limits[i], "f64 {name} by {isa:?} up to {bound}: {}", double[i]);
                }
            }
            assert!(worst::<f32>(isa, 80.0)[..6].iter().all(|&e| e < 4.0));
            assert!(worst::<f64>(isa, 700.0)[..6].iter().all(|&e| e < 4.0));
        }
    }

    fn circle_is_close<F: Real>(isa: Isa, bound: f64) {
        for i in -1_000..=1_000 {
            let x = F::of(f64::from(i) / 1_000.0 * bound);
            let (sin, cos) = isa.run(Circle(x));
            let (want_sin, want_cos) = x.f64().sin_cos();
            let worst = (sin.f64() - want_sin).abs().max((cos.f64() - want_cos).abs());
            assert!(worst < F::EPS.f64(), "{isa:?} at {x}: {worst}");
        }
    }

    #[test]
    fn sines_and_cosines_are_within_round_off() {
        for &isa in Isa::available() {
            for bound in [0.9, 7.0, 900.0] {
                circle_is_close::<f32>(isa, bound);
                circle_is_close::<f64>(isa, bound * 10.0);
            }
            assert_eq!(isa.run(Circle(0.0_f32)), (0.0, 1.0));
            assert!(isa.run(Circle(f64::NAN)).0.is_nan() && isa.run(Circle(f32::INFINITY)).1.is_nan());
        }
    }

    #[test]
    fn nan_stays_and_the_ends_are_tame() {
        for &isa in Isa::available() {
            assert!(isa.run(At(f32::NAN)).iter().all(|v| v.is_nan()));
            assert!(isa.run(At(f64::NAN)).iter().all(|v| v.is_nan()));
            let [exp, _, tanh, sigmoid, soft, slope, cdf, density] = isa.run(At(1e6_f64));
            assert_eq!((tanh, sigmoid, soft, slope, cdf), (1.0, 1.0, 1e6, 1.0, 1.0));
            assert!(exp > 1e300 && density < 1e-300);
            assert_eq!(isa.run(At(f32::NEG_INFINITY))[2], -1.0);
        }
    }
}
