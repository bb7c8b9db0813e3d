//! Pages on the four views of training as a flow. Each states a claim, the formula, the example that shows it and what it prints.

#[doc = include_str!("../docs/depth.md")]
pub mod depth {}

#[doc = include_str!("../docs/low_rank.md")]
pub mod low_rank {}

#[doc = include_str!("../docs/precision.md")]
pub mod precision {}

#[doc = include_str!("../docs/step_size.md")]
pub mod step_size {}
