//! Euler–Maruyama.

use super::apply;
use super::method::{Scheme, Work, drifted};
use crate::noise::{Calculus, Structure};
use crate::{Error, Real, Result, State, VectorField};

/// `y₁ = y₀ + h f + g ΔW` for Itô's integral: strong order 1/2, order 1 if the noise is additive; weak order 1.
///
/// Reference: Kloeden, Platen, *Numerical Solution of Stochastic Differential Equations* (Springer 1992), 10.2.
#[derive(Debug, Clone, Copy)]
pub struct EulerMaruyama;

/// Refuses Stratonovich noise, unless both integrals are the same.
pub(super) fn ito_only(method: &'static str, s: Structure) -> Result<()> {
    if s.calculus == Calculus::Ito || s.additive {
        return Ok(());
    }
    let instead =
        "take StratonovichHeun, or add half of (∂g/∂y) g to the drift and mean the integral in Itô's sense";
    Err(Error::Unsupported { what: method, with: "a Stratonovich integral of multiplicative noise", instead })
}

impl Scheme for EulerMaruyama {
    const NAME: &'static str = "EulerMaruyama";
    const ORDER: u32 = 1;
    const STAGES: usize = 0;

    fn admit(structure: Structure) -> Result<()> {
        ito_only(Self::NAME, structure)
    }

    fn step<S: State, V: VectorField<S> + ?Sized>(
        w: &mut Work<S>,
        _field: &mut V,
        _t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &mut S,
    ) -> Result<()> {
        drifted(y0, h, &w.f, y1);
        apply::add(w.structure.kind, &w.g, &w.dw, S::Elem::of(1.0), y1.as_mut_slice());
        Ok(())
    }
}
