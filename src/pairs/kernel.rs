//! Kernels of the distance.

use crate::simd::{Arith, exp_below};
use crate::{Error, Real, Result};

/// A kernel `k(x, y) = φ(r)` of the Euclidean distance `r = |x - y|`.
///
/// Lengths are in the units of the points. Where a kernel has a kink at `r = 0`, its gradient there is
/// taken to be zero.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum RadialKernel {
    /// `exp(-r² / (2 σ²))`, also called RBF.
    Gaussian {
        /// σ.
        width: f64,
    },
    /// `(1 + r² / σ²)^(-1/2)`: heavy tails (Gorham and Mackey, ICML 2017).
    InverseMultiquadric {
        /// σ.
        width: f64,
    },
    /// `exp(-r / σ)`.
    Laplace {
        /// σ.
        width: f64,
    },
    /// `-r`, whose squared MMD is the energy distance (Székely and Rizzo 2013).
    Energy,
}

impl RadialKernel {
    /// `k` at a distance.
    pub fn value(self, r: f64) -> f64 {
        match self {
            Self::Gaussian { width } => (-0.5 * (r / width).powi(2)).exp(),
            Self::InverseMultiquadric { width } => (1.0 + (r / width).powi(2)).sqrt().recip(),
            Self::Laplace { width } => (-r / width).exp(),
            Self::Energy => -r,
        }
    }

    /// `φ'(r)`.
    pub fn slope(self, r: f64) -> f64 {
        match self {
            Self::Gaussian { width } => -r / width.powi(2) * self.value(r),
            Self::InverseMultiquadric { width } => -r / width.powi(2) * self.value(r).powi(3),
            Self::Laplace { width } => -self.value(r) / width,
            Self::Energy => -1.0,
        }
    }

    pub(super) fn check(self) -> Result<()> {
        let width = match self {
            Self::Gaussian { width } | Self::InverseMultiquadric { width } | Self::Laplace { width } => width,
            Self::Energy => 1.0,
        };
        // Its square must neither overflow nor vanish.
        Error::setting(
            width > 1e-18 && width < 1e18,
            "width",
            width,
            "a kernel's width must be positive and finite; a median of distances is 0 where points coincide",
        )
    }

    /// What the loops multiply the squared distance (Laplace: the distance) with.
    pub(super) fn scale(self) -> f64 {
        match self {
            Self::Gaussian { width } => 0.5 / (width * width),
            Self::InverseMultiquadric { width } => 1.0 / (width * width),
            Self::Laplace { width } => 1.0 / width,
            Self::Energy => 1.0,
        }
    }

    /// Factors that the loops leave out of values and of slopes.
    pub(super) fn factors(self) -> (f64, f64) {
        match self {
            Self::Gaussian { width } | Self::InverseMultiquadric { width } => (1.0, -1.0 / (width * width)),
            Self::Laplace { width } => (1.0, -1.0 / width),
            Self::Energy => (-1.0, -1.0),
        }
    }
}

/// A kernel inside the loops: (k, c) up to the factors, with `∇_x k = c (x - y)`, from the squared distance.
pub(super) trait Profile {
    fn pair<A: Arith, F: Real>(square: F, scale: F) -> (F, F);
}

pub(super) struct Gaussian;
pub(super) struct InverseMultiquadric;
pub(super) struct Laplace;
pub(super) struct Energy;

impl Profile for Gaussian {
    #[inline(always)]
    fn pair<A: Arith, F: Real>(square: F, scale: F) -> (F, F) {
        let k = exp_below::<A, F>(-square * scale);
        (k, k)
    }
}

impl Profile for InverseMultiquadric {
    #[inline(always)]
    fn pair<A: Arith, F: Real>(square: F, scale: F) -> (F, F) {
        let inverse = F::one() / A::fma(square, scale, F::one());
        let k = inverse.sqrt();
        (k, k * inverse)
    }
}

impl Profile for Laplace {
    #[inline(always)]
    fn pair<A: Arith, F: Real>(square: F, scale: F) -> (F, F) {
        let (r, inverse) = root(square);
        let k = exp_below::<A, F>(-r * scale);
        (k, k * inverse)
    }
}

impl Profile for Energy {
    #[inline(always)]
    fn pair<A: Arith, F: Real>(square: F, _: F) -> (F, F) {
        root(square)
    }
}

/// (r, 1/r), and (0, 0) for points that coincide.
#[inline(always)]
fn root<F: Real>(square: F) -> (F, F) {
    let r = square.sqrt();
    let inverse = F::one() / r;
    (r, if square > F::zero() { inverse } else { F::zero() })
}
