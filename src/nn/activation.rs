//! Activation functions: value, first and second derivative, applied to whole blocks.

use super::kernel::{Arith, GROUP, Isa, Kernel, expm1_below, normal_cdf, padded, sigmoid, softplus, tanh};
use crate::Real;

/// An activation function σ, applied to every hidden unit.
///
/// ```
/// use flowfield::nn::Activation;
/// let [value, first, second] = Activation::Tanh.jet(0.5_f64);
/// assert!((value - 0.5_f64.tanh()).abs() < 1e-15);
/// assert!((first - (1.0 - value * value)).abs() < 1e-15 && (second + 2.0 * value * first).abs() < 1e-15);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Activation {
    /// z / (1 + e^-z), also called swish (Elfwing et al. 2018). Smooth, not monotone.
    #[default]
    Silu,
    /// λ z for z > 0, λ α (e^z - 1) otherwise, with the constants that keep mean 0 and variance 1
    /// (Klambauer et al. 2017).
    Selu,
    /// tanh z.
    Tanh,
    /// ln(1 + e^z).
    Softplus,
    /// z Φ(z) with the exact normal distribution function Φ, not its tanh approximation
    /// (Hendrycks and Gimpel 2016).
    Gelu,
    /// max(z, 0), with derivative 0 at 0.
    Relu,
    /// z: a linear network.
    Identity,
}

const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
const SELU_SCALE_ALPHA: f64 = 1.758_099_340_847_376_6;

impl Activation {
    /// All of them.
    pub const ALL: [Activation; 7] = [
        Activation::Silu,
        Activation::Selu,
        Activation::Tanh,
        Activation::Softplus,
        Activation::Gelu,
        Activation::Relu,
        Activation::Identity,
    ];

    /// σ(z), σ'(z) and σ''(z), by the arithmetic of the network's kernels.
    pub fn jet<F: Real>(self, z: F) -> [F; 3] {
        let mut value = [z; GROUP];
        let (mut first, mut second) = ([F::zero(); GROUP], [F::zero(); GROUP]);
        Isa::Portable.run(Activate {
            activation: self,
            z: &mut value,
            first: &mut first,
            second: &mut second,
            width: 1,
            stride: GROUP,
            record: Record::Second,
        });
        [value[0], first[0], second[0]]
    }

    /// Whether [`slope_of_value`](Self::slope_of_value) gives σ'.
    pub(crate) fn slope_is_of_value(self) -> bool {
        matches!(self, Activation::Tanh | Activation::Selu | Activation::Relu | Activation::Identity)
    }

    /// σ'(z) from σ(z), to the bits of the derivative that [`Activate`] writes; of the others, something else.
    #[inline(always)]
    pub(crate) fn slope_of_value<A: Arith, F: Real>(self, value: F) -> F {
        match self {
            Activation::Tanh => A::fma(-value, value, F::one()),
            Activation::Selu if value > F::zero() => F::of(SELU_SCALE),
            Activation::Selu => value + F::of(SELU_SCALE_ALPHA),
            Activation::Relu if value <= F::zero() => F::zero(),
            _ => F::one(),
        }
    }

    /// Whether σ'' is not zero everywhere (apart from kinks).
    pub(crate) fn is_curved(self) -> bool {
        !matches!(self, Activation::Relu | Activation::Identity)
    }
}

/// What a forward pass leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Record {
    /// Values only.
    Values,
    /// Values and first derivatives of the activations.
    First,
    /// Values, first and second derivatives.
    Second,
}

/// Replaces z by σ(z) in the first `width` columns (padded to groups), and writes the derivatives.
pub(crate) struct Activate<'a, F> {
    pub activation: Activation,
    pub z: &'a mut [F],
    pub first: &'a mut [F],
    pub second: &'a mut [F],
    pub width: usize,
    pub stride: usize,
    pub record: Record,
}

impl<F: Real> Kernel for Activate<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        let (zero, one) = (F::zero(), F::one());
        match self.activation {
            Activation::Silu => self.each(|z| {
                let s = sigmoid::<A, F>(z);
                let r = one - s;
                let first = A::fma(z * s, r, s);
                (z * s, first, s * r * A::fma(z, r - s, F::of(2.0)))
            }),
            Activation::Selu => self.each(|z| {
                let negative = F::of(SELU_SCALE_ALPHA) * expm1_below::<A, F>(z);
                let slope = negative + F::of(SELU_SCALE_ALPHA);
                let positive = z > zero;
                let value = if positive { F::of(SELU_SCALE) * z } else { negative };
                let first = if positive { F::of(SELU_SCALE) } else { slope };
                (value, first, if positive { zero } else { slope })
            }),
            Activation::Tanh => self.each(|z| {
                let t = tanh::<A, F>(z);
                let first = A::fma(-t, t, one);
                (t, first, F::of(-2.0) * t * first)
            }),
            Activation::Softplus => self.each(|z| {
                let (value, s) = softplus::<A, F>(z);
                (value, s, s * (one - s))
            }),
            Activation::Gelu => self.each(|z| {
                let (cdf, density) = normal_cdf::<A, F>(z);
                (z * cdf, A::fma(z, density, cdf), density * A::fma(-z, z, F::of(2.0)))
            }),
            // Written so that NaN is kept.
            Activation::Relu => self.each(|z| {
                let off = z <= zero;
                (if off { zero } else { z }, if off { zero } else { one }, zero)
            }),
            Activation::Identity => self.each(|z| (z, one, zero)),
        }
    }
}

impl<F: Real> Activate<'_, F> {
    #[inline(always)]
    fn each(self, jet: impl Fn(F) -> (F, F, F)) {
        let (width, stride) = (padded(self.width), self.stride);
        match self.record {
            Record::Values => {
                for z in self.z.chunks_exact_mut(stride) {
                    z[..width].iter_mut().for_each(|z| *z = jet(*z).0);
                }
            }
            Record::First => {
                for (z, first) in self.z.chunks_exact_mut(stride).zip(self.first.chunks_exact_mut(stride)) {
                    for (z, first) in z[..width].iter_mut().zip(&mut first[..width]) {
                        (*z, *first, _) = jet(*z);
                    }
                }
            }
            Record::Second => {
                let rows = self.z.chunks_exact_mut(stride).zip(self.first.chunks_exact_mut(stride));
                for ((z, first), second) in rows.zip(self.second.chunks_exact_mut(stride)) {
                    let row = z[..width].iter_mut().zip(&mut first[..width]).zip(&mut second[..width]);
                    for ((z, first), second) in row {
                        (*z, *first, *second) = jet(*z);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_of_values_are_the_slopes() {
        struct Of(Activation, f32);
        impl Kernel for Of {
            type Output = f32;
            fn run<A: Arith>(self) -> f32 {
                self.0.slope_of_value::<A, f32>(self.1)
            }
        }
        for activation in Activation::ALL.into_iter().filter(|a| a.slope_is_of_value()) {
            for z in [-30.0_f32, -1.3, -0.01, 0.0, 0.4, 8.0] {
                let [value, slope, _] = activation.jet(z);
                assert_eq!(Isa::Portable.run(Of(activation, value)), slope, "{activation:?} at {z}");
            }
        }
    }

    #[test]
    fn derivatives_are_difference_quotients() {
        for activation in Activation::ALL {
            for z in [-3.1, -0.6, -0.01, 0.02, 0.9, 4.0] {
                let h = 1e-6;
                let [_, first, second] = activation.jet(z);
                let (up, down): ([f64; 3], [f64; 3]) = (activation.jet(z + h), activation.jet(z - h));
                for (got, k) in [(first, 0), (second, 1)] {
                    let want = (up[k] - down[k]) / (2.0 * h);
                    assert!((got - want).abs() < 1e-8, "{activation:?} at {z}: {got} against {want}");
                }
            }
        }
    }

    #[test]
    fn values_are_those_of_the_papers() {
        let table = [
            (Activation::Silu, 0.731_058_578_630_004_9),
            (Activation::Selu, 1.050_700_987_355_480_5),
            (Activation::Tanh, 0.761_594_155_955_764_9),
            (Activation::Softplus, 1.313_261_687_518_222_8),
            (Activation::Gelu, 0.841_344_746_068_542_9),
            (Activation::Relu, 1.0),
            (Activation::Identity, 1.0),
        ];
        for (activation, want) in table {
            let [value, ..] = activation.jet(1.0_f64);
            assert!((value - want).abs() < 4e-16, "{activation:?}: {value}");
        }
        // -λ α far to the left.
        assert!((Activation::Selu.jet(-50.0_f64)[0] + SELU_SCALE_ALPHA).abs() < 1e-15);
    }
}
