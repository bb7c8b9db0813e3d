//! The entropy of a smoothed cloud.

use ndarray::{Array1, Array2, Axis};

use super::{Cloud, Energy};
use crate::pairs::{KernelSum, RadialKernel};
use crate::{Error, Real, Result};

/// `F = D ∫ log(φ_ε * μ) dμ` with the Gaussian φ of standard deviation ε: the entropy of particles, regularised ("blob
/// method"), so that diffusion becomes a deterministic flow
///
/// ```text
/// x_i' = -D Σ_j w_j ∇φ(x_i - x_j) (1/s_j + 1/s_i),   s_i = Σ_k w_k φ(x_i - x_k)
/// ```
///
/// Take ε a little larger than the distance between neighbours. Carrillo, Craig and Patacchini, Calc. Var. 58 (2019).
///
/// ```
/// use flowfield::{Flow, dataset::normal, integrate::Tsit5, measure::{BlobEntropy, Descent, Potential}};
/// // Fokker–Planck to the standard normal, without noise.
/// let bowl = Potential::new(|x: &[f64], g: &mut [f64]| { g[0] = x[0]; 0.5 * x[0] * x[0] });
/// let flow = Descent((bowl, BlobEntropy::new(0.3, 1.0)?));
/// let start = normal::<f64>((100, 1), 0) * 0.3 + 2.0;
/// let (x, certificate) = Flow::new(flow, Tsit5::new()).tol(1e-6).solve_certified(0.0, 8.0, start)?;
/// assert!(certificate.is_monotone() && x.mean().unwrap().abs() < 1e-2);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct BlobEntropy<F: Real> {
    eps: f64,
    diffusion: f64,
    sum: KernelSum<F>,
    w: Array1<F>,
    /// `s_i`, and `w_i / s_i`.
    densities: Array2<F>,
    over: Array1<F>,
    rows: Array2<F>,
}

impl<F: Real> BlobEntropy<F> {
    /// Of width ε and diffusion D.
    ///
    /// # Errors
    /// [`Error::Setting`] for a width that is not positive, or a negative diffusion.
    pub fn new(eps: f64, diffusion: f64) -> Result<Self> {
        let good = diffusion >= 0.0 && diffusion.is_finite();
        Error::setting(good, "the diffusion", diffusion, "it must be 0 or positive, and finite")?;
        let sum = KernelSum::new(RadialKernel::Gaussian { width: eps })?;
        let (none, rows) = (Array1::zeros(0), Array2::zeros((0, 0)));
        let (densities, over) = (rows.clone(), none.clone());
        Ok(BlobEntropy { eps, diffusion, sum, w: none, densities, over, rows })
    }

    /// Fills in `s_i`, without the Gaussian's normalisation, and `w_i / s_i`.
    fn measure(&mut self, cloud: &Cloud<'_, F>) -> Result<()> {
        cloud.weights_into(&mut self.w);
        if self.over.len() != cloud.len() {
            (self.over, self.densities) = (self.w.clone(), Array2::zeros((cloud.len(), 1)));
        }
        self.densities.column_mut(0).assign(&self.w);
        self.sum.targets(cloud.x)?.payload(&self.densities)?;
        self.sum.sums(cloud.x, &mut self.densities)?;
        self.over.assign(&self.w);
        self.over.iter_mut().zip(&self.densities).for_each(|(o, &s)| *o = *o / s);
        Ok(())
    }

    fn slopes(&mut self, cloud: &Cloud<'_, F>, g: &mut Array2<F>) -> Result<()> {
        self.measure(cloud)?;
        if self.rows.dim() != cloud.x.dim() {
            self.rows = Array2::zeros(cloud.x.dim());
        }
        let d = F::of(self.diffusion);
        self.sum.weights(&self.w)?.gradients(cloud.x, &mut self.rows)?;
        for ((mut g, r), s) in g.rows_mut().into_iter().zip(self.rows.rows()).zip(&self.densities) {
            g.scaled_add(d / *s, &r);
        }
        self.sum.weights(&self.over)?.gradients(cloud.x, &mut self.rows)?;
        g.scaled_add(d, &self.rows);
        Ok(())
    }

    fn potential(&mut self, cloud: &Cloud<'_, F>, out: &mut [f64]) -> Result<()> {
        self.measure(cloud)?;
        let over = self.over.clone().insert_axis(Axis(1));
        let mut back = Array2::zeros((cloud.len(), 1));
        self.sum.payload(&over)?.sums(cloud.x, &mut back)?;
        for (out, (s, b)) in out.iter_mut().zip(self.densities.iter().zip(&back)) {
            *out += self.diffusion * (s.f64().ln() + b.f64());
        }
        Ok(())
    }
}

impl<F: Real> Energy<F> for BlobEntropy<F> {
    fn value(&mut self, cloud: &Cloud<'_, F>) -> f64 {
        if self.measure(cloud).is_err() {
            return f64::NAN;
        }
        let d = cloud.x.ncols() as f64;
        let norm = 0.5 * d * (std::f64::consts::TAU * self.eps * self.eps).ln();
        let s = self.densities.iter().enumerate();
        let sum: f64 = s.map(|(i, s)| cloud.weight(i) * (s.f64().ln() - norm)).sum();
        self.diffusion * sum
    }

    fn gradient(&mut self, cloud: &Cloud<'_, F>, g: &mut Array2<F>) {
        if self.slopes(cloud, g).is_err() {
            g.fill(F::nan());
        }
    }

    fn variation(&mut self, cloud: &Cloud<'_, F>, out: &mut [f64]) -> bool {
        if self.potential(cloud, out).is_err() {
            out.fill(f64::NAN);
        }
        true
    }
}

/// See [`relative_entropy`].
pub type RelativeEntropy<V, F> = (super::Potential<V>, BlobEntropy<F>);

/// `KL(μ | π)` up to a constant, for a density π known up to a factor by `v(x, g)`, which writes the gradient of
/// `-log π` to `g` and returns its value: a potential and a blob entropy of width `eps`.
///
/// # Errors
/// [`Error::Setting`] for a width that is not positive.
///
/// ```
/// use flowfield::measure::{Cloud, Energy, relative_entropy};
/// let mut kl = relative_entropy(|x: &[f64], g: &mut [f64]| { g[0] = x[0]; 0.5 * x[0] * x[0] }, 0.2)?;
/// let (near, far) = (ndarray::array![[-0.5], [0.5]], ndarray::array![[2.5], [3.5]]);
/// assert!(kl.value(&Cloud::uniform(&near)) < kl.value(&Cloud::uniform(&far)));
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn relative_entropy<F: Real, V>(v: V, eps: f64) -> Result<RelativeEntropy<V, F>>
where
    V: FnMut(&[F], &mut [F]) -> F,
{
    Ok((super::Potential::new(v), BlobEntropy::new(eps, 1.0)?))
}
