//! The kernel matrix of a cloud, and what it is multiplied with.

use ndarray::Array2;
use rayon::prelude::*;

use super::median::ranked;
use super::svgd::SteinKernel;
use crate::nn::kernel::{Pack, RowsTimesPack, padded};
use crate::simd::{Arith, Buffer, Isa, Kernel, exp_below};
use crate::{Real, State};

/// Rows that a thread takes at a time.
const BLOCK: usize = 48;

/// Workspace for clouds of one size; a step costs no allocation.
#[derive(Debug)]
pub(super) struct KernelMatrix<F: Real> {
    pub(super) score: Array2<F>,
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

impl<F: Real> KernelMatrix<F> {
    pub(super) fn new(n: usize, d: usize) -> Self {
        let isa = Isa::detect();
        let zeros = |n| vec![F::zero(); n];
        KernelMatrix {
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

impl<F: Real> KernelMatrix<F> {
    /// Fills the matrix with squared distances, by a product of centred positions.
    pub(super) fn distances(&mut self, x: &Array2<F>) {
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
    pub(super) fn median(&mut self) -> f64 {
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
    pub(super) fn multiply(&mut self, kernel: SteinKernel, h: f64) {
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
    pub(super) fn combine(&self, kernel: SteinKernel, h: f64, dx: &mut [F]) {
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
