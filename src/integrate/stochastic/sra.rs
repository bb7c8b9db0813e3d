//! Rößler's SRA1.

use num_traits::Float as _;

use super::apply;
use super::method::{Scheme, Work, add_scaled, drifted, noise_of};
use crate::noise::Structure;
use crate::{Error, Real, Result, State, VectorField};

/// SRA1: strong order 3/2 for additive noise, two drifts a step; with `χ = I₍₁,₀₎ / h`,
///
/// ```text
/// k₁ = f(t, y₀),   k₂ = f(t + 3h/4, y₀ + 3h/4 k₁ + 3/2 g(t + h) χ)
/// y₁ = y₀ + h (k₁/3 + 2 k₂/3) + g(t + h) ΔW + (g(t) - g(t + h)) χ
/// ```
///
/// The error is taken to be `2h/3 |k₂ - k₁| + |(g(t) - g(t + h)) χ|`: the difference to Euler–Maruyama.
/// Reference: A. Rößler, *Runge–Kutta methods for the strong approximation of solutions of stochastic differential
/// equations*, SIAM J. Numer. Anal. 48 (2010) 922–952, table 6.1; the estimate in the manner of Rackauckas, Nie, *Adaptive
/// methods for stochastic differential equations via natural embeddings*, DCDS-B 22 (2017) 2731–2761.
#[derive(Debug, Clone, Copy)]
pub struct Sra1;

impl Scheme for Sra1 {
    const NAME: &'static str = "Sra1";
    const ORDER: u32 = 1;
    const ADAPTIVE: bool = true;
    const STAGES: usize = 1;
    const AREA: bool = true;

    fn admit(s: Structure) -> Result<()> {
        if s.additive {
            return Ok(());
        }
        let instead = "take Sriw1; or say .constant() if the diffusion does not depend on the state";
        Err(Error::Unsupported { what: Self::NAME, with: "multiplicative noise", instead })
    }

    fn step<S: State, V: VectorField<S> + ?Sized>(
        w: &mut Work<S>,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &mut S,
    ) -> Result<()> {
        let (kind, of) = (w.structure.kind, S::Elem::of);
        w.area.iter_mut().for_each(|chi| *chi /= h);
        noise_of(field, Self::NAME)?.diffusion(t + h, y0, &mut w.gs[0]);
        drifted(y0, of(0.75) * h, &w.f, &mut w.y[0]);
        apply::add(kind, &w.gs[0], &w.area, of(1.5), w.y[0].as_mut_slice());
        field.eval(t + of(0.75) * h, &w.y[0], &mut w.k[0]);
        // The part of the noise that a diffusion depending on time leaves.
        add_scaled(of(-1.0), &w.gs[0], &mut w.g);
        w.error.fill(of(0.0));
        apply::add(kind, &w.g, &w.area, of(1.0), &mut w.error);
        drifted(y0, h / of(3.0), &w.f, y1);
        let out = y1.as_mut_slice();
        let third = h * of(2.0 / 3.0);
        add_scaled(third, w.k[0].as_slice(), out);
        apply::add(kind, &w.gs[0], &w.dw, of(1.0), out);
        add_scaled(of(1.0), &w.error, out);
        let slopes = w.k[0].as_slice().iter().zip(w.f.as_slice());
        w.error.iter_mut().zip(slopes).for_each(|(e, (&b, &a))| *e = e.abs() + (third * (b - a)).abs());
        Ok(())
    }
}
