//! Many systems at once: with different parameters, initial states, or both.
//!
//! * [`ensemble`]: any solves, spread over threads.
//! * [`Lockstep`]: one small system written once over a generic [`Number`](crate::Number), many copies of it in SIMD lanes and on threads,
//!   each with its own step sizes.
//! * [`Rows`]: the rows of an `Array2`, each with its own step sizes, the field evaluated for all active rows at once.
//!
//! What comes back is one result a member, in order ([`Members`]): a failing member does not take others with it. Results do
//! not depend on the number of threads, nor on the lane or block a member was solved in.
//!
//! May import `integrate` and what it imports.

mod controller;
mod lockstep;
mod members;
mod rows;
mod sweep;

pub use lockstep::{LaneField, Lockstep};
pub use members::{Member, Members, ensemble};
pub use rows::Rows;
