//! C ← C - A B, where factorisations spend their time.

use std::ops::Range;

use super::scalar::Scalar;
use crate::simd::{Arith, Isa, Kernel};

/// Rows of C in a tile.
const ROWS: usize = 4;
/// Columns of C in a tile: two AVX-512 registers of `f64`.
const COLUMNS: usize = 16;

/// For each row of `m` (row-major, `n` wide): `row[cols] -= Σₖ row[inner][k] · b[k][cols]`, with rows of `b` as wide.
pub(super) fn subtract_product<T: Scalar>(
    m: &mut [T],
    n: usize,
    (inner, cols): (Range<usize>, Range<usize>),
    b: &[T],
) {
    let update = Update { m, n, inner, cols, b };
    if update.m.len() * update.inner.len() < 4096 { update.run::<Plain>() } else { Isa::detect().run(update) }
}

struct Update<'a, T> {
    m: &'a mut [T],
    n: usize,
    inner: Range<usize>,
    cols: Range<usize>,
    b: &'a [T],
}

/// Plain arithmetic: for products so small that a call would cost more than it gains.
#[derive(Clone, Copy)]
struct Plain;

impl Arith for Plain {
    const REGISTERS: usize = 16;
    const BYTES: usize = 16;
    #[inline(always)]
    fn fma<F: crate::Real>(a: F, b: F, c: F) -> F {
        a * b + c
    }
}

impl<T: Scalar> Kernel for Update<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arith>(self) {
        let Update { m, n, inner, cols, b } = self;
        let tiles = cols.len() / COLUMNS * COLUMNS;
        let rows = m.len() / n;
        for first in (cols.start..cols.start + tiles).step_by(COLUMNS) {
            let mut i = 0;
            while i + ROWS <= rows {
                tile::<T, A, ROWS>(&mut m[i * n..], n, (inner.clone(), first), b);
                i += ROWS;
            }
            (i..rows).for_each(|i| tile::<T, A, 1>(&mut m[i * n..], n, (inner.clone(), first), b));
        }
        let rest = cols.start + tiles..cols.end;
        if rest.is_empty() {
            return;
        }
        for row in m.chunks_exact_mut(n) {
            for k in inner.clone() {
                let (factor, source) = (row[k], &b[(k - inner.start) * n..][rest.clone()]);
                row[rest.clone()].iter_mut().zip(source).for_each(|(c, &b)| *c = c.minus::<A>(factor, b));
            }
        }
    }
}

/// `R` rows by [`COLUMNS`] columns from `first`, kept in registers while `inner` runs.
#[inline(always)]
fn tile<T: Scalar, A: Arith, const R: usize>(
    m: &mut [T],
    n: usize,
    (inner, first): (Range<usize>, usize),
    b: &[T],
) {
    let mut c: [[T; COLUMNS]; R] = std::array::from_fn(|r| std::array::from_fn(|j| m[r * n + first + j]));
    for k in inner.clone() {
        let source = &b[(k - inner.start) * n + first..][..COLUMNS];
        for r in 0..R {
            let factor = m[r * n + k];
            for j in 0..COLUMNS {
                c[r][j] = c[r][j].minus::<A>(factor, source[j]);
            }
        }
    }
    (0..R).for_each(|r| m[r * n + first..][..COLUMNS].copy_from_slice(&c[r]));
}
