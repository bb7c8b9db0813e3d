//! Dense LU factorisation with partial pivoting, in place and without allocation after the first.

use super::scalar::Scalar;
use super::update::subtract_product;

/// P A = L U of a row-major n × n matrix.
#[derive(Debug, Clone)]
pub(crate) struct Lu<T> {
    /// L below the diagonal (its unit diagonal not stored), U above; the diagonal holds the inverses of U's.
    factors: Vec<T>,
    /// Up to [`SMALL`], which row of A became row k; beyond, which row was exchanged with row k, one after the other.
    pivots: Vec<u32>,
}

/// Sizes up to this are unrolled.
const SMALL: usize = 8;
/// Columns that are eliminated before the rest of the matrix hears of it.
const PANEL: usize = 32;

impl<T> Default for Lu<T> {
    fn default() -> Self {
        Lu { factors: Vec::new(), pivots: Vec::new() }
    }
}

/// Calls a function for a size known at compile time.
macro_rules! unrolled {
    ($n:expr, $function:ident($($argument:expr),*), $otherwise:expr) => {
        match $n {
            1 => $function::<T, 1>($($argument),*),
            2 => $function::<T, 2>($($argument),*),
            3 => $function::<T, 3>($($argument),*),
            4 => $function::<T, 4>($($argument),*),
            5 => $function::<T, 5>($($argument),*),
            6 => $function::<T, 6>($($argument),*),
            7 => $function::<T, 7>($($argument),*),
            8 => $function::<T, 8>($($argument),*),
            _ => $otherwise,
        }
    };
}

impl<T: Scalar> Lu<T> {
    /// Makes room for an n × n matrix.
    pub(crate) fn resize(&mut self, n: usize) {
        self.factors.resize(n * n, T::NIL);
        self.pivots.resize(n, 0);
    }

    /// The matrix to be factorised, to be written before [`factor`](Self::factor).
    #[inline(always)]
    pub(crate) fn matrix(&mut self) -> &mut [T] {
        &mut self.factors
    }

    /// Factorises the matrix that was written; false if it is singular to round-off or not finite.
    #[inline(always)]
    pub(crate) fn factor(&mut self, n: usize) -> bool {
        let (m, pivots) = (&mut self.factors[..n * n], &mut self.pivots[..n]);
        unrolled!(n, factor_small(m, pivots), factor_large(m, n, pivots))
    }

    /// Overwrites `b` with the solution.
    #[inline(always)]
    pub(crate) fn solve(&self, n: usize, b: &mut [T]) {
        let (m, pivots, b) = (&self.factors[..n * n], &self.pivots[..n], &mut b[..n]);
        unrolled!(n, solve_small(m, pivots, b), solve_large(m, pivots, b));
    }
}

const _: () = assert!(SMALL == 8);

#[inline(always)]
fn factor_small<T: Scalar, const N: usize>(matrix: &mut [T], pivots: &mut [u32]) -> bool {
    let mut m: [[T; N]; N] = std::array::from_fn(|i| std::array::from_fn(|j| matrix[i * N + j]));
    let mut order: [u32; N] = std::array::from_fn(|k| k as u32);
    for k in 0..N {
        let pivot = (k + 1..N).fold(k, |p, i| if m[i][k].size() > m[p][k].size() { i } else { p });
        let inverse = m[pivot][k].inverse();
        if !is_finite(inverse) {
            return false;
        }
        m.swap(k, pivot);
        order.swap(k, pivot);
        m[k][k] = inverse;
        for i in k + 1..N {
            let factor = m[i][k] * inverse;
            m[i][k] = factor;
            let row = m[k];
            m[i].iter_mut().zip(row).skip(k + 1).for_each(|(m, u)| *m -= factor * u);
        }
    }
    matrix.as_chunks_mut::<N>().0.copy_from_slice(&m);
    pivots.copy_from_slice(&order);
    true
}

#[inline(always)]
fn solve_small<T: Scalar, const N: usize>(matrix: &[T], order: &[u32], b: &mut [T]) {
    let rows = &matrix.as_chunks::<N>().0[..N];
    let mut x: [T; N] = std::array::from_fn(|k| b[order[k] as usize]);
    for j in 0..N {
        for i in j + 1..N {
            x[i] -= rows[i][j] * x[j];
        }
    }
    for j in (0..N).rev() {
        x[j] = x[j] * rows[j][j];
        for i in 0..j {
            x[i] -= rows[i][j] * x[j];
        }
    }
    b.copy_from_slice(&x);
}

#[inline(never)]
fn factor_large<T: Scalar>(m: &mut [T], n: usize, pivots: &mut [u32]) -> bool {
    eliminate(m, n, n, pivots)
}

/// Eliminates the first `count` rows and columns of a row-major n × n matrix, pivots chosen among these rows: what is left of
/// the others is their Schur complement. False if a pivot is zero to round-off or not finite.
pub(super) fn eliminate<T: Scalar>(m: &mut [T], n: usize, count: usize, pivots: &mut [u32]) -> bool {
    let mut k = 0;
    while k < count {
        let end = (k + PANEL).min(count);
        for j in k..end {
            if !eliminate_column(m, n, (j, end, count), pivots) {
                return false;
            }
        }
        if end < n {
            solve_right(m, n, (k, end));
            let (upper, lower) = m.split_at_mut(end * n);
            subtract_product(lower, n, (k..end, end..n), &upper[k * n..]);
        }
        k = end;
    }
    true
}

/// One column of a panel that ends at `end`; the rows below it up to `count` may become its pivot.
#[inline(always)]
fn eliminate_column<T: Scalar>(
    m: &mut [T],
    n: usize,
    (j, end, count): (usize, usize, usize),
    pivots: &mut [u32],
) -> bool {
    let mut pivot = (j, m[j * n + j].size());
    for i in j + 1..count {
        let size = m[i * n + j].size();
        if size > pivot.1 {
            pivot = (i, size);
        }
    }
    let pivot = pivot.0;
    let inverse = m[pivot * n + j].inverse();
    if !is_finite(inverse) {
        return false;
    }
    pivots[j] = pivot as u32;
    let (above, below) = m.split_at_mut((j + 1) * n);
    let row = &mut above[j * n..];
    if pivot != j {
        row.swap_with_slice(&mut below[(pivot - j - 1) * n..][..n]);
    }
    row[j] = inverse;
    let row = &row[j + 1..end];
    for other in below.chunks_exact_mut(n) {
        let factor = other[j] * inverse;
        other[j] = factor;
        if factor != T::NIL {
            other[j + 1..end].iter_mut().zip(row).for_each(|(o, &u)| *o -= factor * u);
        }
    }
    true
}

/// Columns right of a panel: `U₁₂ = L₁₁⁻¹ A₁₂`.
#[inline(always)]
fn solve_right<T: Scalar>(m: &mut [T], n: usize, (k, end): (usize, usize)) {
    for i in k + 1..end {
        let (above, row) = m.split_at_mut(i * n);
        let (left, right) = row[..n].split_at_mut(end);
        for j in k..i {
            let (factor, source) = (left[j], &above[j * n + end..(j + 1) * n]);
            if factor != T::NIL {
                right.iter_mut().zip(source).for_each(|(o, &u)| *o -= factor * u);
            }
        }
    }
}

#[inline(never)]
fn solve_large<T: Scalar>(m: &[T], pivots: &[u32], b: &mut [T]) {
    let n = b.len();
    // The rows of L are stored in their final order: all exchanges first.
    pivots.iter().enumerate().for_each(|(k, &p)| b.swap(k, p as usize));
    for i in 1..n {
        b[i] -= dot(&m[i * n..][..i], &b[..i]);
    }
    for i in (0..n).rev() {
        let row = &m[i * n..][..n];
        b[i] = (b[i] - dot(&row[i + 1..], &b[i + 1..])) * row[i];
    }
}

/// `Σ aᵢ bᵢ` in eight partial sums, so that the loop can run in vector registers.
#[inline(always)]
pub(super) fn dot<T: Scalar>(a: &[T], b: &[T]) -> T {
    let mut sums = [T::NIL; 8];
    let (a, b) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.0.iter().zip(b.0) {
        (0..8).for_each(|k| sums[k] += a[k] * b[k]);
    }
    let mut sum = T::NIL;
    a.1.iter().zip(b.1).for_each(|(&a, &b)| sum += a * b);
    sums.iter().for_each(|&s| sum += s);
    sum
}

#[inline(always)]
pub(super) fn is_finite<T: Scalar>(x: T) -> bool {
    use num_traits::Float as _;
    x.size().is_finite()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::Complex;
    use crate::rng::Rng;

    /// Largest component of `A x - b` over that of `|A| |x|` after solving with a random matrix.
    fn residual<T: Scalar<Real = f64>>(n: usize, mut entry: impl FnMut() -> T) -> f64 {
        let a: Vec<T> = (0..n * n).map(|_| entry()).collect();
        let b: Vec<T> = (0..n).map(|_| entry()).collect();
        let mut lu = Lu::default();
        lu.resize(n);
        lu.matrix().copy_from_slice(&a);
        assert!(lu.factor(n));
        let mut x = b.clone();
        lu.solve(n, &mut x);
        let worst = |i: usize| {
            let row = &a[i * n..][..n];
            let scale: f64 = row.iter().zip(&x).map(|(a, x)| a.size() * x.size()).sum();
            (dot(row, &x) - b[i]).size() / scale
        };
        (0..n).map(worst).fold(0.0, f64::max)
    }

    #[test]
    fn solves_random_systems_of_many_sizes() {
        let mut rng = Rng::new(0, 0);
        for n in [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 31, 32, 33, 64, 65, 130, 200] {
            let real = residual(n, || rng.normal::<f64>());
            let complex = residual(n, || Complex::new(rng.normal::<f64>(), rng.normal()));
            assert!(real < 1e-13 && complex < 1e-13, "n = {n}: {real:e} {complex:e}");
        }
    }

    #[test]
    fn duals_pass_through() {
        // d(1/a)/da = -1/a².
        let mut lu = Lu::default();
        lu.resize(2);
        let a = crate::Dual::variable(4.0_f64);
        let nil = crate::Dual::constant(0.0);
        lu.matrix().copy_from_slice(&[nil, a, a, nil]);
        assert!(lu.factor(2));
        let mut b = [crate::Dual::constant(1.0), nil];
        lu.solve(2, &mut b);
        assert_eq!((b[1].value, b[1].partials[0]), (0.25, -0.0625));
    }

    #[test]
    fn a_nearly_singular_matrix_leaves_a_small_residual() {
        // Hilbert's matrix of order 12: condition 1.7e16.
        let n = 12;
        let mut lu = Lu::default();
        lu.resize(n);
        let a: Vec<f64> = (0..n * n).map(|k| 1.0 / (k / n + k % n + 1) as f64).collect();
        lu.matrix().copy_from_slice(&a);
        assert!(lu.factor(n));
        let mut x = vec![1.0; n];
        lu.solve(n, &mut x);
        for i in 0..n {
            let scale: f64 = (0..n).map(|j| (a[i * n + j] * x[j]).abs()).sum();
            assert!((dot(&a[i * n..][..n], &x) - 1.0).abs() < 1e-14 * scale);
        }
    }

    #[test]
    fn a_singular_or_nan_matrix_is_refused() {
        let refused = |a: &[f64]| {
            let n = a.len().isqrt();
            let mut lu = Lu::default();
            lu.resize(n);
            lu.matrix().copy_from_slice(a);
            !lu.factor(n)
        };
        assert!(refused(&[-1.0, -2.0, -2.0, -4.0]));
        assert!(refused(&[f64::NAN, 0.0, 0.0, 1.0]));
        assert!(!refused(&[0.0, 1.0, 1.0, 0.0]));
        assert!(refused(&[1.0; 100]) && refused(&[f64::NAN; 100]));
    }
}
