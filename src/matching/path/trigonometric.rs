//! A quarter of a circle.

use std::f64::consts::FRAC_PI_2;

use super::{Coefficients, Path};

/// `α = cos(πt/2), β = sin(πt/2)`: the variance stays 1 if both ends have it. Albergo and Vanden-Eijnden, *Building
/// normalizing flows with stochastic interpolants*, ICLR 2023, equation 6.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Trigonometric;

impl Path for Trigonometric {
    fn name(&self) -> &'static str {
        "trigonometric"
    }

    fn at(&self, t: f64) -> Coefficients {
        let (sin, cos) = (FRAC_PI_2 * t).sin_cos();
        Coefficients::of((cos, -FRAC_PI_2 * sin), (sin, FRAC_PI_2 * cos))
    }
}
