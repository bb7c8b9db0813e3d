//! Trainings and trained networks as files, in the safetensors format.
//!
//! A file holds tensors by name (a network's own names, such as `layers.0.weight`, prefixed by `average.`,
//! `first_moment.` and so on for what the integrator remembers), and in its metadata under `flowfield`, a line each, the
//! counts and numbers that a resumed run needs: steps, clock, draws and seeds. In Python:
//!
//! ```python
//! from safetensors.numpy import load_file
//! weights = load_file("run.safetensors")["layers.0.weight"]      # inputs x outputs
//! ```
//!
//! May import `nn`, `flow`, `integrate` and what lies below.

mod file;
mod training;
mod weights;

pub use weights::{load_average, load_weights, save_weights};
