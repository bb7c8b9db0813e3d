//! Milstein's method without derivatives.

use num_traits::Float as _;

use super::apply;
use super::euler_maruyama::ito_only;
use super::method::{Scheme, Work, add_scaled, drifted, noise_of};
use crate::noise::{Kind, Structure};
use crate::{Error, Real, Result, State, VectorField};

/// Milstein's method, `∂g/∂y · g` by a difference over `√h`: strong order 1 for diagonal, scalar and commutative noise,
///
/// ```text
/// y₁ = y₀ + h f + g ΔW + Σⱼₗ (gₗ(y₀ + h f + √h gⱼ) - gₗ(y₀)) (ΔWⱼ ΔWₗ - δⱼₗ h) / (2 √h)
/// ```
///
/// for Itô's integral. Reference: Kloeden, Platen, 11.1 (1.3) and 10.3 (3.16).
#[derive(Debug, Clone, Copy)]
pub struct Milstein;

impl Scheme for Milstein {
    const NAME: &'static str = "Milstein";
    const ORDER: u32 = 1;
    const STAGES: usize = 1;

    fn admit(s: Structure) -> Result<()> {
        ito_only(Self::NAME, s)?;
        if !matches!(s.kind, Kind::Matrix(m) if m > 1) || s.commutative {
            return Ok(());
        }
        let instead =
            "say .commutative() if its columns commute; otherwise take EulerMaruyama or PlatenWeak2";
        Err(Error::Unsupported { what: Self::NAME, with: "a general diffusion matrix", instead })
    }

    fn step<S: State, V: VectorField<S> + ?Sized>(
        w: &mut Work<S>,
        field: &mut V,
        t: S::Elem,
        h: S::Elem,
        y0: &S,
        y1: &mut S,
    ) -> Result<()> {
        let (kind, one) = (w.structure.kind, S::Elem::of(1.0));
        drifted(y0, h, &w.f, y1);
        apply::add(kind, &w.g, &w.dw, one, y1.as_mut_slice());
        if w.structure.additive {
            return Ok(());
        }
        let root = h.abs().sqrt();
        let half = (root + root).recip();
        let noise = |field: &mut V, y: &S, g: &mut [S::Elem]| -> Result<()> {
            noise_of(field, Self::NAME)?.diffusion(t, y, g);
            Ok(())
        };
        for j in 0..if let Kind::Matrix(m) = kind { m } else { 1 } {
            drifted(y0, h, &w.f, &mut w.y[0]);
            apply::add_column(kind, &w.g, j, root, w.y[0].as_mut_slice());
            noise(field, &w.y[0], &mut w.gs[0])?;
            let (dw, change) = (&w.dw, &mut w.gs[0]);
            add_scaled(-one, &w.g, change);
            let product = |l: usize| (dw[j] * dw[l] - if j == l { h } else { S::Elem::of(0.0) }) * half;
            let out = y1.as_mut_slice().iter_mut();
            match kind {
                Kind::Diagonal => {
                    out.zip(change.iter().zip(dw)).for_each(|(o, (&c, &w))| *o += c * (w * w - h) * half)
                }
                Kind::Scalar => out.zip(&*change).for_each(|(o, &c)| *o += c * product(0)),
                Kind::Matrix(m) => out.zip(change.chunks_exact(m)).for_each(|(o, row)| {
                    *o += row.iter().enumerate().map(|(l, &c)| c * product(l)).sum::<S::Elem>();
                }),
            }
        }
        Ok(())
    }
}
