//! Sweeps over rows of reduced costs: minima, and the few smallest entries of every row and column.

use crate::simd::{Arith, Isa, Kernel};
use crate::transport::Cost;

/// Entries looked at together.
const LANES: usize = 32;

/// Smallest `c_j - g_j`.
struct RowMin<'a> {
    c: &'a [f64],
    g: &'a [f64],
}

impl Kernel for RowMin<'_> {
    type Output = f64;
    #[inline(always)]
    fn run<A: Arith>(self) -> f64 {
        let (c, c_rest) = self.c.as_chunks::<LANES>();
        let (g, g_rest) = self.g.as_chunks::<LANES>();
        let mut least = [f64::INFINITY; LANES];
        for (c, g) in c.iter().zip(g) {
            for l in 0..LANES {
                let r = c[l] - g[l];
                least[l] = if r < least[l] { r } else { least[l] };
            }
        }
        let rest = c_rest.iter().zip(g_rest).map(|(c, g)| c - g);
        rest.chain(least).fold(f64::INFINITY, |a, b| if b < a { b } else { a })
    }
}

/// `least[j] = min(least[j], c_j - f)`.
struct ColumnMin<'a> {
    c: &'a [f64],
    f: f64,
    least: &'a mut [f64],
}

impl Kernel for ColumnMin<'_> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(self) {
        for (c, least) in self.c.iter().zip(self.least) {
            let r = c - self.f;
            *least = if r < *least { r } else { *least };
        }
    }
}

/// Pushes the entries of a row of reduced costs into the row's list, the columns' lists, or both.
pub(super) struct Collect<'a> {
    pub c: &'a [f64],
    pub g: &'a [f64],
    pub f: f64,
    pub row: usize,
    pub in_row: &'a mut Smallest,
    pub in_columns: Option<&'a mut Smallest>,
}

impl Kernel for Collect<'_> {
    type Output = ();
    #[inline(always)]
    fn run<A: Arith>(mut self) {
        let whole = self.c.len() / LANES * LANES;
        for first in (0..whole).step_by(LANES) {
            let at = first..first + LANES;
            let (c, g) = (&self.c[at.clone()], &self.g[at.clone()]);
            let mut any = false;
            let bound = self.in_row.bound[0];
            for l in 0..LANES {
                any |= c[l] - g[l] - self.f < bound;
            }
            if let Some(columns) = &self.in_columns {
                let bound = &columns.bound[at];
                for l in 0..LANES {
                    any |= c[l] - g[l] - self.f < bound[l];
                }
            }
            if any {
                (first..first + LANES).for_each(|j| self.one(j));
            }
        }
        (whole..self.c.len()).for_each(|j| self.one(j));
    }
}

impl Collect<'_> {
    #[inline(always)]
    fn one(&mut self, j: usize) {
        let r = self.c[j] - self.g[j] - self.f;
        if r < self.in_row.bound[0] {
            self.in_row.push(0, r, j as u32);
        }
        if let Some(columns) = &mut self.in_columns
            && r < columns.bound[j]
        {
            columns.push(j, r, self.row as u32);
        }
    }
}

/// `f_i = min_j c_ij - g_j`: the largest potentials of the sources that go with those of the targets.
pub(crate) fn row_minima<C: Cost + ?Sized>(cost: &C, g: &[f64]) -> Vec<f64> {
    let isa = Isa::detect();
    let mut scratch = vec![0.0; g.len()];
    (0..cost.shape().0).map(|i| isa.run(RowMin { c: cost.row(i, &mut scratch), g })).collect()
}

/// `g_j = min_i c_ij - f_i` over the rows given, with their potentials.
pub(crate) fn column_minima<C: Cost + ?Sized>(
    cost: &C,
    rows: impl Iterator<Item = (usize, f64)>,
) -> Vec<f64> {
    let isa = Isa::detect();
    let m = cost.shape().1;
    let (mut scratch, mut least) = (vec![0.0; m], vec![f64::INFINITY; m]);
    for (i, f) in rows {
        isa.run(ColumnMin { c: cost.row(i, &mut scratch), f, least: &mut least });
    }
    least
}

/// Largest absolute value of an entry.
pub(super) fn largest<C: Cost + ?Sized>(cost: &C) -> f64 {
    let isa = Isa::detect();
    let (n, m) = cost.shape();
    let mut scratch = vec![0.0; m];
    (0..n).map(|i| isa.run(Largest(cost.row(i, &mut scratch)))).fold(0.0, f64::max)
}

struct Largest<'a>(&'a [f64]);

impl Kernel for Largest<'_> {
    type Output = f64;
    #[inline(always)]
    fn run<A: Arith>(self) -> f64 {
        let (c, rest) = self.0.as_chunks::<LANES>();
        let mut most = [0.0; LANES];
        for c in c {
            for l in 0..LANES {
                let size = c[l].abs();
                most[l] = if size > most[l] { size } else { most[l] };
            }
        }
        rest.iter().map(|c| c.abs()).chain(most).fold(0.0, |a, b| if b > a { b } else { a })
    }
}

/// The `k` smallest of what is pushed, for each of several lists.
pub(super) struct Smallest {
    k: usize,
    items: Vec<(f64, u32)>,
    /// The largest kept of each list: what a newcomer must be below.
    pub bound: Vec<f64>,
}

impl Smallest {
    pub(super) fn new(lists: usize, k: usize) -> Self {
        Smallest { k, items: vec![(f64::INFINITY, u32::MAX); lists * k], bound: vec![f64::INFINITY; lists] }
    }

    #[inline]
    pub(super) fn push(&mut self, list: usize, value: f64, item: u32) {
        let items = &mut self.items[list * self.k..][..self.k];
        // Sorted insertion from the end: the lists are short, and most newcomers stay near it.
        let mut at = self.k - 1;
        while at > 0 && items[at - 1].0 > value {
            items[at] = items[at - 1];
            at -= 1;
        }
        items[at] = (value, item);
        self.bound[list] = items[self.k - 1].0;
    }

    /// Empties the lists; only what is below `bound` will be pushed.
    pub(super) fn clear(&mut self, bound: f64) {
        self.items.fill((bound, u32::MAX));
        self.bound.fill(bound);
    }

    pub(super) fn list(&self, list: usize) -> impl Iterator<Item = (f64, u32)> + '_ {
        self.items[list * self.k..][..self.k].iter().copied().take_while(|&(_, j)| j != u32::MAX)
    }
}
