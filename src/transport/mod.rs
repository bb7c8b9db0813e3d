//! Optimal transport: exact, entropic, on the line, sliced and Gaussian.
//!
//! | question | answer |
//! |---|---|
//! | the cheapest plan between weights | [`exact`], [`NetworkSimplex`] → [`Plan`] with a certificate |
//! | a one-to-one pairing, or many | [`Assignment`], [`assignments`] |
//! | only a part of the mass | [`partial`] |
//! | a smooth plan for large clouds, soft marginals | [`Sinkhorn`] → [`Entropic`] |
//! | a loss between clouds, with its gradient | [`SinkhornDivergence`], [`Sliced`], [`MaxSliced`] |
//! | samples on the line, Gaussians | [`wasserstein_1d`], [`QuantileMap`], [`Gaussian`] |
//! | in between, and the mean of several | [`displace`], [`barycenter`], [`fixed_barycenter`] |
//! | a map for new points | [`Plan::barycentric_map`], [`entropic_map`] |
//!
//! What it costs is an object: [`PointCost`] computes distances between rows on the fly, [`MatrixCost`] stores,
//! [`CostFn`] asks a closure. Clouds are n × d, a row a point. Threads are used from a quarter of a million
//! pairs on, and no result depends on their number. May import: `scalar`, `error`, `state`, `rng`, `simd`, `pairs`.

mod barycenter;
mod cost;
mod entropic;
mod exact;
mod gaussian;
mod interpolate;
mod line;
mod partial;
mod plan;
mod weights;

pub use barycenter::{WeightedCloud, barycenter, fixed_barycenter};
pub use cost::{Cost, CostFn, MatrixCost, Metric, PointCost};
pub use entropic::{Divergence, Entropic, Sinkhorn, SinkhornDivergence, entropic_map};
pub use exact::{Assignment, NetworkSimplex, assignments, exact};
pub use gaussian::{AffineMap, Gaussian};
pub use interpolate::displace;
pub use line::{MaxSliced, QuantileMap, Sliced, wasserstein_1d, wasserstein_1d_weighted};
pub use partial::partial;
pub use plan::{Certificate, Plan};
pub use weights::uniform;
