//! Matrix products with a tile of accumulators held in registers.
//!
//! A tile is `H` rows by `N` groups of 16 numbers, written as a fixed-size array; inside a
//! [`Kernel`] the compiler keeps it in vector registers (24 of AVX-512's 32 for 6 × 4 groups of `f32`),
//! and the inner loop is `H · N` fused multiply-adds on `N` loads and `H` broadcasts.
//! Each element is one sum in the order of the inner index, whatever the tiling.

use super::pack::panels;
use super::{Arith, GROUP, Kernel, Pack, padded};
use crate::Real;

/// One group of numbers.
type Group<F> = [F; GROUP];

/// `C = A B` or `C += A B` with A row-major (`rows × depth`) and B packed.
pub(crate) struct RowsTimesPack<'a, F> {
    /// A; its first `depth` columns are used.
    pub a: &'a [F],
    /// Distance between rows of A.
    pub a_stride: usize,
    /// Rows of A and C.
    pub rows: usize,
    /// B.
    pub b: &'a Pack<F>,
    /// Rows of B used, at most its depth.
    pub depth: usize,
    /// C, all groups of B's columns wide.
    pub c: &'a mut [F],
    /// Distance between rows of C.
    pub c_stride: usize,
    /// Whether to add to C.
    pub add: bool,
}

impl<F: Real> Kernel for RowsTimesPack<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(mut self) {
        let b = self.b;
        for (group, groups, panel) in b.panels() {
            match groups {
                4 if wide::<A, F>() >= 4 => self.panel::<A, 4, GROUP>(group, panel),
                2 if wide::<A, F>() >= 2 => self.panel::<A, 2, GROUP>(group, panel),
                _ if is_narrow(b.width(), group) => self.panel::<A, 1, NARROW>(group, panel),
                _ => self.panel::<A, 1, GROUP>(group, panel),
            }
        }
    }
}

impl<F: Real> RowsTimesPack<'_, F> {
    #[inline(always)]
    fn panel<A: Arith, const N: usize, const L: usize>(&mut self, group: usize, panel: &[F]) {
        let b = &panel.as_chunks::<GROUP>().0.as_chunks::<N>().0[..self.depth];
        let mut row = 0;
        while row < self.rows {
            row += match next_height::<A, F, L>(self.rows - row) {
                12 => self.tile::<A, N, L, 12>(row, group, b),
                6 => self.tile::<A, N, L, 6>(row, group, b),
                4 => self.tile::<A, N, L, 4>(row, group, b),
                3 => self.tile::<A, N, L, 3>(row, group, b),
                2 => self.tile::<A, N, L, 2>(row, group, b),
                _ => self.tile::<A, N, L, 1>(row, group, b),
            };
        }
    }

    #[inline(always)]
    fn tile<A: Arith, const N: usize, const L: usize, const H: usize>(
        &mut self,
        row: usize,
        group: usize,
        b: &[[Group<F>; N]],
    ) -> usize {
        let a: [&[F]; H] = std::array::from_fn(|i| &self.a[(row + i) * self.a_stride..][..b.len()]);
        let mut sum = [[[F::zero(); L]; N]; H];
        for p in 0..b.len() {
            let b = &b[p];
            for i in 0..H {
                multiply_add::<A, F, N, L>(a[i][p], b, &mut sum[i]);
            }
        }
        let c = &mut self.c[row * self.c_stride + group * GROUP..];
        store(&sum, c, self.c_stride, self.add);
        H
    }
}

/// `C = Aᵀ B` or `C += Aᵀ B` with A (`rows × height`) and B (`rows × width`) row-major: a sum over rows.
pub(crate) struct TransposeTimesRows<'a, F> {
    /// A; its first `height` columns are used.
    pub a: &'a [F],
    /// Distance between rows of A.
    pub a_stride: usize,
    /// Rows of C.
    pub height: usize,
    /// B, all groups wide.
    pub b: &'a [F],
    /// Distance between rows of B.
    pub b_stride: usize,
    /// Columns of B; C is this, padded to groups, wide and dense.
    pub width: usize,
    /// Rows of A and B.
    pub rows: usize,
    /// C.
    pub c: &'a mut [F],
    /// Whether to add to C.
    pub add: bool,
}

impl<F: Real> Kernel for TransposeTimesRows<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(mut self) {
        for (group, groups) in panels(padded(self.width) / GROUP, wide::<A, F>()) {
            match groups {
                4 if wide::<A, F>() >= 4 => self.panel::<A, 4>(group),
                2 if wide::<A, F>() >= 2 => self.panel::<A, 2>(group),
                _ => self.panel::<A, 1>(group),
            }
        }
    }
}

impl<F: Real> TransposeTimesRows<'_, F> {
    #[inline(always)]
    fn panel<A: Arith, const N: usize>(&mut self, group: usize) {
        let mut i = 0;
        while i < self.height {
            i += match next_height::<A, F, GROUP>(self.height - i) {
                6 => self.tile::<A, N, 6>(i, group),
                4 => self.tile::<A, N, 4>(i, group),
                3 => self.tile::<A, N, 3>(i, group),
                2 => self.tile::<A, N, 2>(i, group),
                _ => self.tile::<A, N, 1>(i, group),
            };
        }
    }

    #[inline(always)]
    fn tile<A: Arith, const N: usize, const H: usize>(&mut self, first: usize, group: usize) -> usize {
        let mut sum = [[[F::zero(); GROUP]; N]; H];
        let rows = self.a.chunks_exact(self.a_stride).zip(self.b.chunks_exact(self.b_stride)).take(self.rows);
        for (a, b) in rows {
            let a = &a[first..first + H];
            let b = &b[group * GROUP..(group + N) * GROUP];
            let (b, _) = b.as_chunks::<GROUP>().0.as_chunks::<N>();
            for i in 0..H {
                multiply_add::<A, F, N, GROUP>(a[i], &b[0], &mut sum[i]);
            }
        }
        let stride = padded(self.width);
        store(&sum, &mut self.c[first * stride + group * GROUP..], stride, self.add);
        H
    }
}

/// `sum += a b` on the first `L` lanes of each group, one row of a tile.
#[inline(always)]
fn multiply_add<A: Arith, F: Real, const N: usize, const L: usize>(
    a: F,
    b: &[Group<F>; N],
    sum: &mut [[F; L]; N],
) {
    for n in 0..N {
        for l in 0..L {
            sum[n][l] = A::fma(a, b[n][l], sum[n][l]);
        }
    }
}

/// Writes or adds a tile to C; lanes beyond `L` become zero.
#[inline(always)]
fn store<F: Real, const N: usize, const L: usize, const H: usize>(
    sum: &[[[F; L]; N]; H],
    c: &mut [F],
    stride: usize,
    add: bool,
) {
    for i in 0..H {
        let (c, sum) = (&mut c[i * stride..][..N * GROUP], &sum[i]);
        let c = c.as_chunks_mut::<GROUP>().0;
        for n in 0..N {
            for l in 0..L {
                c[n][l] = if add { c[n][l] + sum[n][l] } else { sum[n][l] };
            }
            c[n][L..].fill(F::zero());
        }
    }
}

/// Lanes computed of a last group that is at most half full: a network's few outputs. (In the transposed
/// product, which is as high as the layer's inputs, the same was not faster.)
const NARROW: usize = GROUP / 2;

/// Whether the group starting at column `16 group` is at most half full.
#[inline(always)]
fn is_narrow(width: usize, group: usize) -> bool {
    width <= group * GROUP + NARROW
}

/// Groups in the widest tile.
#[inline(always)]
const fn wide<A: Arith, F>() -> usize {
    if A::BYTES == 64 { 16 / size_of::<F>() } else { 1 }
}

/// Rows of the next tile when `left` rows are left.
///
/// In the widest panel three quarters of the registers accumulate; in a narrow one there are enough
/// rows to hide the latency of a fused multiply-add.
#[inline(always)]
fn next_height<A: Arith, F, const L: usize>(left: usize) -> usize {
    let groups = if L == GROUP { wide::<A, F>() } else { 1 };
    let most = A::REGISTERS * 3 / 4 * A::BYTES / (groups * L * size_of::<F>());
    let most = if L == GROUP && most > 6 { 6 } else { most };
    match left.min(most) {
        12.. => 12,
        6.. => 6,
        4.. => 4,
        left => left,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Isa;
    use super::*;

    fn numbers<F: Real>(n: usize, seed: usize) -> Vec<F> {
        (0..n).map(|i| F::of(((i * 7 + seed * 13) as f64 * 0.37).sin())).collect()
    }

    fn near<F: Real>(got: F, want: f64, what: &str) {
        assert!((got.f64() - want).abs() < 100.0 * F::EPS.f64(), "{what}: {got} against {want}");
    }

    /// Both products against their definition, for every instruction set, added and not.
    fn check<F: Real>(m: usize, k: usize, n: usize, add: bool) {
        let (a_stride, wide) = (k + 3, padded(n));
        let (a, b, b_rows) =
            (numbers::<F>(m * a_stride, 1), numbers::<F>(k * n, 2), numbers::<F>(m * wide, 3));
        for &isa in Isa::available() {
            let what = format!("{m} x {k} x {n} by {isa:?}");
            let mut pack = Pack::new(k, n, isa);
            pack.fill(&b);
            let mut c = vec![F::one(); m * wide];
            let product = RowsTimesPack {
                a: &a,
                a_stride,
                rows: m,
                b: &pack,
                depth: k,
                c: &mut c,
                c_stride: wide,
                add,
            };
            isa.run(product);
            let start = if add { 1.0 } else { 0.0 };
            for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                let sum: f64 = (0..k).map(|p| a[i * a_stride + p].f64() * b[p * n + j].f64()).sum();
                near(c[i * wide + j], start + sum, &what);
            }
            let mut c = vec![F::one(); k * wide];
            let b = &b_rows;
            isa.run(TransposeTimesRows {
                a: &a,
                a_stride,
                height: k,
                b,
                b_stride: wide,
                width: n,
                rows: m,
                c: &mut c,
                add,
            });
            for (i, j) in (0..k).flat_map(|i| (0..n).map(move |j| (i, j))) {
                let sum: f64 = (0..m).map(|p| a[p * a_stride + i].f64() * b[p * wide + j].f64()).sum();
                near(c[i * wide + j], start + sum, &what);
            }
        }
    }

    #[test]
    fn products_are_their_definition() {
        for (m, k, n) in [(1, 1, 1), (7, 5, 16), (11, 3, 33), (6, 13, 64), (5, 9, 127), (12, 30, 130)] {
            for add in [false, true] {
                check::<f32>(m, k, n, add);
                check::<f64>(m, k, n, add);
            }
        }
    }
}
