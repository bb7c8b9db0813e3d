//! Minimising movements: the Jordan–Kinderlehrer–Otto scheme on the line and on grids.

mod entropic;
mod quantile;

pub use entropic::EntropicJko;
pub use quantile::QuantileFlow;
