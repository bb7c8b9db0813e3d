//! What is made small: functions of the residual, and action matching.

use ndarray::ArrayRef2;

use crate::{Error, Real, Result};

/// The training objective.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Objective {
    /// Mean square: `|v - u|² / d`, whose minimiser is the conditional mean.
    #[default]
    Squares,
    /// `√(|v - u|² + c²) - c`: a square near zero and an absolute value far out, so that rare large residuals count less
    /// (Song and Dhariwal, *Improved techniques for training consistency models*, 2023, equation 12).
    PseudoHuber {
        /// Where it bends, in units of |v|; positive.
        c: f64,
    },
    /// Action matching: the network is a potential s(x, t) with **one** output, whose gradient in x is the velocity:
    ///
    /// ```text
    /// E s(x0, 0) - E s(x1, 1) + E [ |∇s(x_t, t)|² / 2 + ∂s/∂t (x_t, t) ]
    /// ```
    ///
    /// It is the mean square between ∇s and the path's velocity, halved, less a constant, but never sees the velocity:
    /// only the marginals count (Neklyudov et al., *Action matching*, ICML 2023, equation 5). Needs times that are
    /// uniform. Wrap the trained network in [`Potential`](crate::nn::Potential) to sample.
    Action,
}

impl Objective {
    pub(super) fn check(&self) -> Result<()> {
        let Objective::PseudoHuber { c } = *self else { return Ok(()) };
        Error::setting(c > 0.0 && c.is_finite(), "pseudo-Huber's c", c, "it must be positive and finite")
    }
}

/// Residuals of a block of rows against their targets.
pub(super) struct Residuals<'a, F> {
    pub target: &'a ArrayRef2<F>,
    /// A weight for each row; none: all 1.
    pub weights: &'a [F],
}

impl<F: Real> Residuals<'_, F> {
    /// The block's share of the objective, a mean over rows; writes minus its derivative.
    #[inline]
    pub fn loss(&self, objective: Objective, first: usize, v: &[F], vbar: &mut [F]) -> F {
        let d = self.target.ncols();
        let Some(target) = self.target.as_slice().and_then(|t| t.get(first * d..first * d + v.len())) else {
            return F::nan();
        };
        let rows = self.target.nrows() as f64;
        match objective {
            Objective::PseudoHuber { c } => {
                let weights = self.weights.get(first..).unwrap_or_default();
                pseudo_huber(target, (d, weights), (F::of(c), F::of(1.0 / rows)), v, vbar)
            }
            _ if self.weights.is_empty() => squares(target, F::of(1.0 / (rows * d as f64)), v, vbar),
            _ => {
                let scale = F::of(1.0 / (rows * d as f64));
                let blocks = target.chunks(d).zip(v.chunks(d)).zip(vbar.chunks_mut(d));
                let weighted = blocks.zip(&self.weights[first..]);
                weighted.map(|(((u, v), vbar), &w)| squares(u, w * scale, v, vbar)).sum()
            }
        }
    }
}

/// Scaled sum of squares of residuals; writes minus its derivative.
#[inline]
fn squares<F: Real>(target: &[F], scale: F, v: &[F], vbar: &mut [F]) -> F {
    let minus_two = F::of(-2.0) * scale;
    let mut sum = F::zero();
    for ((&v, &u), b) in v.iter().zip(target).zip(vbar) {
        let residual = v - u;
        sum += residual * residual;
        *b = minus_two * residual;
    }
    sum * scale
}

fn pseudo_huber<F: Real>(
    target: &[F],
    (d, weights): (usize, &[F]),
    (c, scale): (F, F),
    v: &[F],
    vbar: &mut [F],
) -> F {
    let mut sum = F::zero();
    for (row, ((u, v), vbar)) in target.chunks(d).zip(v.chunks(d)).zip(vbar.chunks_mut(d)).enumerate() {
        let scale = weights.get(row).map_or(scale, |&w| w * scale);
        let square: F = v.iter().zip(u).map(|(&v, &u)| (v - u) * (v - u)).sum();
        let length = (square + c * c).sqrt();
        sum += scale * (length - c);
        vbar.iter_mut().zip(v.iter().zip(u)).for_each(|(b, (&v, &u))| *b = scale * (u - v) / length);
    }
    sum
}
