//! Noise that drives a field: stochastic differential equations and the Brownian paths behind them.
//!
//! An SDE is a field like any other, with a drift (its [`eval`](crate::VectorField::eval)) and a [`Noise`], which the
//! stochastic integrators find by [`VectorField::noise`](crate::VectorField::noise). [`Sde`] makes one of a drift and a
//! diffusion, [`Langevin`] and [`Overdamped`] are the two equations of sampling. What they are driven by is a
//! [`Brownian`] path, a function of the seed and the time alone, or fresh draws step by step ([`Source`]).
//!
//! May import `scalar`, `error`, `rng`, `state`, `field`.

mod brownian;
mod langevin;
mod overdamped;
mod sde;
mod source;

pub use brownian::Brownian;
pub use langevin::Langevin;
pub use overdamped::Overdamped;
pub use sde::{Constant, Diffusion, Sde};
pub use source::Source;

use crate::{Result, State};

/// How Brownian motions enter the components of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Component `i` is driven by its own motion: `gᵢ(t, yᵢ) dWᵢ`. `gᵢ` may depend on `yᵢ` only.
    Diagonal,
    /// One motion drives all: `gᵢ(t, y) dW`.
    Scalar,
    /// `Σⱼ gᵢⱼ(t, y) dWⱼ` with this many motions (columns).
    Matrix(usize),
}

impl Kind {
    /// Brownian motions behind a state of `n` numbers.
    pub fn motions(self, n: usize) -> usize {
        match self {
            Kind::Diagonal => n,
            Kind::Scalar => 1,
            Kind::Matrix(m) => m,
        }
    }

    /// Numbers of the diffusion of a state of `n` numbers.
    pub fn numbers(self, n: usize) -> usize {
        match self {
            Kind::Diagonal | Kind::Scalar => n,
            Kind::Matrix(m) => n * m,
        }
    }
}

/// What the stochastic integral means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Calculus {
    /// Itô's: the integrand at the left end.
    #[default]
    Ito,
    /// Stratonovich's: the mean of both ends. The limit of smooth noise; ordinary calculus holds.
    Stratonovich,
}

/// What is to be known of a noise before a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Structure {
    /// How it enters.
    pub kind: Kind,
    /// What the integral means.
    pub calculus: Calculus,
    /// Whether the diffusion does not depend on the state.
    pub additive: bool,
    /// Whether the columns of a matrix commute: `Σₖ gₖⱼ ∂gᵢₗ/∂yₖ = Σₖ gₖₗ ∂gᵢⱼ/∂yₖ`.
    pub commutative: bool,
}

/// The noise of a field: `dy = f(t, y) dt + g(t, y) dW`.
pub trait Noise<S: State> {
    /// Its form.
    fn structure(&self) -> Structure;

    /// Writes `g(t, y)`: `n` numbers, or `n × m` in row-major order for [`Kind::Matrix`].
    fn diffusion(&mut self, t: S::Elem, y: &S, g: &mut [S::Elem]);

    /// Writes the increments `ΔW` over `[t, t + h]`, and if asked the integrals `I₍₁,₀₎ = ∫ (W(s) - W(t)) ds` over it.
    ///
    /// # Errors
    /// No seed; a time beyond the path.
    fn increments(
        &mut self,
        t: S::Elem,
        h: S::Elem,
        dw: &mut [S::Elem],
        area: Option<&mut [S::Elem]>,
    ) -> Result<()>;

    /// Writes numbers uniform on [0, 1) that belong to the step from `t` and are independent of the path.
    ///
    /// # Errors
    /// No seed.
    fn coins(&mut self, t: S::Elem, out: &mut [f64]) -> Result<()>;

    /// Whether the increments are those of one path, whatever the steps; adaptive runs need that.
    fn is_path(&self) -> bool;

    /// Friction `γ` and temperature of underdamped dynamics; splittings treat both exactly. The field's
    /// [`eval_half`](crate::VectorField::eval_half) for momenta then leaves the friction out.
    fn friction(&self) -> Option<(f64, f64)> {
        None
    }

    /// Writes `U / T` of each row of `y` (of the whole, if it has one axis) for overdamped dynamics in a potential;
    /// false where there is no such thing.
    fn energies(&mut self, y: &S, out: &mut [f64]) -> bool {
        let _ = (y, out);
        false
    }
}
