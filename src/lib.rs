//! **A flow is a vector field plus an integrator.** [`Flow::new`] is the one sentence of this library.
//!
//! | what moves | state | the field | what people call it |
//! |---|---|---|---|
//! | a dynamical system | `[f64; N]`, any `Array<F, D>` | your closure | solving an ODE |
//! | samples | `Array2<F>`, a row a sample | a trained velocity network | sampling, encoding |
//! | parameters | `Array1<F>` | minus the gradient of a loss | training; the learning rate is the step `h` |
//! | several players' parameters | `Array1<F>` | each player's own descent | a GAN |
//!
//! Gradient descent is Euler's method, momentum and Adam are preconditioned steps, and a generative flow is sampled by
//! the integrators that solve Lorenz' equations, unchanged.
//!
//! ```
//! use flowfield::{Flow, field, integrate::Tsit5};
//! let decay = field(|_t, y: &[f64; 1], dy| dy[0] = -y[0]);
//! let sol = Flow::new(decay, Tsit5::new()).tol(1e-9).solve(0.0, 1.0, [1.0])?;
//! assert!((sol.y_end()[0] - (-1.0_f64).exp()).abs() < 1e-9);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Who owns what: the **field** its scratch, the **integrator** its stages, the **flow** the clock, the **caller** the
//! state and the loop. Hence nothing is allocated after the first step, and stepping by hand is as easy as `solve`.

#[cfg(feature = "safetensors")]
pub mod checkpoint;
mod clip;
pub mod dataset;
pub mod ensemble;
pub mod error;
pub mod exact;
mod field;
mod flow;
mod formula;
pub mod game;
pub mod gradient;
pub mod guide;
mod halves;
pub mod integrate;
mod jacobian;
mod linalg;
pub mod low_rank;
mod mass;
pub mod matching;
pub mod measure;
mod memory;
pub mod metric;
pub mod nn;
pub mod noise;
mod number;
pub mod pairs;
mod parameter_flow;
mod parametric;
pub mod precision;
mod rng;
mod scalar;
pub mod sensitivity;
mod simd;
mod split;
mod state;
pub mod transport;

pub use clip::ClipNorm;
pub use error::{Error, Result};
pub use field::{Half, VectorField, field};
pub use flow::{Event, Failure, Flow, Occurrence, Progress, Solution, Stepper};
pub use formula::Formula;
pub use halves::{SecondOrder, Separable, second_order, separable};
pub use integrate::Stats;
pub use integrate::implicit::{Rest, SteadyState, consistent_start};
pub use jacobian::{
    ByClosure, Differentiable, MatrixFree, NoPreconditioner, Preconditioner, Structure, Structured,
    WithJacobian, check_jacobian,
};
pub use linalg::Pattern;
pub use mass::{MassMatrix, WithMass};
pub use memory::{Memories, Remembered};
pub use number::{Dual, Lanes, Number};
pub use parameter_flow::ParameterFlow;
pub use scalar::Real;
pub use split::{Parts, Split};
pub use state::State;

/// The README's code blocks, as doctests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
