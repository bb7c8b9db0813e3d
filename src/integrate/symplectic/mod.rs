//! Symplectic methods for separable Hamiltonians `H = T(p) + U(q)`: lists of kicks and drifts, and one loop.
//!
//! ```text
//! kick:   p ← p + bᵢ h p′(q)        drift:   q ← q + aᵢ h q′(p)        i = 1, 2, ..
//! ```
//!
//! Each kick and each drift is the exact flow of one part of `H`, hence every such method is symplectic: the energy error
//! stays bounded over exponentially long times while `h` is fixed (Hairer, Lubich, Wanner, *Geometric Numerical
//! Integration*, 2nd edition, Springer 2006, IX.8; "HLW" in this folder). Do not change `h` on the way.
//!
//! States are positions followed by momenta ([`Half`](crate::Half)). **Cost:** a kick or drift needs one half of the field.
//! A closure over the whole state gives both halves at once, so it is evaluated for each kick and for each drift; a
//! [`second_order`](crate::second_order) field for kicks only, and a [`separable`](crate::separable) one only for the side
//! that moves. What the last kick or drift of a step has evaluated serves the next step where it still holds.

mod kick_drift;
pub mod methods;

pub use kick_drift::{Splitting, SplittingMethod, Symplectic};

/// Symplectic Euler (kick, then drift): order 1.
pub type SymplecticEuler<S> = Symplectic<methods::SymplecticEuler, S>;
/// Störmer–Verlet in velocity form (kick, drift, kick): order 2, one force a step. The method of molecular dynamics.
pub type StormerVerlet<S> = Symplectic<methods::StormerVerlet, S>;
/// Störmer–Verlet in position form (drift, kick, drift; leapfrog): order 2, one force a step.
pub type PositionVerlet<S> = Symplectic<methods::PositionVerlet, S>;
/// McLachlan–Atela, order 2 with least error among two-stage methods.
pub type McLachlanAtela2<S> = Symplectic<methods::McLachlanAtela2, S>;
/// Ruth's method of order 3.
pub type Ruth3<S> = Symplectic<methods::Ruth3, S>;
/// McLachlan–Atela, order 3 with least error among three-stage methods.
pub type McLachlanAtela3<S> = Symplectic<methods::McLachlanAtela3, S>;
/// McLachlan–Atela, order 4, four forces a step: for `T` quadratic in `p`.
pub type McLachlanAtela4<S> = Symplectic<methods::McLachlanAtela4, S>;
/// McLachlan–Atela, order 5, six forces a step: for `T` quadratic in `p`.
pub type McLachlanAtela5<S> = Symplectic<methods::McLachlanAtela5, S>;
/// Yoshida's triple jump (also Forest–Ruth): order 4, three forces a step.
pub type Yoshida4<S> = Symplectic<methods::Yoshida4, S>;
/// Yoshida's method of order 6, seven forces a step.
pub type Yoshida6<S> = Symplectic<methods::Yoshida6, S>;
/// Kahan–Li, order 6, nine forces a step.
pub type KahanLi6<S> = Symplectic<methods::KahanLi6, S>;
/// Yoshida's solution D, order 8, fifteen forces a step.
pub type Yoshida8<S> = Symplectic<methods::Yoshida8, S>;
/// Suzuki–Umeno (also McLachlan), order 8, fifteen forces a step.
pub type SuzukiUmeno8<S> = Symplectic<methods::SuzukiUmeno8, S>;
/// Kahan–Li, order 8, seventeen forces a step: the one to take for accuracy.
pub type KahanLi8<S> = Symplectic<methods::KahanLi8, S>;
