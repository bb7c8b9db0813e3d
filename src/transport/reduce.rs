//! Sums over all pairs of points, one row of sources at a time: the O(n m) engine.
//!
//! For sources `x` and targets `y` with a log weight `h_j` each, and the Gaussian kernel of squared distances,
//!
//! ```text
//! t_ij = h_j - |x_i - y_j|² / ε,   s_i = log Σ_j exp(t_ij),   T_i = Σ_j exp(t_ij - s_i) y_j
//! ```
//!
//! Nothing of size n × m is stored. A tile of targets that fits the first-level cache serves
//! a block of sources; a source's sums over a tile stay in registers, and are added up in double precision. A tile is first run against the largest exponent that the row has
//! seen; only if it turns out larger is the tile run again.

use ndarray::{Array1, Array2};
use rayon::prelude::*;

use crate::simd::{Arith, Isa, Kernel, exp};
use crate::{Error, Real, Result};

/// Numbers in a group.
const LANES: usize = 32;
/// Numbers in a tile of targets: half of a first-level cache in single precision.
const TILE: usize = 4096;
/// Pairs from which threads pay, and rows that a thread takes at a time.
const THREADS: usize = 1 << 18;
const ROWS: usize = 64;

/// Targets ready to be summed over, many times.
///
/// ```
/// use flowfield::dataset::normal;
/// use flowfield::transport::PairSum;
/// use ndarray::{Array1, array};
/// let y = normal::<f32>((1000, 3), 0);
/// let sum = PairSum::new(&y, &Array1::zeros(1000), 0.5)?;
/// let x = array![[0.0_f32, 0.0, 0.0]];
/// let by_hand: f64 = y.rows().into_iter().map(|y| f64::from(-y.dot(&y) / 0.5).exp()).sum();
/// assert!((sum.log_sum_exp(&x)?[0] - by_hand.ln()).abs() < 1e-5);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PairSum<F> {
    /// Coordinates over √ε, in groups of targets, and in each group one coordinate after the other.
    y: Vec<F>,
    h: Vec<F>,
    /// Padded number of targets.
    stride: usize,
    dim: usize,
    scale: f64,
    isa: Isa,
}

impl<F: Real> PairSum<F> {
    /// For targets `y` (m × d), log weights `h` (m; minus infinity leaves a target out) and `ε > 0`.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::NotFinite`], [`Error::Shape`], [`Error::Setting`].
    pub fn new(y: &Array2<F>, h: &Array1<F>, eps: f64) -> Result<Self> {
        super::cost::check_cloud("the target points", y)?;
        let (m, dim) = y.dim();
        Error::shape("the log weights", &[m], h.shape())?;
        Error::setting(eps > 0.0 && eps.is_finite(), "eps", eps, "it must be positive and finite")?;
        let (stride, scale) = (m.next_multiple_of(LANES), 1.0 / eps.sqrt());
        let mut columns = vec![F::zero(); stride * dim];
        for ((j, k), y) in y.indexed_iter() {
            columns[(j / LANES * dim + k) * LANES + j % LANES] = F::of(y.f64() * scale);
        }
        // Far below any other exponent, and not infinite: differences of it stay numbers.
        let never = F::of(NEVER);
        let mut weights = vec![never; stride];
        weights.iter_mut().zip(h).for_each(|(w, &h)| *w = h.max(never));
        Ok(PairSum { y: columns, h: weights, stride, dim, scale, isa: Isa::detect() })
    }

    /// `log Σ_j exp(h_j - |x_i - y_j|² / ε)` for every row of `x` (n × d).
    ///
    /// # Errors
    /// [`Error::Shape`] where the dimensions differ.
    pub fn log_sum_exp(&self, x: &Array2<F>) -> Result<Array1<f64>> {
        Ok(self.rows(x, false)?.into_iter().map(|row| row.log()).collect())
    }

    /// The mean of the targets under the weights `exp(h_j - |x_i - y_j|² / ε)` for every row of `x` (n × d):
    /// the barycentric map, from which the gradients of the sums follow.
    ///
    /// # Errors
    /// [`Error::Shape`] where the dimensions differ.
    pub fn mean(&self, x: &Array2<F>) -> Result<Array2<F>> {
        let rows = self.rows(x, true)?;
        let at = |(i, k): (usize, usize)| F::of(rows[i].moments[k] / rows[i].sum / self.scale);
        Ok(Array2::from_shape_fn(x.dim(), at))
    }

    fn rows(&self, x: &Array2<F>, moments: bool) -> Result<Vec<RowSum>> {
        Error::shape("the source points", &[x.nrows(), self.dim], x.shape())?;
        let scaled: Vec<F> = x.iter().map(|x| F::of(x.f64() * self.scale)).collect();
        let some = |x: &[F]| self.isa.run(Rows { of: self, x, moments });
        let block = ROWS * self.dim.max(1);
        let parts: Vec<Vec<RowSum>> = match x.nrows() * self.stride < THREADS {
            true => scaled.chunks(block).map(some).collect(),
            false => scaled.par_chunks(block).map(some).collect(),
        };
        Ok(parts.into_iter().flatten().collect())
    }
}

/// The log weight of what is not there.
const NEVER: f64 = -1e30;

/// `sum · exp(top) = Σ exp(t)`, and the same with the targets' coordinates.
#[derive(Debug, Clone)]
struct RowSum {
    top: f64,
    sum: f64,
    moments: Vec<f64>,
}

impl RowSum {
    fn log(&self) -> f64 {
        self.top + self.sum.ln()
    }

    /// Measures by another exponent.
    fn rebase(&mut self, top: f64) {
        let by = (self.top - top).exp();
        self.sum *= by;
        self.moments.iter_mut().for_each(|m| *m *= by);
        self.top = top;
    }
}

/// Some rows against all targets.
struct Rows<'a, F> {
    of: &'a PairSum<F>,
    x: &'a [F],
    moments: bool,
}

impl<F: Real> Kernel for Rows<'_, F> {
    type Output = Vec<RowSum>;
    #[inline(always)]
    fn run<A: Arith>(self) -> Vec<RowSum> {
        let d = self.of.dim;
        let zero =
            RowSum { top: f64::NEG_INFINITY, sum: 0.0, moments: vec![0.0; if self.moments { d } else { 0 }] };
        let mut rows = vec![zero; self.x.len() / d];
        let size = (TILE / (d + 1)).next_multiple_of(LANES);
        for first in (0..self.of.stride).step_by(size) {
            let tile = first..(first + size).min(self.of.stride);
            match d {
                1 => self.tile::<A, 1>(&mut rows, tile),
                2 => self.tile::<A, 2>(&mut rows, tile),
                3 => self.tile::<A, 3>(&mut rows, tile),
                _ => self.tile::<A, 0>(&mut rows, tile),
            }
        }
        rows
    }
}

impl<F: Real> Rows<'_, F> {
    /// A tile for all rows; `D` is the dimension, 0 if it is only known at run time.
    #[inline(always)]
    fn tile<A: Arith, const D: usize>(&self, rows: &mut [RowSum], tile: std::ops::Range<usize>) {
        let d = if D > 0 { D } else { self.of.dim };
        let mut scratch = vec![[F::zero(); LANES]; d];
        for (x, row) in self.x.chunks(d).zip(rows) {
            if row.top == f64::NEG_INFINITY {
                row.top = self.largest::<A, D>(x, tile.clone());
            }
            let mut sum = self.sum::<A, D>(x, row.top, tile.clone());
            // The tile holds something far larger than anything before: measure by that.
            if sum >= 1e6 {
                row.rebase(self.largest::<A, D>(x, tile.clone()));
                sum = self.sum::<A, D>(x, row.top, tile.clone());
            }
            row.sum += sum;
            if !row.moments.is_empty() {
                self.moments::<A, D>(x, row, tile.clone(), &mut scratch);
            }
        }
    }

    /// The exponents of a group of targets.
    #[inline(always)]
    fn exponents<A: Arith, const D: usize>(&self, x: &[F], first: usize) -> [F; LANES] {
        let d = if D > 0 { D } else { self.of.dim };
        let mut t = [F::zero(); LANES];
        t.copy_from_slice(&self.of.h[first..first + LANES]);
        for (k, &x) in x[..d].iter().enumerate() {
            let y = &self.of.y[first * d + k * LANES..][..LANES];
            for l in 0..LANES {
                let gap = x - y[l];
                t[l] = A::fma(-gap, gap, t[l]);
            }
        }
        t
    }

    #[inline(always)]
    fn largest<A: Arith, const D: usize>(&self, x: &[F], tile: std::ops::Range<usize>) -> f64 {
        let mut top = [F::of(NEVER * 10.0); LANES];
        for first in tile.step_by(LANES) {
            let t = self.exponents::<A, D>(x, first);
            for l in 0..LANES {
                top[l] = if t[l] > top[l] { t[l] } else { top[l] };
            }
        }
        top.iter().fold(f64::NEG_INFINITY, |a, b| a.max(b.f64()))
    }

    #[inline(always)]
    fn sum<A: Arith, const D: usize>(&self, x: &[F], top: f64, tile: std::ops::Range<usize>) -> f64 {
        let (mut sums, top) = ([F::zero(); LANES], F::of(top));
        for first in tile.step_by(LANES) {
            let t = self.exponents::<A, D>(x, first);
            for l in 0..LANES {
                sums[l] += exp::<A, F>(t[l] - top);
            }
        }
        sums.iter().map(|s| s.f64()).sum()
    }

    /// Adds `Σ exp(t - top) y` over a tile.
    #[inline(always)]
    fn moments<A: Arith, const D: usize>(
        &self,
        x: &[F],
        row: &mut RowSum,
        tile: std::ops::Range<usize>,
        sums: &mut [[F; LANES]],
    ) {
        let d = if D > 0 { D } else { self.of.dim };
        let top = F::of(row.top);
        sums.fill([F::zero(); LANES]);
        for first in tile.step_by(LANES) {
            let mut e = self.exponents::<A, D>(x, first);
            for e in &mut e {
                *e = exp::<A, F>(*e - top);
            }
            for (k, sums) in sums[..d].iter_mut().enumerate() {
                let y = &self.of.y[first * d + k * LANES..][..LANES];
                for l in 0..LANES {
                    sums[l] = A::fma(e[l], y[l], sums[l]);
                }
            }
        }
        for (moment, sums) in row.moments.iter_mut().zip(sums) {
            *moment += sums.iter().map(|s| s.f64()).sum::<f64>();
        }
    }
}
