//! Flows of clouds of particles.

mod descent;
mod injected;
mod kernel_matrix;
mod median;
mod score_field;
mod svgd;
mod weighted;

pub use descent::Descent;
pub use injected::Injected;
pub use score_field::ScoreField;
pub use svgd::{Bandwidth, SteinKernel, Svgd};
pub use weighted::WassersteinFisherRao;
