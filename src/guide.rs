//! The guide: seven pages to learn from, and four on the other views of training as a flow.
//!
//! | page | for |
//! |---|---|
//! | [`integrators`] | which integrator, tolerances, events, Jacobians |
//! | [`rectified_flow`] | a first generative model: train, sample, straighten |
//! | [`gan`] | from ReFlow to WGAN-GP |
//! | [`gradient_flows`] | Wasserstein gradient flows: points, particles, densities, minimising movements |
//! | [`performance`] | how to go faster |
//! | [`extending`] | your own field, tableau, energy, network |
//! | [`coming_from`] | SciPy, diffrax, TorchCFM and POT, side by side |
//! | [`depth`], [`low_rank`], [`precision`], [`step_size`] | four faces of the same flow: claim, formula, example, number |

#[doc = include_str!("../docs/integrators.md")]
pub mod integrators {}

#[doc = include_str!("../docs/rectified_flow.md")]
pub mod rectified_flow {}

#[doc = include_str!("../docs/gan.md")]
pub mod gan {}

#[doc = include_str!("../docs/gradient_flows.md")]
pub mod gradient_flows {}

#[doc = include_str!("../docs/performance.md")]
pub mod performance {}

#[doc = include_str!("../docs/extending.md")]
pub mod extending {}

#[doc = include_str!("../docs/coming_from.md")]
pub mod coming_from {}

#[doc = include_str!("../docs/depth.md")]
pub mod depth {}

#[doc = include_str!("../docs/low_rank.md")]
pub mod low_rank {}

#[doc = include_str!("../docs/precision.md")]
pub mod precision {}

#[doc = include_str!("../docs/step_size.md")]
pub mod step_size {}
