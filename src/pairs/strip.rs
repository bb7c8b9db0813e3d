//! Loops over a strip: a few sources against a few hundred targets, all in the first-level cache.
//!
//! Everything is inlined into a [`Kernel`](crate::simd::Kernel) and vectorised there for its instruction set: what
//! is done number by number runs over whole columns of the strip, what is summed keeps a fixed-size array of
//! partial sums, which the compiler turns into registers.

use super::kernel::Profile;
use crate::Real;
use crate::simd::{Arith, exp_below};

/// Most targets in a strip.
pub(super) const STRIP: usize = 1024;
/// Sources at a time: enough independent sums to hide the latency of one, few enough to stay in registers.
pub(super) const ROWS: usize = 2;
/// Partial sums: two halves, each a loop that becomes a register or two.
pub(super) const LANES: usize = 2 * HALF;
const HALF: usize = 16;

/// Targets in a strip of this number type: 4 kB of them. The last strip is shorter, and a multiple of [`LANES`] long.
pub(super) const fn strip_len<F>() -> usize {
    STRIP * 4 / size_of::<F>()
}

/// One number for every pair of a source and a target of the strip.
pub(super) type Strips<F> = [[F; STRIP]; ROWS];
type Partial<F> = [[F; HALF]; 2];

#[inline(always)]
fn zeros<F: Real>() -> Partial<F> {
    [[F::zero(); HALF]; 2]
}

/// Squared distances to `y`, coordinate by coordinate in columns of length `len`; `D` is their number, 0 if it is
/// only known at run time.
#[inline(always)]
pub(super) fn squares<A: Arith, F: Real, const D: usize>(
    x: [&[F]; ROWS],
    y: &[F],
    len: usize,
    [out0, out1]: &mut Strips<F>,
) {
    let (out0, out1) = (&mut out0[..len], &mut out1[..len]);
    if D == 0 {
        return squares_in_tiles::<A, F>(x, y, len, [out0, out1]);
    }
    let (x0, x1) = (&x[0][..D], &x[1][..D]);
    let mut columns = [y; D];
    for k in 0..D {
        columns[k] = &y[k * len..][..len];
    }
    for j in 0..len {
        let (mut sum0, mut sum1) = (F::zero(), F::zero());
        for k in 0..D {
            let (gap0, gap1) = (x0[k] - columns[k][j], x1[k] - columns[k][j]);
            sum0 = A::fma(gap0, gap0, sum0);
            sum1 = A::fma(gap1, gap1, sum1);
        }
        (out0[j], out1[j]) = (sum0, sum1);
    }
}

#[inline(always)]
fn squares_in_tiles<A: Arith, F: Real>(x: [&[F]; ROWS], y: &[F], len: usize, out: [&mut [F]; ROWS]) {
    let [out0, out1] = out.map(|out| out.as_chunks_mut::<HALF>().0.as_chunks_mut::<2>().0);
    let (y, tiles) = (partials(y), len / LANES);
    for (tile, (out0, out1)) in out0.iter_mut().zip(out1).enumerate().take(tiles) {
        let mut sums = [zeros::<F>(); ROWS];
        for ((y, &x0), &x1) in y.chunks_exact(tiles).zip(x[0]).zip(x[1]) {
            add_square::<A, F>(x0, &y[tile], &mut sums[0]);
            add_square::<A, F>(x1, &y[tile], &mut sums[1]);
        }
        [*out0, *out1] = sums;
    }
}

#[inline(always)]
fn partials<F>(numbers: &[F]) -> &[Partial<F>] {
    numbers.as_chunks::<HALF>().0.as_chunks::<2>().0
}

#[inline(always)]
fn add_square<A: Arith, F: Real>(x: F, y: &Partial<F>, sum: &mut Partial<F>) {
    for h in 0..2 {
        for l in 0..HALF {
            let gap = x - y[h][l];
            sum[h][l] = A::fma(gap, gap, sum[h][l]);
        }
    }
}

/// Squared distances become values of the kernel, and `slopes` the factors of the gaps times the weights.
#[inline(always)]
pub(super) fn profile<A: Arith, F: Real, P: Profile, const VALUES: bool, const SLOPES: bool>(
    scale: F,
    weights: &[F],
    values: &mut [F],
    slopes: &mut [F],
) {
    let len = weights.len();
    let (values, slopes) = (&mut values[..len], &mut slopes[..len]);
    for j in 0..len {
        let (k, c) = P::pair::<A, F>(values[j], scale);
        if VALUES {
            values[j] = k;
        }
        if SLOPES {
            slopes[j] = c * weights[j];
        }
    }
}

/// Squared distances of one source become exponents `h - scale r²`; returns the largest.
#[inline(always)]
pub(super) fn exponents<A: Arith, F: Real>(scale: F, h: &[F], t: &mut [F]) -> F {
    let t = &mut t[..h.len()];
    for j in 0..h.len() {
        t[j] = A::fma(-scale, t[j], h[j]);
    }
    let mut tops = [F::of(-f64::from(f32::MAX)); LANES];
    for t in t.as_chunks::<LANES>().0 {
        for l in 0..LANES {
            tops[l] = if t[l] > tops[l] { t[l] } else { tops[l] };
        }
    }
    let mut top = tops[0];
    for t in tops {
        top = if t > top { t } else { top };
    }
    top
}

/// Exponents become `exp(t - top)`; returns their sum.
#[inline(always)]
pub(super) fn exponentials<A: Arith, F: Real>(top: F, t: &mut [F]) -> f64 {
    for t in &mut *t {
        *t = exp_below::<A, F>(*t - top);
    }
    let mut sums = zeros::<F>();
    for t in partials(t) {
        for h in 0..2 {
            for l in 0..HALF {
                sums[h][l] += t[h][l];
            }
        }
    }
    total(&sums)
}

/// Where the sums of a pair of sources go; the second row is empty where a single source came with itself.
pub(super) struct Sink<'a>(pub [&'a mut [f64]; ROWS]);

/// Adds `Σ_j e_ij s_j`, or with `GAPS` `Σ_j e_ij (x_i - s_j)`, column by column of length `len`, as many at a time as
/// there are registers for.
#[inline(always)]
pub(super) fn products<A: Arith, F: Real, const GAPS: bool>(
    x: [&[F]; ROWS],
    e: &Strips<F>,
    s: &[F],
    len: usize,
    sink: &mut Sink<'_>,
) {
    let (mut first, width) = (0, s.len() / len);
    while first < width {
        let s = &s[first * len..];
        first += match width - first {
            4.. if fits::<A, F>(4) => block::<A, F, GAPS, 4>(x, e, s, (len, first), sink),
            3 if fits::<A, F>(3) => block::<A, F, GAPS, 3>(x, e, s, (len, first), sink),
            2.. if fits::<A, F>(2) => block::<A, F, GAPS, 2>(x, e, s, (len, first), sink),
            _ => block::<A, F, GAPS, 1>(x, e, s, (len, first), sink),
        };
    }
}

/// Three quarters of the registers hold sums.
#[inline(always)]
const fn fits<A: Arith, F>(columns: usize) -> bool {
    4 * columns * ROWS * LANES * size_of::<F>() <= 3 * A::REGISTERS * A::BYTES
}

// Counted loops are unrolled before anything else looks at the sums, which so stay in registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
fn block<A: Arith, F: Real, const GAPS: bool, const C: usize>(
    x: [&[F]; ROWS],
    [e0, e1]: &Strips<F>,
    s: &[F],
    (len, first): (usize, usize),
    sink: &mut Sink<'_>,
) -> usize {
    let (tiles, mut own) = (len / LANES, [[F::zero(); C]; ROWS]);
    let (e0, e1) = (&partials(e0)[..tiles], &partials(e1)[..tiles]);
    let mut columns = [e0; C];
    for c in 0..C {
        columns[c] = &partials(&s[c * len..][..len])[..tiles];
        if GAPS {
            (own[0][c], own[1][c]) = (x[0][first + c], x[1][first + c]);
        }
    }
    // Nothing in this loop may panic, or the sums would be kept in memory.
    let mut sums = [[zeros::<F>(); C]; ROWS];
    for t in 0..tiles {
        for c in 0..C {
            add_product::<A, F, GAPS>(own[0][c], &e0[t], &columns[c][t], &mut sums[0][c]);
            add_product::<A, F, GAPS>(own[1][c], &e1[t], &columns[c][t], &mut sums[1][c]);
        }
    }
    for r in 0..ROWS {
        let mut totals = [0.0; C];
        for c in 0..C {
            totals[c] = total(&sums[r][c]);
        }
        if let Some(row) = sink.0[r].get_mut(first..first + C) {
            row.iter_mut().zip(totals).for_each(|(row, total)| *row += total);
        }
    }
    C
}

#[inline(always)]
fn add_product<A: Arith, F: Real, const GAPS: bool>(
    x: F,
    e: &Partial<F>,
    s: &Partial<F>,
    sum: &mut Partial<F>,
) {
    for h in 0..2 {
        for l in 0..HALF {
            let term = if GAPS { x - s[h][l] } else { s[h][l] };
            sum[h][l] = A::fma(e[h][l], term, sum[h][l]);
        }
    }
}

/// The sum of all partial sums, in double precision but for the first addition.
#[inline(always)]
fn total<F: Real>([a, b]: &Partial<F>) -> f64 {
    let mut sums = [0.0; HALF];
    for l in 0..HALF {
        sums[l] = (a[l] + b[l]).f64();
    }
    let mut width = HALF / 2;
    while width > 0 {
        for l in 0..width {
            sums[l] += sums[l + width];
        }
        width /= 2;
    }
    sums[0]
}
