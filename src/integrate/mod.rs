//! Integrators: how a flow steps.
//!
//! One [`Integrator`] trait, one loop a family: [`explicit`] Runge–Kutta methods from tableaux, [`symplectic`] methods
//! from lists of kicks and drifts, [`nystrom`] methods for second-order systems, [`stabilised`] ones
//! for diffusion, [`Adams`] methods of variable order, [`implicit`] ones for stiff problems, [`Auto`] that chooses,
//! [`stochastic`] ones for noise, [`precondition`]ed steps (the optimisers), and [`Alternating`] players. Beside them
//! what adaptive stepping needs: [`Tolerance`] (error norm), [`Controller`] (next step size, from scalars
//! alone) and [`Polynomial`] (values inside a step).
//!
//! May import `scalar`, `error`, `state`, `field`, `halves`, `linalg`. An integrator never knows what it moves.

mod adams;
mod alternating;
mod auto;
pub mod control;
pub mod explicit;
pub mod implicit;
mod initial_step;
mod integrator;
mod mirror;
pub mod nystrom;
mod polynomial;
pub mod precondition;
mod proximal;
mod schedule;
pub mod stabilised;
pub mod stochastic;
pub mod symplectic;
mod tolerance;

pub use adams::Adams;
pub use alternating::{Alternating, Player};
pub use auto::Auto;
pub use control::{Controller, Verdict};
pub use explicit::{
    Bs3, CarpenterKennedy, CarpenterKennedy2N, Dop853, Dopri5, Euler, Extragradient, Heun, Midpoint, Ralston,
    Rk4, Rk38, SspRk33, SspRk43, Tsit5, Vern6, Vern7, Vern8, Vern9,
};
pub(crate) use implicit::check_start;
pub use implicit::{Bdf, RadauIIA5, Rodas4, Rodas5P, Ros3P};
pub(crate) use initial_step::{first_guess, initial_step, second_guess};
pub use integrator::{Integrator, Stats, Work};
pub use mirror::{Geometry, Mirror, Mirrored};
pub use nystrom::{Dprkn6, Dprkn8, Dprkn12};
pub use polynomial::Polynomial;
pub(crate) use precondition::Known;
pub use precondition::{
    Adam, AutoStep, Clamped, EgStepSize, Ema, Hypergradient, Momentum, Optimistic, RmsProp, Sgd,
};
pub use proximal::Proximal;
pub use schedule::Schedule;
pub(crate) use stabilised::fastest_rate;
pub use stabilised::{Rkc2, Rock4};
pub use stochastic::{
    Baoab, EulerMaruyama, Mala, Milstein, Obabo, PlatenWeak2, Sra1, Sriw1, StratonovichHeun,
};
pub use symplectic::{
    KahanLi6, KahanLi8, McLachlanAtela2, McLachlanAtela3, McLachlanAtela4, McLachlanAtela5, PositionVerlet,
    Ruth3, StormerVerlet, SuzukiUmeno8, SymplecticEuler, Yoshida4, Yoshida6, Yoshida8,
};
pub use tolerance::{Components, PerComponent, Tolerance};
