//! Rößler's SRIW1.

use num_traits::Float as _;

use super::method::{Scheme, Work, drifted, noise_of};
use crate::noise::{Calculus, Kind, Structure};
use crate::{Error, Real, Result, State, VectorField};

/// SRIW1: strong order 3/2 for diagonal and scalar Itô noise; two drifts and four diffusions a step. With
/// `χ₁ = I₍₁,₁₎/√h`, `χ₂ = I₍₁,₀₎/h`, `χ₃ = I₍₁,₁,₁₎/h`,
///
/// ```text
/// k₁ = f(t, y₀),  k₂ = f(t + 3h/4, y₀ + 3h/4 k₁ + 3/2 χ₂ g₁)
/// g₁ = g(t, y₀),  g₂ = g(t + h/4, y₀ + h/4 k₁ + √h/2 g₁),  g₃ = g(t + h, y₀ + h k₁ - √h g₁),
/// g₄ = g(t + h/4, y₀ + h/4 k₁ + √h (-5 g₁ + 3 g₂ + g₃/2))
/// y₁ = y₀ + h (k₁ + 2 k₂)/3 + ΔW (-g₁ + 4/3 g₂ + 2/3 g₃) + χ₁ (-g₁ + 4/3 g₂ - g₃/3) + E
/// E  = χ₂ (2 g₁ - 4/3 g₂ - 2/3 g₃) + χ₃ (-2 g₁ + 5/3 g₂ - 2/3 g₃ + g₄)
/// ```
///
/// The error is taken to be `2h/3 |k₂ - k₁| + |E|`, what is beyond strong order 1. Reference: A. Rößler, SIAM J. Numer.
/// Anal. 48 (2010) 922–952, table 6.3; the estimate in the manner of Rackauckas, Nie, DCDS-B 22 (2017) 2731–2761.
#[derive(Debug, Clone, Copy)]
pub struct Sriw1;

impl Scheme for Sriw1 {
    const NAME: &'static str = "Sriw1";
    const ORDER: u32 = 1;
    const ADAPTIVE: bool = true;
    const STAGES: usize = 3;
    const AREA: bool = true;

    fn admit(s: Structure) -> Result<()> {
        let (what, with) = (Self::NAME, "a diffusion matrix");
        if matches!(s.kind, Kind::Matrix(m) if m > 1) {
            let instead =
                "take Sra1 if it is constant, otherwise EulerMaruyama or PlatenWeak2 with fixed steps";
            return Err(Error::Unsupported { what, with, instead });
        }
        if s.calculus == Calculus::Stratonovich && !s.additive {
            let instead = "take StratonovichHeun, or add half of (∂g/∂y) g to the drift";
            return Err(Error::Unsupported { what, with: "a Stratonovich integral", instead });
        }
        Ok(())
    }

    fn step<S: State, V: VectorField<S> + ?Sized>(
        w: &mut Work<S>,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &mut S,
    ) -> Result<()> {
        let (of, n) = (S::Elem::of, y0.as_slice().len());
        let (root, quarter) = (h.abs().sqrt(), of(0.25) * h);
        // One motion for all components, or each its own.
        let each = usize::from(w.structure.kind == Kind::Diagonal);
        let Work { f, g, gs, dw, area, y, k, error, .. } = w;
        let [g2, g3, g4] = gs.as_mut_slice() else { return Ok(()) };
        let argument = &mut y[0];
        let noise = |field: &mut V, t: S::Elem, y: &S, g: &mut [S::Elem]| -> Result<()> {
            noise_of(field, Self::NAME)?.diffusion(t, y, g);
            Ok(())
        };
        let shifted = |out: &mut S, step: S::Elem, by: &dyn Fn(usize) -> S::Elem| {
            drifted(y0, step, f, out);
            out.as_mut_slice().iter_mut().enumerate().for_each(|(i, o)| *o += by(i));
        };
        shifted(argument, quarter, &|i| of(0.5) * root * g[i]);
        noise(field, t + quarter, argument, g2)?;
        shifted(argument, h, &|i| -root * g[i]);
        noise(field, t + h, argument, g3)?;
        shifted(argument, quarter, &|i| root * (of(3.0) * g2[i] - of(5.0) * g[i] + of(0.5) * g3[i]));
        noise(field, t + quarter, argument, g4)?;
        shifted(argument, of(0.75) * h, &|i| of(1.5) * area[i * each] / h * g[i]);
        field.eval(t + of(0.75) * h, argument, &mut k[0]);
        let (k1, k2, out) = (f.as_slice(), k[0].as_slice(), y1.as_mut_slice());
        for i in 0..n {
            let (dw, chi2) = (dw[i * each], area[i * each] / h);
            let chi1 = of(0.5) * (dw * dw - h.abs()) / root;
            let chi3 = dw * (dw * dw - of(3.0) * h) / (of(6.0) * h);
            let (g1, g2, g3, g4) = (g[i], g2[i] * of(1.0 / 3.0), g3[i] * of(1.0 / 3.0), g4[i]);
            let mixed = chi2 * (of(2.0) * g1 - of(4.0) * g2 - of(2.0) * g3)
                + chi3 * (of(5.0) * g2 - of(2.0) * g1 - of(2.0) * g3 + g4);
            let noise = dw * (of(4.0) * g2 + of(2.0) * g3 - g1) + chi1 * (of(4.0) * g2 - g1 - g3);
            let drift = h * (k1[i] + of(2.0) * k2[i]) * of(1.0 / 3.0);
            out[i] = y0.as_slice()[i] + drift + noise + mixed;
            error[i] = mixed.abs() + (h * of(2.0 / 3.0) * (k2[i] - k1[i])).abs();
        }
        Ok(())
    }
}
