//! Loops over a strip: a few sources against a few hundred targets, all in the first-level cache.
//!
//! Everything is inlined into a [`Kernel`](crate::simd::Kernel) and vectorised there for its instruction set.

use super::kernel::Profile;
use crate::Real;
use crate::simd::{Arith, exp_below};

/// Numbers in a group, the unit of all loops: two halves, each a short loop that becomes one or two registers.
pub(super) const LANES: usize = 2 * HALF;
const HALF: usize = 16;
/// Groups in a strip.
pub(super) const STRIP: usize = 16;
/// Sources at a time: enough independent sums to hide the latency of one, few enough to stay in registers.
pub(super) const ROWS: usize = 2;

pub(super) type Group<F> = [[F; HALF]; 2];
/// One number for every pair of a source and a target of the strip.
pub(super) type Strips<F> = [[Group<F>; STRIP]; ROWS];

#[inline(always)]
pub(super) fn zeros<F: Real>() -> Group<F> {
    [[F::zero(); HALF]; 2]
}

/// Squared distances; `D` is the dimension, 0 if it is only known at run time.
#[inline(always)]
pub(super) fn squares<A: Arith, F: Real, const D: usize>(
    x: [&[F]; ROWS],
    y: &[Group<F>],
    out: &mut Strips<F>,
) {
    let d = if D > 0 { D } else { x[0].len() };
    let (x0, x1) = (&x[0][..d], &x[1][..d]);
    let [first, second] = out;
    for ((y, first), second) in y.chunks_exact(d).zip(first).zip(second) {
        let mut sums = [zeros::<F>(); ROWS];
        for ((y, &x0), &x1) in y.iter().zip(x0).zip(x1) {
            add_square::<A, F>(x0, y, &mut sums[0]);
            add_square::<A, F>(x1, y, &mut sums[1]);
        }
        [*first, *second] = sums;
    }
}

#[inline(always)]
fn add_square<A: Arith, F: Real>(x: F, y: &Group<F>, sum: &mut Group<F>) {
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
    weights: &[Group<F>],
    values: &mut [Group<F>],
    slopes: &mut [Group<F>],
) {
    let (weights, values) = (weights.as_flattened(), values.as_flattened_mut());
    for ((w, value), slope) in weights.iter().zip(values).zip(slopes.as_flattened_mut()) {
        for l in 0..HALF {
            let (k, c) = P::pair::<A, F>(value[l], scale);
            if VALUES {
                value[l] = k;
            }
            if SLOPES {
                slope[l] = c * w[l];
            }
        }
    }
}

/// Squared distances of one source become exponents `h - scale r²`; returns the largest.
#[inline(always)]
pub(super) fn exponents<A: Arith, F: Real>(scale: F, h: &[Group<F>], t: &mut [Group<F>]) -> F {
    let mut top = [F::of(-f64::from(f32::MAX)); HALF];
    for (h, t) in h.as_flattened().iter().zip(t.as_flattened_mut()) {
        for l in 0..HALF {
            t[l] = A::fma(-scale, t[l], h[l]);
        }
        for l in 0..HALF {
            top[l] = if t[l] > top[l] { t[l] } else { top[l] };
        }
    }
    let mut largest = top[0];
    for t in top {
        largest = if t > largest { t } else { largest };
    }
    largest
}

/// Exponents become `exp(t - top)`; returns their sum.
#[inline(always)]
pub(super) fn exponentials<A: Arith, F: Real>(top: F, t: &mut [Group<F>]) -> f64 {
    let mut sums = zeros::<F>();
    for t in t {
        for (t, sums) in t.iter_mut().zip(&mut sums) {
            for l in 0..HALF {
                t[l] = exp_below::<A, F>(t[l] - top);
                sums[l] += t[l];
            }
        }
    }
    total(&sums)
}

/// Where the sums of a pair of sources go.
pub(super) struct Sink<'a> {
    /// The rows of both; the second is empty where a single source came with itself.
    pub rows: [&'a mut [f64]; ROWS],
}

/// Adds `Σ_j e_ij s_j`, or with `GAPS` `Σ_j e_ij (x_i - s_j)`, column by column, as many at a time as there are
/// registers for.
#[inline(always)]
pub(super) fn products<A: Arith, F: Real, const GAPS: bool>(
    x: [&[F]; ROWS],
    e: &Strips<F>,
    s: &[Group<F>],
    width: usize,
    sink: &mut Sink<'_>,
) {
    let mut first = 0;
    while first < width {
        let at = (width, first);
        first += match width - first {
            4.. if fits::<A, F>(4) => block::<A, F, GAPS, 4>(x, e, s, at, sink),
            3 if fits::<A, F>(3) => block::<A, F, GAPS, 3>(x, e, s, at, sink),
            2.. if fits::<A, F>(2) => block::<A, F, GAPS, 2>(x, e, s, at, sink),
            _ => block::<A, F, GAPS, 1>(x, e, s, at, sink),
        };
    }
}

/// Three quarters of the registers hold sums.
#[inline(always)]
const fn fits<A: Arith, F>(columns: usize) -> bool {
    4 * columns * ROWS * LANES * size_of::<F>() <= 3 * A::REGISTERS * A::BYTES
}

#[inline(always)]
fn block<A: Arith, F: Real, const GAPS: bool, const C: usize>(
    x: [&[F]; ROWS],
    e: &Strips<F>,
    s: &[Group<F>],
    (width, first): (usize, usize),
    sink: &mut Sink<'_>,
) -> usize {
    let mut own = [[F::zero(); C]; ROWS];
    if GAPS {
        own[0].copy_from_slice(&x[0][first..first + C]);
        own[1].copy_from_slice(&x[1][first..first + C]);
    }
    let mut sums = [[zeros::<F>(); C]; ROWS];
    let [e0, e1] = e;
    for ((s, e0), e1) in s.chunks_exact(width).zip(e0).zip(e1) {
        let s = &s[first..first + C];
        for c in 0..C {
            add_product::<A, F, GAPS>(own[0][c], e0, &s[c], &mut sums[0][c]);
            add_product::<A, F, GAPS>(own[1][c], e1, &s[c], &mut sums[1][c]);
        }
    }
    for (row, sums) in sink.rows.iter_mut().zip(&sums) {
        if let Some(row) = row.get_mut(first..first + C) {
            for (row, sums) in row.iter_mut().zip(sums) {
                *row += total(sums);
            }
        }
    }
    C
}

#[inline(always)]
fn add_product<A: Arith, F: Real, const GAPS: bool>(x: F, e: &Group<F>, s: &Group<F>, sum: &mut Group<F>) {
    for h in 0..2 {
        for l in 0..HALF {
            let term = if GAPS { x - s[h][l] } else { s[h][l] };
            sum[h][l] = A::fma(e[h][l], term, sum[h][l]);
        }
    }
}

/// The sum of a group, its last additions in double precision.
#[inline(always)]
fn total<F: Real>([a, b]: &Group<F>) -> f64 {
    let mut sums = [F::zero(); HALF];
    for l in 0..HALF {
        sums[l] = a[l] + b[l];
    }
    let mut eight = [0.0; 8];
    for l in 0..8 {
        eight[l] = (sums[l] + sums[l + 8]).f64();
    }
    let [a, b, c, d, e, f, g, h] = eight;
    ((a + b) + (c + d)) + ((e + f) + (g + h))
}
