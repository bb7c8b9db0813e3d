//! Maximum mean discrepancy by random features: millions of particles.

use ndarray::Array2;
use rayon::prelude::*;

use super::{Cloud, Energy};
use crate::rng::Rng;
use crate::simd::{Arith, Isa, Kernel, sin_cos};
use crate::state::check_rows;
use crate::{Error, Real, Result, State};

/// Features in a group, particles that a thread takes at a time.
const LANES: usize = 32;
const BLOCK: usize = 512;

/// [`Mmd`](super::Mmd) with a Gaussian kernel of width σ by R random Fourier features, O(n R d) instead of O(n² d):
///
/// ```text
/// k(x, y) ≈ (1/R) Σ_r cos(ω_r·(x - y)),   ω_r ~ N(0, I/σ²),   F = 1/(2R) Σ_r |mean e^{iω_r·X} - mean e^{iω_r·Y}|²
/// ```
///
/// It is itself the MMD of a kernel (that of the features), so its flow is a gradient flow and its energy falls. The kernel's
/// error is of order 1/√R. Rahimi and Recht, NIPS 2007.
///
/// ```
/// use flowfield::{Flow, dataset::{moons, normal}, integrate::Euler, measure::{Descent, FeatureMmd}};
/// let (mut x, y) = (normal::<f32>((1000, 2), 0), moons(1000, 0.05, 1));
/// let flow = Descent(FeatureMmd::new(1.0, &y, 256, 0)?);
/// let certificate = Flow::new(flow, Euler::new()).steps_certified(100, 0.5, &mut x)?;
/// assert!(certificate.is_monotone() && certificate.energy_end() < 0.2 * certificate.energy[0].1);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FeatureMmd<F: Real> {
    /// d rows of R frequencies.
    omega: Vec<F>,
    dim: usize,
    features: usize,
    /// Means of cosines, then of sines, over the target.
    target: Vec<f64>,
    gap: Vec<F>,
    isa: Isa,
}

impl<F: Real> FeatureMmd<F> {
    /// Width σ, the target sample (m × d), and the number of features (rounded up to a multiple of 32).
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::NotFinite`], [`Error::Setting`].
    pub fn new(width: f64, y: &Array2<F>, features: usize, seed: u64) -> Result<Self> {
        if y.is_empty() {
            return Err(Error::Empty { what: "the target sample" });
        }
        check_rows("the target sample", y)?;
        Error::setting(width > 0.0 && width.is_finite(), "width", width, "it must be positive and finite")?;
        Error::setting(features > 0, "the number of features", features as f64, "at least 1 is needed")?;
        let (dim, features) = (y.ncols(), features.next_multiple_of(LANES));
        let mut rng = Rng::new(seed, 0);
        let omega = (0..dim * features).map(|_| F::of(rng.normal::<f64>() / width)).collect();
        let gap = vec![F::zero(); 2 * features];
        let mut energy = FeatureMmd { omega, dim, features, target: Vec::new(), gap, isa: Isa::detect() };
        energy.target = energy.means(&Cloud::uniform(&y.as_standard_layout().into_owned()));
        Ok(energy)
    }

    /// Means of cosines and sines; blocks are added up in order, whatever the threads.
    fn means(&self, cloud: &Cloud<'_, F>) -> Vec<f64> {
        let n = cloud.len();
        let weights: Option<Vec<F>> = cloud.weights.map(|w| w.iter().map(|&w| w * F::of(n as f64)).collect());
        let rows = State::as_slice(cloud.x);
        let one = |(k, x): (usize, &[F])| {
            let w = weights.as_ref().map(|w| &w[k * BLOCK..(k * BLOCK + x.len() / self.dim)]);
            self.isa.run(Means { of: self, x, w })
        };
        let blocks: Vec<Vec<F>> = rows.par_chunks(BLOCK * self.dim).enumerate().map(one).collect();
        let mut sums = vec![0.0; 2 * self.features];
        for block in blocks {
            sums.iter_mut().zip(block).for_each(|(s, b)| *s += b.f64());
        }
        sums.iter_mut().for_each(|s| *s /= n as f64);
        sums
    }

    /// Means of the cloud minus those of the target, times 1/R.
    fn compare(&mut self, cloud: &Cloud<'_, F>) {
        let means = self.means(cloud);
        let scale = 1.0 / self.features as f64;
        let gaps = means.iter().zip(&self.target);
        self.gap.iter_mut().zip(gaps).for_each(|(g, (a, b))| *g = F::of(scale * (a - b)));
    }

    /// Adds the gradient (R times) at rows of `at`.
    fn slopes(&self, at: &Array2<F>, g: &mut Array2<F>) {
        let pairs = State::as_slice(at).par_chunks(BLOCK * self.dim);
        let rows = pairs.zip(State::as_mut_slice(g).par_chunks_mut(BLOCK * self.dim));
        rows.for_each(|(x, g)| self.isa.run(Slopes { of: self, x, g }));
    }
}

struct Means<'a, F: Real> {
    of: &'a FeatureMmd<F>,
    x: &'a [F],
    w: Option<&'a [F]>,
}

impl<F: Real> Kernel for Means<'_, F> {
    type Output = Vec<F>;
    #[inline(always)]
    fn run<A: Arith>(self) -> Vec<F> {
        let (d, features) = (self.of.dim, self.of.features);
        let mut sums = vec![F::zero(); 2 * features];
        let (cosines, sines) = sums.split_at_mut(features);
        let omega = &self.of.omega[..];
        for (group, (c, s)) in
            cosines.as_chunks_mut::<LANES>().0.iter_mut().zip(sines.as_chunks_mut::<LANES>().0).enumerate()
        {
            for (i, x) in self.x.chunks_exact(d).enumerate() {
                let phase = phases::<A, F>(omega, features, group, x);
                let w = match self.w {
                    Some(w) => w[i],
                    None => F::one(),
                };
                for l in 0..LANES {
                    let (sin, cos) = sin_cos::<A, F>(phase[l]);
                    c[l] = A::fma(w, cos, c[l]);
                    s[l] = A::fma(w, sin, s[l]);
                }
            }
        }
        sums
    }
}

#[inline(always)]
fn phases<A: Arith, F: Real>(omega: &[F], features: usize, group: usize, x: &[F]) -> [F; LANES] {
    let mut phase = [F::zero(); LANES];
    for (k, &x) in x.iter().enumerate() {
        let omega = &omega[k * features + group * LANES..][..LANES];
        for l in 0..LANES {
            phase[l] = A::fma(x, omega[l], phase[l]);
        }
    }
    phase
}

struct Slopes<'a, F: Real> {
    of: &'a FeatureMmd<F>,
    x: &'a [F],
    g: &'a mut [F],
}

impl<F: Real> Kernel for Slopes<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        let (d, features) = (self.of.dim, self.of.features);
        let (c, s) = self.of.gap.split_at(features);
        let mut sums = vec![[F::zero(); LANES]; d];
        for (x, g) in self.x.chunks_exact(d).zip(self.g.chunks_exact_mut(d)) {
            sums.fill([F::zero(); LANES]);
            for group in 0..features / LANES {
                let phase = phases::<A, F>(&self.of.omega, features, group, x);
                let (c, s) = (&c[group * LANES..][..LANES], &s[group * LANES..][..LANES]);
                let mut pull = [F::zero(); LANES];
                for l in 0..LANES {
                    let (sin, cos) = sin_cos::<A, F>(phase[l]);
                    pull[l] = A::fma(cos, s[l], -sin * c[l]);
                }
                for (k, sum) in sums.iter_mut().enumerate() {
                    let omega = &self.of.omega[k * features + group * LANES..][..LANES];
                    for l in 0..LANES {
                        sum[l] = A::fma(pull[l], omega[l], sum[l]);
                    }
                }
            }
            for (g, sum) in g.iter_mut().zip(&sums) {
                *g += sum.iter().copied().sum::<F>();
            }
        }
    }
}

impl<F: Real> Energy<F> for FeatureMmd<F> {
    fn value(&mut self, cloud: &Cloud<'_, F>) -> f64 {
        let means = self.means(cloud);
        let square: f64 = means.iter().zip(&self.target).map(|(a, b)| (a - b) * (a - b)).sum();
        0.5 * square / self.features as f64
    }

    fn gradient(&mut self, cloud: &Cloud<'_, F>, g: &mut Array2<F>) {
        self.gradient_at(cloud, cloud.x, g);
    }

    fn gradient_at(&mut self, cloud: &Cloud<'_, F>, at: &Array2<F>, g: &mut Array2<F>) -> bool {
        self.compare(cloud);
        self.slopes(at, g);
        true
    }

    fn variation(&mut self, cloud: &Cloud<'_, F>, out: &mut [f64]) -> bool {
        self.compare(cloud);
        let (c, s) = self.gap.split_at(self.features);
        for (out, x) in out.iter_mut().zip(cloud.x.rows()) {
            for r in 0..self.features {
                let phase: f64 =
                    (0..self.dim).map(|k| self.omega[k * self.features + r].f64() * x[k].f64()).sum();
                *out += phase.cos() * c[r].f64() + phase.sin() * s[r].f64();
            }
        }
        true
    }

    fn check(&self, cloud: &Cloud<'_, F>) -> Result<()> {
        Error::shape("the particles", &[cloud.len(), self.dim], cloud.x.shape())
    }
}
