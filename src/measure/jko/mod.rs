//! Minimising movements: the Jordan–Kinderlehrer–Otto scheme on the line, on grids and on particles.

mod back_and_forth;
mod entropic;
mod particles;
mod quantile;

pub use back_and_forth::BackAndForth;
pub use entropic::EntropicJko;
pub use particles::ParticleJko;
pub use quantile::QuantileFlow;
