//! Minimising movements: the Jordan–Kinderlehrer–Otto scheme on the line and on grids.

mod back_and_forth;
mod entropic;
mod quantile;

pub use back_and_forth::BackAndForth;
pub use entropic::EntropicJko;
pub use quantile::QuantileFlow;
