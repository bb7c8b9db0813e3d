//! Densities on the cells of a grid, moved by finite volumes.

mod cells;
mod density_flow;
mod flux;
mod free_energy;

pub use cells::{Boundary, Grid};
pub use density_flow::DensityFlow;
pub(crate) use flux::Spreading;
pub use free_energy::FreeEnergy;
