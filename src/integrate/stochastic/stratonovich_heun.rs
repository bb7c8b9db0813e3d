//! Heun's method for Stratonovich's integral.

use super::apply;
use super::method::{Scheme, Work, add_scaled, drifted, noise_of};
use crate::noise::{Calculus, Structure};
use crate::{Error, Real, Result, State, VectorField};

/// `ỹ = y₀ + h f + g ΔW`, `y₁ = y₀ + h (f + f̃)/2 + (g + g̃)/2 ΔW`: the trapezoidal rule for Stratonovich's integral.
///
/// Strong order 1 for diagonal, scalar or commutative noise, else 1/2. Reference: Rümelin, *Numerical treatment of
/// stochastic differential equations*, SIAM J. Numer. Anal. 19 (1982) 604–613.
#[derive(Debug, Clone, Copy)]
pub struct StratonovichHeun;

impl Scheme for StratonovichHeun {
    const NAME: &'static str = "StratonovichHeun";
    const ORDER: u32 = 1;
    const STAGES: usize = 1;

    fn admit(s: Structure) -> Result<()> {
        if s.calculus == Calculus::Stratonovich || s.additive {
            return Ok(());
        }
        let instead =
            "say .stratonovich() if that is what is meant; otherwise take EulerMaruyama, Milstein or Sriw1";
        Err(Error::Unsupported {
            what: Self::NAME, with: "an Itô integral of multiplicative noise", instead
        })
    }

    fn step<S: State, V: VectorField<S> + ?Sized>(
        w: &mut Work<S>,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &mut S,
    ) -> Result<()> {
        let (kind, half) = (w.structure.kind, S::Elem::of(0.5));
        drifted(y0, h, &w.f, &mut w.y[0]);
        apply::add(kind, &w.g, &w.dw, S::Elem::of(1.0), w.y[0].as_mut_slice());
        field.eval(t + h, &w.y[0], &mut w.k[0]);
        noise_of(field, Self::NAME)?.diffusion(t + h, &w.y[0], &mut w.gs[0]);
        drifted(y0, half * h, &w.f, y1);
        let out = y1.as_mut_slice();
        add_scaled(half * h, w.k[0].as_slice(), out);
        apply::add(kind, &w.g, &w.dw, half, out);
        apply::add(kind, &w.gs[0], &w.dw, half, out);
        Ok(())
    }
}
