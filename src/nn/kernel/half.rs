//! Matrix products of bf16 numbers with f32 sums, on CPUs with AVX-512 BF16.
//!
//! The operands come as `f32` and are rounded to the nearest bf16 (to even) on the way in; `dpbf16` multiplies pairs and adds
//! them to a sum in f32. Two neighbours along the inner index share a 32-bit lane. What is zero or subnormal in f32 is flushed to zero.
//! The same product of rounded operands by the `f32` kernels is the reference that tests compare with.

use std::cell::RefCell;

use super::pack::panels;
use super::{GROUP, padded};

/// Whether this machine has the instructions.
pub(crate) fn available() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bf16")
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// `x` rounded to the nearest bf16, ties to even, NaN kept.
#[inline(always)]
pub(crate) fn bf16_bits(x: f32) -> u16 {
    let bits = x.to_bits();
    if x.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    (bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

#[inline(always)]
fn pair(low: f32, high: f32) -> u32 {
    u32::from(bf16_bits(low)) | u32::from(bf16_bits(high)) << 16
}

/// A `depth × width` matrix in bf16: pairs of rows in panels of one to four groups of columns.
#[derive(Debug)]
pub(crate) struct PairPack {
    data: Vec<u32>,
    depth: usize,
    width: usize,
}

/// Groups in the widest panel.
const WIDEST: usize = 4;

impl PairPack {
    /// Room for a matrix, zero.
    pub(crate) fn new(depth: usize, width: usize) -> Self {
        PairPack { data: vec![0; depth.div_ceil(2) * padded(width)], depth, width }
    }

    fn pairs(&self) -> usize {
        self.depth.div_ceil(2)
    }

    /// The panels: first group, groups, numbers.
    fn panels(&self) -> impl Iterator<Item = (usize, usize, &[u32])> {
        let pairs = self.pairs();
        panels(padded(self.width) / GROUP, WIDEST)
            .map(move |(g, n)| (g, n, &self.data[pairs * g * GROUP..pairs * (g + n) * GROUP]))
    }

    /// Fills from a row-major `depth × width` matrix.
    pub(crate) fn fill(&mut self, source: &[f32]) {
        let (depth, width, pairs) = (self.depth, self.width, self.pairs());
        for (group, groups) in panels(padded(width) / GROUP, WIDEST) {
            let panel = &mut self.data[pairs * group * GROUP..pairs * (group + groups) * GROUP];
            let columns = group * GROUP..((group + groups) * GROUP).min(width);
            for (p, to) in panel.chunks_exact_mut(groups * GROUP).enumerate() {
                let low = &source[2 * p * width..][columns.clone()];
                if 2 * p + 1 < depth {
                    let high = &source[(2 * p + 1) * width..][columns.clone()];
                    to.iter_mut().zip(low.iter().zip(high)).for_each(|(to, (&l, &h))| *to = pair(l, h));
                } else {
                    to.iter_mut().zip(low).for_each(|(to, &l)| *to = pair(l, 0.0));
                }
            }
        }
    }

    /// Fills with the transpose of a row-major `width × depth` matrix.
    pub(crate) fn fill_transposed(&mut self, source: &[f32]) {
        let (depth, width, pairs) = (self.depth, self.width, self.pairs());
        for (group, groups) in panels(padded(width) / GROUP, WIDEST) {
            let panel = &mut self.data[pairs * group * GROUP..pairs * (group + groups) * GROUP];
            for (column, row) in
                source.chunks_exact(depth).skip(group * GROUP).take(groups * GROUP).enumerate()
            {
                for (p, two) in row.chunks(2).enumerate() {
                    panel[p * groups * GROUP + column] = pair(two[0], two.get(1).copied().unwrap_or(0.0));
                }
            }
        }
    }
}

thread_local! {
    /// Operands in bf16; grows to the largest product of the thread and stays.
    static OPERANDS: RefCell<[Vec<u32>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
}

/// `c = a b` with a row-major (`rows` rows, `stride` apart, an even number) and b packed. [`available`] must hold.
pub(crate) fn rows_times_pairs(
    a: &[f32],
    stride: usize,
    rows: usize,
    b: &PairPack,
    c: &mut [f32],
    c_stride: usize,
) {
    OPERANDS.with_borrow_mut(|[left, _]| {
        let pairs = stride / 2;
        left.resize(left.len().max(rows * pairs), 0);
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller saw `available`.
        unsafe {
            x86::round(&a[..rows * stride], &mut left[..rows * pairs]);
            x86::rows_times(&left[..rows * pairs], pairs, rows, b, c, c_stride);
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (a, b, c, c_stride);
    });
}

/// `c = aᵀ b` or `c += aᵀ b`, sums over rows; a has `height` columns used, b `width`. [`available`] must hold.
pub(crate) fn transpose_times_rows(
    (a, a_stride, height): (&[f32], usize, usize),
    (b, b_stride, width): (&[f32], usize, usize),
    rows: usize,
    c: &mut [f32],
    add: bool,
) {
    OPERANDS.with_borrow_mut(|[left, right]| {
        let pairs = rows.div_ceil(2);
        left.resize(left.len().max(pairs * a_stride), 0);
        right.resize(right.len().max(pairs * b_stride), 0);
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller saw `available`.
        unsafe {
            x86::interleave(&a[..rows * a_stride], a_stride, &mut left[..pairs * a_stride]);
            x86::interleave(&b[..rows * b_stride], b_stride, &mut right[..pairs * b_stride]);
            let (left, right) = (&left[..pairs * a_stride], &right[..pairs * b_stride]);
            x86::transpose_times((left, a_stride, height), (right, b_stride, width), c, add);
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (a, height, b, width, c, add);
    });
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{GROUP, PairPack, WIDEST, panels};
    use crate::nn::kernel::padded;

    type Lane = [u32; GROUP];

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load(from: &Lane) -> __m512i {
        // SAFETY: sixteen numbers are 64 bytes; the load takes any alignment.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load_f32(from: &[f32; GROUP]) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn store_f32(to: &mut [f32; GROUP], v: __m512) {
        // SAFETY: as above, for a store.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), v) }
    }

    /// sum += a b, pair by pair.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn dot(sum: __m512, a: __m512i, b: __m512i) -> __m512 {
        // SAFETY: both types are 64 bytes without invalid values.
        unsafe {
            _mm512_dpbf16_ps(
                sum,
                std::mem::transmute::<__m512i, __m512bh>(a),
                std::mem::transmute::<__m512i, __m512bh>(b),
            )
        }
    }

    /// Sixteen numbers as bf16 in the low halves of sixteen lanes.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    fn halves(x: __m512) -> __m512i {
        // SAFETY: both types are 32 bytes without invalid values.
        let packed = unsafe { std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(x)) };
        _mm512_cvtepu16_epi32(packed)
    }

    /// Neighbours in a row become pairs.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub(super) fn round(from: &[f32], to: &mut [u32]) {
        for (from, to) in from.as_chunks::<32>().0.iter().zip(to.as_chunks_mut::<16>().0) {
            let (low, high) = from.split_at(16);
            if let (Some(low), Some(high)) = (low.first_chunk(), high.first_chunk()) {
                // SAFETY: both types are 64 bytes; the store takes any alignment and writes sixteen lanes.
                unsafe {
                    let both = _mm512_cvtne2ps_pbh(load_f32(high), load_f32(low));
                    _mm512_storeu_si512(
                        to.as_mut_ptr().cast(),
                        std::mem::transmute::<__m512bh, __m512i>(both),
                    );
                }
            }
        }
        let done = from.len() / 32 * 32;
        for (from, to) in from[done..].chunks_exact(2).zip(&mut to[done / 2..]) {
            *to = super::pair(from[0], from[1]);
        }
    }

    /// Neighbours in a column become pairs: row p of `to` holds rows 2p and 2p + 1 of `from`.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub(super) fn interleave(from: &[f32], stride: usize, to: &mut [u32]) {
        let zero = _mm512_setzero_si512();
        for (two, to) in from.chunks(2 * stride).zip(to.chunks_exact_mut(stride)) {
            let (low, high) = two.split_at(stride);
            let (low, high) = (low.as_chunks::<GROUP>().0, high.as_chunks::<GROUP>().0);
            for (g, to) in to.as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
                let upper = high.get(g).map_or(zero, |h| _mm512_slli_epi32::<16>(halves(load_f32(h))));
                let both = _mm512_or_si512(halves(load_f32(&low[g])), upper);
                // SAFETY: sixteen lanes of 32 bits; the store takes any alignment.
                unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), both) };
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub(super) fn rows_times(
        a: &[u32],
        stride: usize,
        rows: usize,
        b: &PairPack,
        c: &mut [f32],
        c_stride: usize,
    ) {
        for (group, groups, panel) in b.panels() {
            let mut row = 0;
            while row < rows {
                let (a, c) = (&a[row * stride..], &mut c[row * c_stride + group * GROUP..]);
                row += match (groups, rows - row) {
                    (4, 6..) => tile::<4, 6>(a, stride, panel, c, c_stride),
                    (4, _) => tile::<4, 1>(a, stride, panel, c, c_stride),
                    (2, 6..) => tile::<2, 6>(a, stride, panel, c, c_stride),
                    (2, _) => tile::<2, 1>(a, stride, panel, c, c_stride),
                    (_, 6..) => tile::<1, 6>(a, stride, panel, c, c_stride),
                    _ => tile::<1, 1>(a, stride, panel, c, c_stride),
                };
            }
        }
    }

    /// H rows by N groups of c.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    fn tile<const N: usize, const H: usize>(
        a: &[u32],
        stride: usize,
        panel: &[u32],
        c: &mut [f32],
        c_stride: usize,
    ) -> usize {
        let b = panel.as_chunks::<GROUP>().0.as_chunks::<N>().0;
        let a: [&[u32]; H] = std::array::from_fn(|i| &a[i * stride..][..b.len()]);
        let mut sum = [[_mm512_setzero_ps(); N]; H];
        for (p, b) in b.iter().enumerate() {
            let b: [__m512i; N] = b.map(|b| load(&b));
            for i in 0..H {
                let left = _mm512_set1_epi32(a[i][p] as i32);
                for n in 0..N {
                    sum[i][n] = dot(sum[i][n], left, b[n]);
                }
            }
        }
        for (i, sum) in sum.iter().enumerate() {
            let c = c[i * c_stride..][..N * GROUP].as_chunks_mut::<GROUP>().0;
            c.iter_mut().zip(sum).for_each(|(c, &sum)| store_f32(c, sum));
        }
        H
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub(super) fn transpose_times(
        (a, a_stride, height): (&[u32], usize, usize),
        (b, b_stride, width): (&[u32], usize, usize),
        c: &mut [f32],
        add: bool,
    ) {
        let c_stride = padded(width);
        for (group, groups) in panels(padded(width) / GROUP, WIDEST) {
            let mut row = 0;
            while row < height {
                let (a, b) = ((&a[row..], a_stride), (&b[group * GROUP..], b_stride));
                let c = &mut c[row * c_stride + group * GROUP..];
                row += match (groups, height - row) {
                    (4, 6..) => transposed_tile::<4, 6>(a, b, c, c_stride, add),
                    (4, _) => transposed_tile::<4, 1>(a, b, c, c_stride, add),
                    (2, 6..) => transposed_tile::<2, 6>(a, b, c, c_stride, add),
                    (2, _) => transposed_tile::<2, 1>(a, b, c, c_stride, add),
                    (_, 6..) => transposed_tile::<1, 6>(a, b, c, c_stride, add),
                    _ => transposed_tile::<1, 1>(a, b, c, c_stride, add),
                };
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    fn transposed_tile<const N: usize, const H: usize>(
        (a, a_stride): (&[u32], usize),
        (b, b_stride): (&[u32], usize),
        c: &mut [f32],
        c_stride: usize,
        add: bool,
    ) -> usize {
        let mut sum = [[_mm512_setzero_ps(); N]; H];
        for (a, b) in a.chunks(a_stride).zip(b.chunks(b_stride)) {
            let (Some(a), Some(b)) = (a.first_chunk::<H>(), b.as_chunks::<GROUP>().0.first_chunk::<N>())
            else {
                break;
            };
            let b: [__m512i; N] = b.map(|b| load(&b));
            for i in 0..H {
                let left = _mm512_set1_epi32(a[i] as i32);
                for n in 0..N {
                    sum[i][n] = dot(sum[i][n], left, b[n]);
                }
            }
        }
        for (i, sum) in sum.iter().enumerate() {
            let c = c[i * c_stride..][..N * GROUP].as_chunks_mut::<GROUP>().0;
            for (c, &sum) in c.iter_mut().zip(sum) {
                let sum = if add { _mm512_add_ps(load_f32(c), sum) } else { sum };
                store_f32(c, sum);
            }
        }
        H
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, seed: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7 + seed * 13) as f32 * 0.37).sin()).collect()
    }

    fn rounded(x: f32) -> f64 {
        f64::from(f32::from_bits(u32::from(bf16_bits(x)) << 16))
    }

    #[test]
    fn rounding_is_to_the_nearest_even() {
        for (x, bits) in
            [(1.0, 0x3f80), (-2.0, 0xc000), (1.0 + 1.0 / 256.0, 0x3f80), (1.0 + 3.0 / 256.0, 0x3f82)]
        {
            assert_eq!(bf16_bits(x), bits, "{x}");
        }
        assert_eq!(bf16_bits(f32::INFINITY), 0x7f80);
        assert!(f32::from_bits(u32::from(bf16_bits(f32::NAN)) << 16).is_nan());
        assert_eq!(bf16_bits(f32::MAX), 0x7f80);
    }

    #[test]
    fn products_are_those_of_rounded_operands() {
        if !available() {
            return;
        }
        for (m, k, n) in [(1, 1, 1), (7, 5, 16), (11, 3, 33), (6, 13, 64), (5, 10, 127), (13, 30, 130)] {
            let (stride, wide) = (padded(k + 1), padded(n));
            let (a, b, g) = (numbers(m * stride, 1), numbers(k * n, 2), numbers(m * wide, 3));
            let mut pack = PairPack::new(k, n);
            let mut c = vec![0.0; m * wide];
            let transposed: Vec<f32> = (0..k * n).map(|i| b[i % k * n + i / k]).collect();
            for fill in [false, true] {
                if fill {
                    pack.fill_transposed(&transposed)
                } else {
                    pack.fill(&b)
                }
                rows_times_pairs(&a, stride, m, &pack, &mut c, wide);
                for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                    let sum: f64 = (0..k).map(|p| rounded(a[i * stride + p]) * rounded(b[p * n + j])).sum();
                    assert!((f64::from(c[i * wide + j]) - sum).abs() < 1e-5, "{m} x {k} x {n}");
                }
            }
            let mut c = vec![1.0; k * wide];
            for add in [false, true] {
                transpose_times_rows((&a, stride, k), (&g, wide, n), m, &mut c, add);
            }
            for (i, j) in (0..k).flat_map(|i| (0..n).map(move |j| (i, j))) {
                let sum: f64 = (0..m).map(|p| rounded(a[p * stride + i]) * rounded(g[p * wide + j])).sum();
                assert!((f64::from(c[i * wide + j]) - 2.0 * sum).abs() < 1e-5, "{m} x {k} x {n} transposed");
            }
        }
    }
}
