//! The kernel Stein discrepancy.

use std::cell::RefCell;

use ndarray::Array2;
use rayon::prelude::*;

use super::{Cloud, Energy};
use crate::measure::target::{Target, check_score};
use crate::{Error, Real, Result};

/// `F = ½ KSD²(μ | π) = ½ ∬ u_π dμ dμ` with the Stein kernel of `k = exp(-r²/2h)`,
///
/// ```text
/// u_π(x, y) = k [s·s' + (s - s')·(x - y)/h + d/h - r²/h²],   s = ∇ log π(x), s' = ∇ log π(y)
/// ```
///
/// which needs no sample of π and no normalisation. Its descent also needs the Hessian of log π along one direction a
/// particle, which is taken from two scores (central differences). It gets stuck where
/// π is symmetric about the particles. Korba, Aubin-Frankowski, Majewski and Ablin, ICML 2021.
///
/// ```
/// use flowfield::{Flow, dataset::normal, integrate::Heun, measure::{Descent, SteinDiscrepancy}};
/// use ndarray::Array2;
/// let standard = |x: &Array2<f64>, s: &mut Array2<f64>| s.assign(&-x);
/// let flow = Descent(SteinDiscrepancy::new(standard, 1.0)?);
/// let mut x = normal((50, 1), 0) * 0.2 + 1.0;
/// let certificate = Flow::new(flow, Heun::new()).steps_certified(200, 0.1, &mut x)?;
/// assert!(certificate.is_monotone() && x.mean().unwrap().abs() < 0.05);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug)]
pub struct SteinDiscrepancy<T> {
    target: RefCell<T>,
    h: f64,
}

impl<T> SteinDiscrepancy<T> {
    /// To this density, with the kernel `exp(-r²/2h)`.
    ///
    /// # Errors
    /// [`Error::Setting`] for h that is not positive.
    pub fn new(target: T, h: f64) -> Result<Self> {
        Error::setting(h > 0.0 && h.is_finite(), "h", h, "the kernel's squared width must be positive")?;
        Ok(SteinDiscrepancy { target: RefCell::new(target), h })
    }

    /// For each row: Σ_j w_j u, the part of its gradient from the kernel, and what the Hessian of log π is applied to.
    fn rows<F: Real>(&mut self, cloud: &Cloud<'_, F>) -> Vec<[Vec<f64>; 3]>
    where
        T: Target<F>,
    {
        let (n, d) = cloud.x.dim();
        let mut scores = cloud.x.clone();
        self.target.get_mut().score(cloud.x, &mut scores);
        let x: Vec<f64> = cloud.x.iter().map(|v| v.f64()).collect();
        let s: Vec<f64> = scores.iter().map(|v| v.f64()).collect();
        let w: Vec<f64> = (0..n).map(|j| cloud.weight(j)).collect();
        let inverse = 1.0 / self.h;
        let one = |i: usize| {
            let (xi, si) = (&x[i * d..][..d], &s[i * d..][..d]);
            let (mut value, mut slope, mut along) = (0.0, vec![0.0; d], vec![0.0; d]);
            for j in 0..n {
                let (xj, sj) = (&x[j * d..][..d], &s[j * d..][..d]);
                let (mut r2, mut inner) = (0.0, 0.0);
                for k in 0..d {
                    let gap = xi[k] - xj[k];
                    r2 += gap * gap;
                    inner += si[k] * sj[k] + (si[k] - sj[k]) * gap * inverse;
                }
                let weight = w[j] * (-0.5 * r2 * inverse).exp();
                let bracket = inner + (d as f64 - r2 * inverse) * inverse;
                value += weight * bracket;
                for k in 0..d {
                    let gap = (xi[k] - xj[k]) * inverse;
                    slope[k] += weight * ((si[k] - sj[k]) * inverse - gap * (bracket + 2.0 * inverse));
                    along[k] += weight * (sj[k] + gap);
                }
            }
            [vec![value], slope, along]
        };
        (0..n).into_par_iter().map(one).collect()
    }
}

impl<F: Real, T: Target<F>> Energy<F> for SteinDiscrepancy<T> {
    fn value(&mut self, cloud: &Cloud<'_, F>) -> f64 {
        let rows = self.rows(cloud);
        0.5 * rows.iter().enumerate().map(|(i, r)| cloud.weight(i) * r[0][0]).sum::<f64>()
    }

    fn gradient(&mut self, cloud: &Cloud<'_, F>, g: &mut Array2<F>) {
        let rows = self.rows(cloud);
        // H v by central differences of the score along v, a step of cube-root accuracy in each row.
        let (mut ahead, mut behind) = (cloud.x.clone(), cloud.x.clone());
        let steps: Vec<f64> = rows
            .iter()
            .zip(cloud.x.rows())
            .map(|(r, x)| {
                let length = r[2].iter().map(|v| v * v).sum::<f64>().sqrt();
                let size = 1.0 + x.iter().map(|v| v.f64() * v.f64()).sum::<f64>().sqrt();
                if length > 0.0 { F::EPS.f64().cbrt() * size / length } else { 0.0 }
            })
            .collect();
        for (i, r) in rows.iter().enumerate() {
            for (k, v) in r[2].iter().enumerate() {
                ahead[[i, k]] += F::of(steps[i] * v);
                behind[[i, k]] -= F::of(steps[i] * v);
            }
        }
        let (mut up, mut down) = (cloud.x.clone(), cloud.x.clone());
        self.target.get_mut().score(&ahead, &mut up);
        self.target.get_mut().score(&behind, &mut down);
        for (i, r) in rows.iter().enumerate() {
            for (k, slope) in r[1].iter().enumerate() {
                let curved =
                    if steps[i] > 0.0 { (up[[i, k]] - down[[i, k]]).f64() / (2.0 * steps[i]) } else { 0.0 };
                g[[i, k]] += F::of(slope + curved);
            }
        }
    }

    fn check(&self, cloud: &Cloud<'_, F>) -> Result<()> {
        check_score(&mut *self.target.borrow_mut(), cloud.x)
    }
}
