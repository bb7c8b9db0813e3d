//! The inner loops of the assignment solver: the two least entries of a row, and a step of Dijkstra's search.

use super::assignment::FREE;
use crate::simd::{Arith, Kernel};

const LANES: usize = 32;

/// The two smallest `c_j - g_j` and where they are.
pub(super) struct TwoLeast<'a> {
    pub c: &'a [f64],
    pub g: &'a [f64],
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Two {
    pub first: usize,
    pub first_value: f64,
    pub second: usize,
    pub second_value: f64,
}

impl Kernel for TwoLeast<'_> {
    type Output = Two;
    #[inline(always)]
    fn run<A: Arith>(self) -> Two {
        let (c, c_rest) = self.c.as_chunks::<LANES>();
        let (g, g_rest) = self.g.as_chunks::<LANES>();
        let (mut least, mut next) = ([f64::INFINITY; LANES], [f64::INFINITY; LANES]);
        for (c, g) in c.iter().zip(g) {
            for l in 0..LANES {
                let r = c[l] - g[l];
                let larger = if r < least[l] { least[l] } else { r };
                least[l] = if r < least[l] { r } else { least[l] };
                next[l] = if larger < next[l] { larger } else { next[l] };
            }
        }
        let (mut first, mut second) = (f64::INFINITY, f64::INFINITY);
        let rest = c_rest.iter().zip(g_rest).map(|(c, g)| c - g);
        for r in least.into_iter().chain(next).chain(rest) {
            if r < first {
                (first, second) = (r, first);
            } else if r < second {
                second = r;
            }
        }
        self.locate(first, second)
    }
}

impl TwoLeast<'_> {
    /// Where the two values are; equal values are two places.
    #[inline(always)]
    fn locate(&self, first_value: f64, second_value: f64) -> Two {
        let mut two = Two { first: FREE, first_value, second: FREE, second_value };
        for base in (0..self.c.len()).step_by(LANES) {
            let end = (base + LANES).min(self.c.len());
            let (c, g) = (&self.c[base..end], &self.g[base..end]);
            if c.iter().zip(g).fold(false, |any, (c, g)| any | (c - g <= second_value)) {
                for (l, (c, g)) in c.iter().zip(g).enumerate() {
                    let r = c - g;
                    if r == first_value && two.first == FREE {
                        two.first = base + l;
                    } else if r == second_value && two.second == FREE {
                        two.second = base + l;
                    }
                }
            }
        }
        two
    }
}

/// Distances of the columns from the row that is to be assigned.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// Tentative distances; infinite once a column is closed.
    open: Vec<f64>,
    /// The row from which each column was reached.
    from: Vec<u64>,
    closed: Vec<(usize, f64)>,
}

impl Search {
    pub(super) fn resize(&mut self, n: usize) {
        self.open.resize(n, f64::INFINITY);
        self.from.resize(n, 0);
        self.closed.reserve(n.saturating_sub(self.closed.len()));
    }

    pub(super) fn clear(&mut self) {
        self.open.fill(f64::INFINITY);
        self.closed.clear();
    }

    /// The column's distance is final.
    pub(super) fn close(&mut self, j: usize, distance: f64) {
        self.open[j] = f64::NEG_INFINITY;
        self.closed.push((j, distance));
    }

    pub(super) fn from(&self, j: usize) -> usize {
        self.from[j] as usize
    }

    /// Potentials after an augmentation by a path of this length.
    pub(super) fn lower(&self, g: &mut [f64], length: f64) {
        self.closed.iter().for_each(|&(j, distance)| g[j] -= length - distance);
    }
}

/// One step: distances by way of a row, and the open column of least distance.
pub(super) struct Sweep<'a> {
    pub c: &'a [f64],
    pub g: &'a [f64],
    /// Distance of the row minus its potential.
    pub shift: f64,
    pub row: u64,
    /// Row of each column, or `FREE`.
    pub taken: &'a [usize],
    pub search: &'a mut Search,
}

impl Kernel for Sweep<'_> {
    type Output = (usize, f64);
    #[inline(always)]
    fn run<A: Arith>(self) -> (usize, f64) {
        let (c, g, shift, row) = (self.c, self.g, self.shift, self.row);
        let n = c.len();
        let (open, from) = (&mut self.search.open[..n], &mut self.search.from[..n]);
        let mut least = [f64::INFINITY; LANES];
        let whole = n / LANES * LANES;
        for first in (0..whole).step_by(LANES) {
            let at = first..first + LANES;
            let (c, g) = (&c[at.clone()], &g[at.clone()]);
            let (open, from) = (&mut open[at.clone()], &mut from[at]);
            for l in 0..LANES {
                let r = c[l] - g[l] + shift;
                from[l] = if r < open[l] { row } else { from[l] };
                let d = if r < open[l] { r } else { open[l] };
                open[l] = d;
                // Closed columns are at minus infinity: never improved, and never chosen.
                let d = if d == f64::NEG_INFINITY { f64::INFINITY } else { d };
                least[l] = if d < least[l] { d } else { least[l] };
            }
        }
        let mut best = least.into_iter().fold(f64::INFINITY, |a, b| if b < a { b } else { a });
        for j in whole..n {
            let r = c[j] - g[j] + shift;
            if r < open[j] {
                (open[j], from[j]) = (r, row);
            }
            if open[j] > f64::NEG_INFINITY && open[j] < best {
                best = open[j];
            }
        }
        (position(open, best, self.taken), best)
    }
}

/// Where a value is that is there: of several such columns a free one, which ends the search.
#[inline(always)]
fn position(values: &[f64], value: f64, taken: &[usize]) -> usize {
    let mut found = FREE;
    for (k, chunk) in values.chunks(LANES).enumerate() {
        if chunk.iter().fold(false, |any, &v| any | (v == value)) {
            for (l, _) in chunk.iter().enumerate().filter(|(_, v)| **v == value) {
                let j = k * LANES + l;
                if taken[j] == FREE {
                    return j;
                }
                found = found.min(j);
            }
        }
    }
    found
}
