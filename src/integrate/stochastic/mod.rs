//! Methods for stochastic differential equations `dy = f(t, y) dt + g(t, y) dW`.
//!
//! They move the fields of [`noise`](crate::noise), by the same [`Flow`](crate::Flow) as everything else:
//!
//! | method | noise | strong order | weak order | adaptive |
//! |---|---|---|---|---|
//! | [`EulerMaruyama`] | any, Itô | 1/2 (1 if additive) | 1 | |
//! | [`Milstein`] | diagonal, scalar, commutative, Itô | 1 | 1 | |
//! | [`StratonovichHeun`] | any, Stratonovich | 1/2 (1 if diagonal or commutative) | 1 | |
//! | [`Sra1`] | additive | 3/2 | 2 | yes |
//! | [`Sriw1`] | diagonal, scalar, Itô | 3/2 | 1 | yes |
//! | [`PlatenWeak2`] | any, Itô | 1/2 to 1 | 2 | |
//! | [`Baoab`], [`Obabo`] | underdamped Langevin | | 2 | |
//! | [`Mala`] | overdamped Langevin in a potential | | exact density | |
//!
//! Values inside a step are linear between its ends: the path there is rough, so take short steps, or let the run end
//! where a value is wanted. One `order` has to be a whole number in this library; a strong order of 3/2 is given as 1.

mod apply;
mod euler_maruyama;
mod langevin;
mod mala;
mod method;
mod milstein;
mod platen;
mod sra;
mod sri;
mod stratonovich_heun;

pub use langevin::{LangevinSplitting, Splitting};
pub use mala::Mala;
pub use method::{Scheme, Stochastic, Work};

/// Euler–Maruyama: the Itô integral's left end. Strong order 1/2, weak order 1; on overdamped Langevin dynamics the
/// unadjusted Langevin algorithm.
pub type EulerMaruyama<S> = Stochastic<euler_maruyama::EulerMaruyama, S>;
/// Milstein's method without derivatives: strong order 1 for diagonal, scalar or commutative noise.
pub type Milstein<S> = Stochastic<milstein::Milstein, S>;
/// Heun's method for Stratonovich's integral.
pub type StratonovichHeun<S> = Stochastic<stratonovich_heun::StratonovichHeun, S>;
/// Rößler's SRA1: strong order 3/2 for additive noise, adaptive.
pub type Sra1<S> = Stochastic<sra::Sra1, S>;
/// Rößler's SRIW1: strong order 3/2 for diagonal or scalar noise, adaptive.
pub type Sriw1<S> = Stochastic<sri::Sriw1, S>;
/// Platen's explicit method of weak order 2.
pub type PlatenWeak2<S> = Stochastic<platen::PlatenWeak2, S>;
/// BAOAB: half a kick, half a drift, friction and noise, half a drift, half a kick.
pub type Baoab<S> = LangevinSplitting<langevin::Baoab, S>;
/// OBABO: half of friction and noise, a velocity-Verlet step, the other half.
pub type Obabo<S> = LangevinSplitting<langevin::Obabo, S>;
