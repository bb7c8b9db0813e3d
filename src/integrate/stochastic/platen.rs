//! Platen's explicit method of weak order 2.

use num_traits::Float as _;

use super::apply;
use super::euler_maruyama::ito_only;
use super::method::{Scheme, Work, add_scaled, drifted, noise_of};
use crate::noise::{Kind, Structure};
use crate::{Real, Result, State, VectorField};

/// Platen's explicit scheme of weak order 2 for Itô noise of any form: with `Υ = y₀ + h f + g ΔW`,
/// `Rⱼ± = y₀ + h f ± √h gⱼ` and `Uⱼ± = y₀ ± √h gⱼ`,
///
/// ```text
/// y₁ = y₀ + h/2 (f(Υ) + f)
///    + 1/4 Σⱼ [(gⱼ(Rⱼ₊) + gⱼ(Rⱼ₋) + 2 gⱼ) ΔWⱼ + Σᵣ≠ⱼ (gⱼ(Uᵣ₊) + gⱼ(Uᵣ₋) - 2 gⱼ) ΔWⱼ]
///    + 1/(4√h) Σⱼ [(gⱼ(Rⱼ₊) - gⱼ(Rⱼ₋)) (ΔWⱼ² - h) + Σᵣ≠ⱼ (gⱼ(Uᵣ₊) - gⱼ(Uᵣ₋)) (ΔWⱼ ΔWᵣ + Vᵣⱼ)]
/// ```
///
/// where `Vᵣⱼ = -Vⱼᵣ = ±h` by a coin. For expectations of smooth functions; along a path it is no better than Milstein's.
/// Reference: Kloeden, Platen, *Numerical Solution of Stochastic Differential Equations* (Springer 1992), 15.1 (1.3).
#[derive(Debug, Clone, Copy)]
pub struct PlatenWeak2;

impl Scheme for PlatenWeak2 {
    const NAME: &'static str = "PlatenWeak2";
    const ORDER: u32 = 2;
    const STAGES: usize = 2;

    fn admit(structure: Structure) -> Result<()> {
        ito_only(Self::NAME, structure)
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
        if !w.coins.is_empty() {
            noise_of(field, Self::NAME)?.coins(t, &mut w.coins)?;
        }
        drifted(y0, h, &w.f, &mut w.y[0]);
        apply::add(kind, &w.g, &w.dw, of(1.0), w.y[0].as_mut_slice());
        field.eval(t + h, &w.y[0], &mut w.k[0]);
        drifted(y0, of(0.5) * h, &w.f, y1);
        add_scaled(of(0.5) * h, w.k[0].as_slice(), y1.as_mut_slice());
        let columns = if let Kind::Matrix(m) = kind { m } else { 1 };
        // The part of the noise without differences of the diffusion: g ΔW times 2/4, and -2/4 for each other column.
        let own = of(0.5 - 0.5 * (columns as f64 - 1.0));
        apply::add(kind, &w.g, &w.dw, own, y1.as_mut_slice());
        for r in 0..columns {
            Self::about(w, field, (t, h), y0, (r, true), y1)?;
            if columns > 1 {
                Self::about(w, field, (t, h), y0, (r, false), y1)?;
            }
        }
        Ok(())
    }
}

impl PlatenWeak2 {
    /// Adds the terms of the diffusion at `R_r±` (its own column), or at `U_r±` (the other columns).
    fn about<S: State, V: VectorField<S> + ?Sized>(
        w: &mut Work<S>,
        field: &mut V,
        (t, h): (S::Elem, S::Elem),
        y0: &S,
        (r, own): (usize, bool),
        y1: &mut S,
    ) -> Result<()> {
        let (kind, of, root) = (w.structure.kind, S::Elem::of, h.abs().sqrt());
        for (side, sign) in [(0, root), (1, -root)] {
            drifted(y0, if own { h } else { of(0.0) }, &w.f, &mut w.y[side]);
            apply::add_column(kind, &w.g, r, sign, w.y[side].as_mut_slice());
            noise_of(field, Self::NAME)?.diffusion(t, &w.y[side], &mut w.gs[side]);
        }
        let (dw, plus, minus, inverse) = (&w.dw, &w.gs[0], &w.gs[1], root.recip());
        let quarter = of(0.25);
        let term = |plus: S::Elem, minus: S::Elem, dw: S::Elem, product: S::Elem| {
            quarter * ((plus + minus) * dw + (plus - minus) * product * inverse)
        };
        let out = y1.as_mut_slice();
        if let Kind::Matrix(m) = kind {
            for j in (0..m).filter(|&j| (j == r) == own) {
                let product = if own {
                    dw[r] * dw[r] - h
                } else {
                    // One coin for each pair, seen from both sides.
                    let head = w.coins[r.min(j) * m + r.max(j)] < 0.5;
                    let v = if head == (r < j) { h } else { -h };
                    dw[j] * dw[r] + v
                };
                for (i, o) in out.iter_mut().enumerate() {
                    *o += term(plus[i * m + j], minus[i * m + j], dw[j], product);
                }
            }
        } else {
            let each = usize::from(kind == Kind::Diagonal);
            for (i, o) in out.iter_mut().enumerate() {
                let dw = dw[i * each];
                *o += term(plus[i], minus[i], dw, dw * dw - h);
            }
        }
        Ok(())
    }
}
