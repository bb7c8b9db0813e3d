//! Densities to sample from.

use ndarray::Array2;

use crate::rng::Rng;
use crate::simd::{Arith, Isa, Kernel, exp};
use crate::{Error, Real, Result};

/// A density π known up to a factor, by its score. Any closure `FnMut(&Array2<F>, &mut Array2<F>)` that writes the score of
/// every row is one.
pub trait Target<F: Real> {
    /// Writes `∇ log π` at every row of `x` to `s`.
    fn score(&mut self, x: &Array2<F>, s: &mut Array2<F>);

    /// Draws the next minibatch; true if the score changed.
    fn redraw(&mut self) -> bool {
        false
    }
}

impl<F: Real, C: FnMut(&Array2<F>, &mut Array2<F>)> Target<F> for C {
    fn score(&mut self, x: &Array2<F>, s: &mut Array2<F>) {
        self(x, s);
    }
}

/// Refuses a score that is not finite at the rows of `x`.
pub(crate) fn check_score<F: Real>(target: &mut impl Target<F>, x: &Array2<F>) -> Result<()> {
    let mut s = x.clone();
    target.score(x, &mut s);
    Error::shape("the score", x.shape(), s.shape())?;
    crate::state::check_rows("the score (where the density vanishes it has none)", &s)
}

/// A mixture of isotropic Gaussians, `π = Σ_k w_k N(c_k, σ² I)`.
///
/// ```
/// use flowfield::measure::{GaussianMixture, Target};
/// use ndarray::{Array2, array};
/// let mut pair = GaussianMixture::new(array![[-1.0], [1.0]], 0.5)?;
/// let mut s = Array2::zeros((1, 1));
/// pair.score(&array![[0.0]], &mut s);
/// assert_eq!(s[[0, 0]], 0.0);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct GaussianMixture<F: Real> {
    centres: Array2<F>,
    /// log w_k.
    log_weights: Vec<F>,
    std: f64,
    isa: Isa,
}

impl<F: Real> GaussianMixture<F> {
    /// Equal weights; `centres` is k × d, `std` the standard deviation of each component along each axis.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::NotFinite`], [`Error::Setting`].
    pub fn new(centres: Array2<F>, std: f64) -> Result<Self> {
        if centres.is_empty() {
            return Err(Error::Empty { what: "the centres of the mixture" });
        }
        crate::state::check_rows("the centres of the mixture", &centres)?;
        Error::setting(std > 0.0 && std.is_finite(), "the standard deviation", std, "it must be positive")?;
        let log_weights = vec![F::zero(); centres.nrows()];
        let centres = centres.as_standard_layout().into_owned();
        Ok(GaussianMixture { centres, log_weights, std, isa: Isa::detect() })
    }

    /// These weights, divided by their sum.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::Weight`].
    pub fn weights(mut self, weights: &[f64]) -> Result<Self> {
        Error::shape("the weights of the mixture", &[self.centres.nrows()], &[weights.len()])?;
        if let Some(row) = weights.iter().position(|w| !(*w > 0.0 && w.is_finite())) {
            return Err(Error::Weight { what: "the weights of the mixture", row, value: weights[row] });
        }
        self.log_weights = weights.iter().map(|w| F::of(w.ln())).collect();
        Ok(self)
    }

    /// Independent draws.
    pub fn sample(&self, n: usize, seed: u64) -> Array2<F> {
        let (mut rng, d) = (Rng::new(seed, 0), self.centres.ncols());
        let sums: Vec<f64> = self
            .log_weights
            .iter()
            .scan(0.0, |s, w| {
                *s += w.f64().exp();
                Some(*s)
            })
            .collect();
        let total = sums[sums.len() - 1];
        let mut x = Array2::zeros((n, d));
        for mut row in x.rows_mut() {
            let u = rng.uniform::<f64>() * total;
            let k = sums.partition_point(|&s| s <= u).min(sums.len() - 1);
            for (x, c) in row.iter_mut().zip(self.centres.row(k)) {
                *x = *c + F::of(self.std * rng.normal::<f64>());
            }
        }
        x
    }

    /// Mean and covariance: `(m, C)`.
    pub fn moments(&self) -> (Vec<f64>, Array2<f64>) {
        let d = self.centres.ncols();
        let w: Vec<f64> = self.log_weights.iter().map(|w| w.f64().exp()).collect();
        let total: f64 = w.iter().sum();
        let rows = || self.centres.rows().into_iter().zip(&w);
        let m: Vec<f64> = (0..d).map(|a| rows().map(|(c, w)| w * c[a].f64()).sum::<f64>() / total).collect();
        let c = Array2::from_shape_fn((d, d), |(a, b)| {
            let spread = if a == b { self.std * self.std } else { 0.0 };
            spread + rows().map(|(c, w)| w * (c[a].f64() - m[a]) * (c[b].f64() - m[b])).sum::<f64>() / total
        });
        (m, c)
    }
}

/// Particles at a time, and rows from which threads pay.
const LANES: usize = 32;
const THREADS: usize = 2048;

impl<F: Real> Target<F> for GaussianMixture<F> {
    fn score(&mut self, x: &Array2<F>, s: &mut Array2<F>) {
        use rayon::prelude::*;
        let d = self.centres.ncols();
        let x = crate::State::as_slice(x);
        let s = crate::State::as_mut_slice(s);
        let of = &*self;
        let block = 512 * d;
        let run = |(x, s): (&[F], &mut [F])| of.isa.run(Scores { of, x, s });
        if x.len() / d < THREADS {
            x.chunks(block).zip(s.chunks_mut(block)).for_each(run);
        } else {
            x.par_chunks(block).zip(s.par_chunks_mut(block)).for_each(run);
        }
    }
}

struct Scores<'a, F: Real> {
    of: &'a GaussianMixture<F>,
    x: &'a [F],
    s: &'a mut [F],
}

impl<F: Real> Kernel for Scores<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        match self.of.centres.ncols() {
            1 => self.rows::<A, 1>(),
            2 => self.rows::<A, 2>(),
            3 => self.rows::<A, 3>(),
            _ => self.any::<A>(),
        }
    }
}

impl<F: Real> Scores<'_, F> {
    /// 32 particles at a time, a coordinate after the other: `s = (Σ p_k c_k / Σ p_k - x) / σ²`.
    #[inline(always)]
    fn rows<A: Arith, const D: usize>(self) {
        let centres = crate::State::as_slice(&self.of.centres).as_chunks::<D>().0;
        let inverse = F::of(1.0 / (self.of.std * self.of.std));
        let half = F::of(-0.5) * inverse;
        for (x, s) in self.x.chunks(LANES * D).zip(self.s.chunks_mut(LANES * D)) {
            let mut at = [[F::zero(); LANES]; D];
            for (l, x) in x.as_chunks::<D>().0.iter().enumerate() {
                for k in 0..D {
                    at[k][l] = x[k];
                }
            }
            let mut top = [F::neg_infinity(); LANES];
            for (c, &w) in centres.iter().zip(&self.of.log_weights) {
                let t = exponent::<A, F, D>(&at, c, half, w);
                for l in 0..LANES {
                    top[l] = if t[l] > top[l] { t[l] } else { top[l] };
                }
            }
            let (mut sum, mut pull) = ([F::zero(); LANES], [[F::zero(); LANES]; D]);
            for (c, &w) in centres.iter().zip(&self.of.log_weights) {
                let mut t = exponent::<A, F, D>(&at, c, half, w);
                for l in 0..LANES {
                    t[l] = exp::<A, F>(t[l] - top[l]);
                    sum[l] += t[l];
                }
                for k in 0..D {
                    for l in 0..LANES {
                        pull[k][l] = A::fma(t[l], c[k], pull[k][l]);
                    }
                }
            }
            for k in 0..D {
                for l in 0..LANES {
                    pull[k][l] = (pull[k][l] / sum[l] - at[k][l]) * inverse;
                }
            }
            for (l, s) in s.as_chunks_mut::<D>().0.iter_mut().enumerate() {
                for k in 0..D {
                    s[k] = pull[k][l];
                }
            }
        }
    }

    /// Any dimension, a particle at a time.
    #[inline(always)]
    fn any<A: Arith>(self) {
        let d = self.of.centres.ncols();
        let centres = crate::State::as_slice(&self.of.centres);
        let inverse = F::of(1.0 / (self.of.std * self.of.std));
        let mut t = vec![F::zero(); self.of.log_weights.len()];
        for (x, s) in self.x.chunks_exact(d).zip(self.s.chunks_exact_mut(d)) {
            let mut top = F::neg_infinity();
            for (t, (c, &w)) in t.iter_mut().zip(centres.chunks_exact(d).zip(&self.of.log_weights)) {
                let mut square = F::zero();
                for (&x, &c) in x.iter().zip(c) {
                    square = A::fma(x - c, x - c, square);
                }
                *t = w - F::of(0.5) * inverse * square;
                top = if *t > top { *t } else { top };
            }
            let mut sum = F::zero();
            s.fill(F::zero());
            for (&t, c) in t.iter().zip(centres.chunks_exact(d)) {
                let p = exp::<A, F>(t - top);
                sum += p;
                for (s, &c) in s.iter_mut().zip(c) {
                    *s = A::fma(p, c, *s);
                }
            }
            let over = F::one() / sum;
            s.iter_mut().zip(x).for_each(|(s, &x)| *s = (*s * over - x) * inverse);
        }
    }
}

#[inline(always)]
fn exponent<A: Arith, F: Real, const D: usize>(
    at: &[[F; LANES]; D],
    c: &[F; D],
    half: F,
    w: F,
) -> [F; LANES] {
    let mut t = [F::zero(); LANES];
    for k in 0..D {
        for l in 0..LANES {
            let gap = at[k][l] - c[k];
            t[l] = A::fma(gap, gap, t[l]);
        }
    }
    for t in &mut t {
        *t = A::fma(*t, half, w);
    }
    t
}
