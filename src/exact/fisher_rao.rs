//! Birth and death, with and without transport.

use ndarray::{Array1, Array2};

use super::Gaussian;
use crate::linalg::symmetric::{apply, eigen};
use crate::{Error, Result};

/// The Fisher–Rao gradient flow of `KL(· | π)` on finitely many states, `ρ' = -ρ (log(ρ/π) - KL)`:
/// `ρ(t) ∝ ρ(0)^{e^{-t}} π^{1 - e^{-t}}`.
///
/// Its rate e^{-t} depends on no property of π. Lu, Lu and Nolen, arXiv 1905.09863; Domingo-Enrich and
/// Pooladian, arXiv 2307.02612.
///
/// # Errors
/// [`Error::Shape`]; [`Error::Weight`] for a weight that is not positive and finite.
///
/// ```
/// use flowfield::exact::fisher_rao;
/// use ndarray::array;
/// let later = fisher_rao(&array![0.9, 0.1], &array![0.5, 0.5], 2.0_f64.ln())?;
/// assert!((later[0] / later[1] - 3.0).abs() < 1e-12);               // the square root of 9
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn fisher_rao(start: &Array1<f64>, target: &Array1<f64>, t: f64) -> Result<Array1<f64>> {
    Error::shape("the target", start.shape(), target.shape())?;
    for (what, weights) in [("the starting weights", start), ("the target weights", target)] {
        if let Some(row) = weights.iter().position(|w| !(*w > 0.0 && w.is_finite())) {
            return Err(Error::Weight { what, row, value: weights[row] });
        }
    }
    let keep = (-t).exp();
    let log = keep * start.mapv(f64::ln) + (1.0 - keep) * target.mapv(f64::ln);
    let top = log.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let rho = log.mapv(|l| (l - top).exp());
    let sum = rho.sum();
    Ok(rho / sum)
}

/// The same between Gaussians: with precisions `P = S⁻¹`, both P and P m move along straight lines,
/// `P(t) = e^{-t} P₀ + (1 - e^{-t}) P_π`.
///
/// # Errors
/// [`Error::Shape`]; [`Error::Setting`] for a singular covariance.
pub fn fisher_rao_gaussian(start: &Gaussian, target: &Gaussian, t: f64) -> Result<Gaussian> {
    Error::shape("the target's mean", start.mean().shape(), target.mean().shape())?;
    let (p0, p1) = (precision(start)?, precision(target)?);
    let keep = (-t).exp();
    let p = keep * &p0 + (1.0 - keep) * &p1;
    let pull = keep * p0.dot(start.mean()) + (1.0 - keep) * p1.dot(target.mean());
    let covariance = apply(&p, |l| 1.0 / l);
    Gaussian::new(covariance.dot(&pull), 0.5 * (&covariance + &covariance.t()))
}

/// Time derivatives of mean and covariance of a Gaussian under the Wasserstein–Fisher–Rao gradient flow of
/// `KL(· | N(b, P⁻¹))`, which keeps it Gaussian:
///
/// ```text
/// m' = -P(m - b) - S P (m - b),   S' = 2I - SP - PS + S - SPS
/// ```
///
/// Liero, Mielke and Savaré, Invent. Math. 211 (2018), for the metric.
///
/// # Errors
/// [`Error::Shape`]; [`Error::Setting`] for a singular target.
pub fn wasserstein_fisher_rao_gaussian(
    law: &Gaussian,
    target: &Gaussian,
) -> Result<(Array1<f64>, Array2<f64>)> {
    Error::shape("the target's mean", law.mean().shape(), target.mean().shape())?;
    let (p, s) = (precision(target)?, law.covariance());
    let pull = p.dot(&(law.mean() - target.mean()));
    let (sp, ps) = (s.dot(&p), p.dot(s));
    let sps = sp.dot(s);
    Ok((-&pull - s.dot(&pull), 2.0 * Array2::<f64>::eye(s.nrows()) - sp - ps + s - sps))
}

fn precision(law: &Gaussian) -> Result<Array2<f64>> {
    let least = eigen(law.covariance()).0.iter().copied().fold(f64::INFINITY, f64::min);
    Error::setting(least > 0.0, "the least eigenvalue of a covariance", least, "it must be positive here")?;
    Ok(apply(law.covariance(), |l| 1.0 / l))
}
