//! Energies of clouds of particles.
//!
//! | energy | F(μ) |
//! |---|---|
//! | [`Potential`] | `∫ V dμ` |
//! | [`Interaction`] | `½ ∬ W(x - y) dμ dμ` |
//! | [`Mmd`], [`FeatureMmd`] | `½ MMD²(μ, ν)`, exact and by random features |
//! | [`SteinDiscrepancy`] | `½ KSD²(μ \| π)` |
//! | [`SinkhornEnergy`] | half the Sinkhorn divergence to ν |
//! | [`SlicedEnergy`] | `½ SW2²(μ, ν)` |
//! | [`BlobEntropy`] | `D ∫ log(φ_ε * μ) dμ` |
//! | [`relative_entropy`] | the blob entropy minus `∫ log π dμ`: KL to an unnormalised density |
//!
//! A tuple of energies is their sum. [`Descent`](super::Descent) makes a field of any of them.

mod blob;
mod cloud;
mod features;
mod interaction;
mod mmd;
mod potential;
mod sinkhorn;
mod sliced;
mod stein;

pub use blob::{BlobEntropy, RelativeEntropy, relative_entropy};
pub use cloud::Cloud;
pub use features::FeatureMmd;
pub use interaction::Interaction;
pub use mmd::Mmd;
pub use potential::Potential;
pub use sinkhorn::SinkhornEnergy;
pub use sliced::SlicedEnergy;
pub use stein::SteinDiscrepancy;

use ndarray::Array2;

use crate::{Real, Result};

/// An energy F(μ) of a cloud μ = Σ w_i δ(x_i).
///
/// Its first variation F' is a function on space; particles move along `-∇F'`. For equal weights 1/n,
/// `∇F'(x_i) = n ∂F/∂x_i`.
pub trait Energy<F: Real> {
    /// F(μ).
    fn value(&mut self, cloud: &Cloud<'_, F>) -> f64;

    /// Adds `∇F'(x_i)` to row i of `g` (n × d).
    fn gradient(&mut self, cloud: &Cloud<'_, F>, g: &mut Array2<F>);

    /// Adds `∇F'` at the points `at` (any number of rows) to `g`, for the same cloud; false, the default, where there is no
    /// such thing. What noise injection needs.
    fn gradient_at(&mut self, cloud: &Cloud<'_, F>, at: &Array2<F>, g: &mut Array2<F>) -> bool {
        let _ = (cloud, at, g);
        false
    }

    /// Adds `F'(x_i)` (up to a constant) to `out`; false, the default, where there is no such thing. What birth and
    /// death need.
    fn variation(&mut self, cloud: &Cloud<'_, F>, out: &mut [f64]) -> bool {
        let _ = (cloud, out);
        false
    }

    /// Whether this energy takes clouds like this one.
    ///
    /// # Errors
    /// Settings out of range, other dimensions than the target's, and so on.
    fn check(&self, cloud: &Cloud<'_, F>) -> Result<()> {
        let _ = cloud;
        Ok(())
    }
}

macro_rules! sum_of_energies {
    ($($name:ident . $index:tt),+) => {
        impl<F: Real, $($name: Energy<F>),+> Energy<F> for ($($name,)+) {
            fn value(&mut self, cloud: &Cloud<'_, F>) -> f64 {
                0.0 $(+ self.$index.value(cloud))+
            }
            fn gradient(&mut self, cloud: &Cloud<'_, F>, g: &mut Array2<F>) {
                $(self.$index.gradient(cloud, g);)+
            }
            fn gradient_at(&mut self, cloud: &Cloud<'_, F>, at: &Array2<F>, g: &mut Array2<F>) -> bool {
                true $(&& self.$index.gradient_at(cloud, at, g))+
            }
            fn variation(&mut self, cloud: &Cloud<'_, F>, out: &mut [f64]) -> bool {
                true $(&& self.$index.variation(cloud, out))+
            }
            fn check(&self, cloud: &Cloud<'_, F>) -> Result<()> {
                $(self.$index.check(cloud)?;)+
                Ok(())
            }
        }
    };
}

sum_of_energies!(A.0);
sum_of_energies!(A.0, B.1);
sum_of_energies!(A.0, B.1, C.2);
sum_of_energies!(A.0, B.1, C.2, D.3);
