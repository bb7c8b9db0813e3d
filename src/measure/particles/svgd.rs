//! Stein variational gradient descent.

use std::cell::RefCell;

use ndarray::Array2;
use rayon::prelude::*;

use super::median::ranked;
use crate::measure::target::{Target, check_score};
use crate::nn::kernel::{Pack, RowsTimesPack, padded};
use crate::pairs::{KernelSum, RadialKernel};
use crate::simd::{Arith, Buffer, Isa, Kernel, exp_below};
use crate::{Error, Real, Result, State, VectorField};

/// How wide a Stein kernel is.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Bandwidth {
    /// h = median of the squared distances of all pairs (each particle with itself included) over log(n + 1), at every
    /// evaluation. Above 4096 particles, of every k-th particle.
    Median,
    /// This h, a squared length.
    Fixed(f64),
}

/// The kernel of [`Svgd`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum SteinKernel {
    /// `exp(-r² / h)`.
    Rbf(Bandwidth),
    /// `(1 + r² / h)^(-1/2)`.
    InverseMultiquadric(Bandwidth),
}

impl SteinKernel {
    fn bandwidth(self) -> Bandwidth {
        match self {
            SteinKernel::Rbf(b) | SteinKernel::InverseMultiquadric(b) => b,
        }
    }
}

/// Particles that keep apart while they climb a density's score:
///
/// ```text
/// x_i' = (1/n) Σ_j [k(x_j, x_i) ∇log π(x_j) + ∇_{x_j} k(x_j, x_i)]
/// ```
///
/// the steepest descent of KL(· | π) over fields of a kernel's space, as a field for every integrator: Euler's steps are the
/// published algorithm, [`Adam`](crate::integrate::Adam) the usual practice. Minibatch scores: [`Target::redraw`]. With few
/// particles in many dimensions (n below d) the variance is underestimated. Liu and Wang, NIPS 2016.
///
/// O(n² d). Up to 4096 particles the kernel matrix is stored and multiplied; beyond, pairs are recomputed on the fly.
///
/// ```
/// use flowfield::{Flow, dataset::normal, integrate::Euler, measure::{GaussianMixture, Svgd}};
/// use ndarray::array;
/// let target = GaussianMixture::new(array![[-2.0], [2.0]], 1.0)?.weights(&[1.0, 2.0])?;
/// let mut x = normal::<f64>((100, 1), 0) - 10.0;
/// Flow::new(Svgd::new(target), Euler::new()).steps(2000, 1.0, &mut x)?;
/// assert!((x.mean().unwrap() - 2.0 / 3.0).abs() < 0.1);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug)]
pub struct Svgd<T, F: Real> {
    target: RefCell<T>,
    kernel: SteinKernel,
    work: Option<Work<F>>,
    /// Most particles whose kernel matrix is stored.
    dense: usize,
}

/// Particles up to which the kernel matrix is stored.
const DENSE: usize = 4096;
/// Rows that a thread takes at a time.
const BLOCK: usize = 48;

#[derive(Debug)]
struct Work<F: Real> {
    score: Array2<F>,
    /// Centred positions, row-major.
    x: Vec<F>,
    norms: Vec<F>,
    columns: Pack<F>,
    /// What the kernel matrix multiplies: d columns of `s - (2/h) x` and a column of ones, or for the inverse
    /// multiquadric the scores, and positions with ones.
    payloads: [Pack<F>; 2],
    plain: Vec<F>,
    matrix: Buffer<F>,
    upper: Vec<F>,
    kept: Vec<F>,
    products: Vec<F>,
    isa: Isa,
}

impl<F: Real> Work<F> {
    fn new(n: usize, d: usize) -> Self {
        let isa = Isa::detect();
        let zeros = |n| vec![F::zero(); n];
        Work {
            score: Array2::zeros((n, d)),
            x: zeros(n * d),
            norms: zeros(padded(n)),
            columns: Pack::new(d, n, isa),
            payloads: [Pack::new(n, d + 1, isa), Pack::new(n, d + 1, isa)],
            plain: zeros(n * (d + 1)),
            matrix: Buffer::zeros(n * padded(n)),
            upper: Vec::with_capacity(n * (n - 1) / 2),
            kept: Vec::with_capacity(n * (n - 1) / 2),
            products: zeros(2 * n * padded(d + 1)),
            isa,
        }
    }
}

impl<T, F: Real> Svgd<T, F> {
    /// To this density, with the RBF kernel of median bandwidth.
    pub fn new(target: T) -> Self {
        Svgd {
            target: RefCell::new(target),
            kernel: SteinKernel::Rbf(Bandwidth::Median),
            work: None,
            dense: DENSE,
        }
    }

    /// Another kernel.
    #[must_use]
    pub fn kernel(mut self, kernel: SteinKernel) -> Self {
        self.kernel = kernel;
        self
    }

    fn field(&mut self, x: &Array2<F>, dx: &mut Array2<F>) -> Result<()>
    where
        T: Target<F>,
    {
        let (n, d) = x.dim();
        if n > self.dense {
            return self.on_the_fly(x, dx);
        }
        let fits = self.work.as_ref().is_some_and(|w| w.score.dim() == (n, d));
        if !fits {
            self.work = Some(Work::new(n, d));
        }
        let Some(work) = &mut self.work else { return Ok(()) };
        self.target.get_mut().score(x, &mut work.score);
        work.distances(x);
        let h = match self.kernel.bandwidth() {
            Bandwidth::Median => work.median() / ((n + 1) as f64).ln(),
            Bandwidth::Fixed(h) => h,
        };
        work.multiply(self.kernel, h);
        work.combine(self.kernel, h, State::as_mut_slice(dx));
        Ok(())
    }

    /// Without a kernel matrix: pairs as they come.
    fn on_the_fly(&mut self, x: &Array2<F>, dx: &mut Array2<F>) -> Result<()>
    where
        T: Target<F>,
    {
        let n = x.nrows();
        let mut score = x.clone();
        self.target.get_mut().score(x, &mut score);
        let h = match self.kernel.bandwidth() {
            Bandwidth::Median => {
                let some =
                    x.select(ndarray::Axis(0), &(0..n).step_by(n.div_ceil(DENSE / 2)).collect::<Vec<_>>());
                let mut work = Work::new(some.nrows(), some.ncols());
                work.distances(&some);
                work.median() / ((n + 1) as f64).ln()
            }
            Bandwidth::Fixed(h) => h,
        };
        let radial = match self.kernel {
            SteinKernel::Rbf(_) => RadialKernel::Gaussian { width: (0.5 * h).sqrt() },
            SteinKernel::InverseMultiquadric(_) => RadialKernel::InverseMultiquadric { width: h.sqrt() },
        };
        let mut sum = KernelSum::new(radial)?;
        sum.targets(x)?.payload(&score)?;
        let mut gradients = x.clone();
        sum.both(x, dx, &mut gradients)?;
        // The kernel's slope in its other argument has the other sign.
        *dx -= &gradients;
        dx.mapv_inplace(|v| v / F::of(n as f64));
        Ok(())
    }
}

impl<F: Real> Work<F> {
    /// Fills the matrix with squared distances, by a product of centred positions.
    fn distances(&mut self, x: &Array2<F>) {
        let (n, d) = x.dim();
        let stride = padded(n);
        let rows = State::as_slice(x);
        let mut mean = vec![0.0; d];
        rows.chunks_exact(d).for_each(|x| mean.iter_mut().zip(x).for_each(|(m, x)| *m += x.f64()));
        for (to, x) in self.x.chunks_exact_mut(d).zip(rows.chunks_exact(d)) {
            to.iter_mut().zip(x.iter().zip(&mean)).for_each(|(t, (&x, m))| *t = x - F::of(m / n as f64));
        }
        for (norm, x) in self.norms.iter_mut().zip(self.x.chunks_exact(d)) {
            *norm = x.iter().map(|&v| v * v).sum();
        }
        self.columns.fill_transposed(&self.x);
        let (x, norms, columns, isa) = (&self.x, &self.norms, &self.columns, self.isa);
        self.matrix.par_chunks_mut(BLOCK * stride).enumerate().for_each(|(k, c)| {
            let rows = c.len() / stride;
            let a = &x[k * BLOCK * d..][..rows * d];
            isa.run(RowsTimesPack {
                a,
                a_stride: d,
                rows,
                b: columns,
                depth: d,
                c,
                c_stride: stride,
                add: false,
            });
            isa.run(Squares { c, norms, first: k * BLOCK });
        });
    }

    /// The median of all squared distances, those of each particle to itself included; the lower one of two.
    fn median(&mut self) -> f64 {
        let n = self.score.nrows();
        let stride = padded(n);
        // Sorted, the n zeros come first, and then each pair twice.
        let rank = (n * n - 1) / 2;
        if rank < n {
            return 0.0;
        }
        self.upper.clear();
        for i in 0..n {
            self.upper.extend_from_slice(&self.matrix[i * stride + i + 1..i * stride + n]);
        }
        ranked(&self.upper, (rank - n) / 2, &mut self.kept).f64()
    }

    /// Turns distances into kernel values and multiplies: `K [s - (2/h) x, 1]`, or `K s` and `C [x, 1]`.
    fn multiply(&mut self, kernel: SteinKernel, h: f64) {
        let (n, d) = self.score.dim();
        let stride = padded(n);
        let score = State::as_slice(&self.score);
        let rbf = matches!(kernel, SteinKernel::Rbf(_));
        let pull = F::of(if rbf { -2.0 / h } else { 0.0 });
        for (to, (s, x)) in
            self.plain.chunks_exact_mut(d + 1).zip(score.chunks_exact(d).zip(self.x.chunks_exact(d)))
        {
            to.iter_mut().zip(s.iter().zip(x)).for_each(|(t, (&s, &x))| *t = s + pull * x);
            to[d] = F::one();
        }
        self.payloads[0].fill(&self.plain);
        if !rbf {
            for (to, x) in self.plain.chunks_exact_mut(d + 1).zip(self.x.chunks_exact(d)) {
                to[..d].copy_from_slice(x);
            }
            self.payloads[1].fill(&self.plain);
        }
        let (width, isa, payloads) = (padded(d + 1), self.isa, &self.payloads);
        let scale = F::of(1.0 / h);
        let (first, second) = self.products.split_at_mut(n * width);
        let outputs = first.par_chunks_mut(BLOCK * width).zip(second.par_chunks_mut(BLOCK * width));
        self.matrix.par_chunks_mut(BLOCK * stride).zip(outputs).for_each(|(k, (c0, c1))| {
            let rows = k.len() / stride;
            isa.run(Values { k, scale, rbf });
            let product = |b: &Pack<F>, c: &mut [F], a: &[F]| {
                isa.run(RowsTimesPack {
                    a,
                    a_stride: stride,
                    rows,
                    b,
                    depth: n,
                    c,
                    c_stride: width,
                    add: false,
                });
            };
            product(&payloads[0], c0, k);
            if !rbf {
                k.iter_mut().for_each(|k| *k = *k * *k * *k);
                product(&payloads[1], c1, k);
            }
        });
    }

    /// Puts the products together.
    fn combine(&self, kernel: SteinKernel, h: f64, dx: &mut [F]) {
        let (n, d) = self.score.dim();
        let width = padded(d + 1);
        let scale = F::of(1.0 / n as f64);
        let (first, second) = self.products.split_at(n * width);
        let rbf = matches!(kernel, SteinKernel::Rbf(_));
        let push = F::of(if rbf { 2.0 / h } else { 1.0 / h });
        for i in 0..n {
            let (a, b) = (&first[i * width..][..d + 1], &second[i * width..][..d + 1]);
            for k in 0..d {
                let x = self.x[i * d + k];
                let sum = if rbf { a[k] + push * x * a[d] } else { a[k] + push * (x * b[d] - b[k]) };
                dx[i * d + k] = scale * sum;
            }
        }
    }
}

/// `x·y` becomes `|x|² + |y|² - 2 x·y`, not negative, and 0 on the diagonal.
struct Squares<'a, F> {
    c: &'a mut [F],
    norms: &'a [F],
    first: usize,
}

impl<F: Real> Kernel for Squares<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        let stride = self.norms.len();
        for (i, row) in self.c.chunks_exact_mut(stride).enumerate() {
            let own = self.norms[self.first + i];
            for (c, &norm) in row.iter_mut().zip(self.norms) {
                let square = A::fma(F::of(-2.0), *c, own + norm);
                *c = if square > F::zero() { square } else { F::zero() };
            }
            row[self.first + i] = F::zero();
        }
    }
}

/// Squared distances become kernel values.
struct Values<'a, F> {
    k: &'a mut [F],
    scale: F,
    rbf: bool,
}

impl<F: Real> Kernel for Values<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        let scale = self.scale;
        if self.rbf {
            for k in self.k.iter_mut() {
                *k = exp_below::<A, F>(-*k * scale);
            }
        } else {
            for k in self.k.iter_mut() {
                *k = F::one() / A::fma(*k, scale, F::one()).sqrt();
            }
        }
    }
}

impl<F: Real, T: Target<F>> VectorField<Array2<F>> for Svgd<T, F> {
    fn eval(&mut self, _t: F, x: &Array2<F>, dx: &mut Array2<F>) {
        // Particles that coincide have no median distance: the driver sees that as divergence.
        if self.field(x, dx).is_err() {
            dx.fill(F::nan());
        }
    }

    fn redraw(&mut self) -> bool {
        self.target.get_mut().redraw()
    }

    fn check(&self, x: &Array2<F>) -> Result<()> {
        check_score(&mut *self.target.borrow_mut(), x)?;
        match self.kernel.bandwidth() {
            Bandwidth::Fixed(h) => {
                Error::setting(h > 0.0 && h.is_finite(), "the bandwidth", h, "it must be positive and finite")
            }
            Bandwidth::Median => {
                let apart = x.nrows() == 1 || x.rows().into_iter().skip(1).any(|r| r != x.row(0));
                let need = "all particles coincide: spread them, or take Bandwidth::Fixed";
                Error::setting(apart && x.nrows() > 2, "the median distance", 0.0, need)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::normal;

    #[test]
    fn the_stored_matrix_and_pairs_on_the_fly_agree() {
        for (n, d) in [(3, 1), (50, 2), (131, 5)] {
            for kernel in [
                SteinKernel::Rbf(Bandwidth::Fixed(0.7)),
                SteinKernel::InverseMultiquadric(Bandwidth::Fixed(1.3)),
                SteinKernel::Rbf(Bandwidth::Median),
            ] {
                let x = normal::<f64>((n, d), 1) + 5.0;
                let score = |x: &Array2<f64>, s: &mut Array2<f64>| s.assign(&x.mapv(|v| (2.0 * v).sin() - v));
                let mut field = Svgd::new(score).kernel(kernel);
                let (mut a, mut b) = (x.clone(), x.clone());
                field.eval(0.0, &x, &mut a);
                field.dense = 0;
                field.eval(0.0, &x, &mut b);
                assert!((&a - &b).iter().all(|e| e.abs() < 1e-11), "{n} {d} {kernel:?}");
            }
        }
    }

    #[test]
    fn a_step_is_the_published_sum() {
        let x = normal::<f64>((20, 2), 3);
        let h = 0.9;
        let mut field = Svgd::new(|x: &Array2<f64>, s: &mut Array2<f64>| s.assign(&(-x)))
            .kernel(SteinKernel::Rbf(Bandwidth::Fixed(h)));
        let mut v = x.clone();
        field.eval(0.0, &x, &mut v);
        for i in 0..20 {
            for k in 0..2 {
                let sum: f64 = (0..20)
                    .map(|j| {
                        let r2: f64 = (0..2).map(|l| (x[[i, l]] - x[[j, l]]).powi(2)).sum();
                        let kernel = (-r2 / h).exp();
                        kernel * (-x[[j, k]] + 2.0 / h * (x[[i, k]] - x[[j, k]]))
                    })
                    .sum();
                assert!((v[[i, k]] - sum / 20.0).abs() < 1e-14);
            }
        }
    }
}
