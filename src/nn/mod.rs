//! Networks as maps of (theta, x), with the derivatives that flows need.
//!
//! May import: `scalar`, `error`, `rng`, `field`. Knows nothing of integrators, losses or data.

mod network;

pub use network::Network;
