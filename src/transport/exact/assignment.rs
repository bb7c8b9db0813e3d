//! The assignment problem: as many sources as targets, all of the same weight.

use rayon::prelude::*;

use super::scan::{column_minima, row_minima};
use super::search::{Search, Sweep, TwoLeast};
use super::strata::Sample;
use crate::simd::Isa;
use crate::transport::cost::{check_rows, pays};
use crate::transport::{Cost, MatrixCost, Plan};
use crate::{Error, Result};

/// No row or column.
pub(super) const FREE: usize = usize::MAX;

/// The cheapest one-to-one assignment, by shortest augmenting paths.
///
/// Potentials of the columns come from a thinned problem, or, in a solver that is used again, from the last problem of
/// the same size; each row then bids for the column that is best for it and may displace another row, a few times
/// over; the rows that are still free are assigned one by one along shortest paths in the reduced costs.
///
/// # Complexity
/// O(n³) at worst; for costs between points close to O(n²). Memory O(n) beside the costs.
///
/// # References
/// Jonker and Volgenant, Computing 38 (1987), sections 2 and 3.
///
/// ```
/// use flowfield::transport::{Assignment, PointCost};
/// use ndarray::array;
/// let (x, y) = (array![[0.0], [5.0], [9.0]], array![[6.0], [1.0], [8.0]]);
/// let plan = Assignment::new().solve(&PointCost::squared_euclidean(&x, &y)?)?;
/// assert_eq!(plan.permutation(), Some(vec![1, 0, 2]));
/// assert_eq!(plan.cost, 1.0);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Assignment {
    /// Column of each row, row of each column.
    column: Vec<usize>,
    row: Vec<usize>,
    g: Vec<f64>,
    buffer: Vec<f64>,
    /// Rows without a column before and after a round of bids.
    free: [Vec<usize>; 2],
    matrix: MatrixCost,
    search: Search,
    rows_scanned: usize,
}

impl Assignment {
    /// A solver without memory of earlier problems.
    pub fn new() -> Self {
        Self::default()
    }

    /// The cheapest plan between uniform weights `1/n`.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::CostNotFinite`], and [`Error::Shape`] for a cost that is not square.
    pub fn solve<C: Cost + ?Sized>(&mut self, cost: &C) -> Result<Plan> {
        self.permutation(cost)?;
        let n = self.column.len();
        let weights = vec![1.0 / n as f64; n];
        let entries = self.column.iter().enumerate().map(|(i, &j)| (i, j, weights[i])).collect();
        let f = row_minima(cost, &self.g);
        Ok(Plan::certified(cost, (&weights, &weights), entries, f, self.g.clone(), self.rows_scanned))
    }

    /// The target of each source, without the plan around it.
    ///
    /// # Errors
    /// Those of [`solve`](Self::solve).
    pub fn permutation<C: Cost + ?Sized>(&mut self, cost: &C) -> Result<&[usize]> {
        let (n, m) = cost.shape();
        Error::shape("the cost of an assignment", &[n, n], &[n, m])?;
        self.buffer.resize(m, 0.0);
        check_rows(cost, &mut self.buffer)?;
        if pays(cost) {
            let mut matrix = std::mem::take(&mut self.matrix);
            matrix.copy(cost, &mut self.buffer);
            self.assign(&matrix);
            self.matrix = matrix;
        } else {
            self.assign(cost);
        }
        Ok(&self.column)
    }

    fn assign<C: Cost + ?Sized>(&mut self, cost: &C) {
        let n = cost.shape().0;
        if self.g.len() != n {
            self.g = start(cost);
        }
        self.buffer.resize(n, 0.0);
        for taken in [&mut self.column, &mut self.row] {
            taken.clear();
            taken.resize(n, FREE);
        }
        self.rows_scanned = 0;
        self.bid(cost);
        self.search.resize(n);
        for k in 0..self.free[0].len() {
            self.augment(cost, self.free[0][k]);
        }
    }

    /// Rows bid for their best columns; those that are left without one are in `free[0]`.
    ///
    /// A bid lowers the column's potential to where the row's second best column is as good, so that every
    /// assigned row stays at its minimum. A displaced row bids at once.
    fn bid<C: Cost + ?Sized>(&mut self, cost: &C) {
        let isa = Isa::detect();
        let [mut free, mut left] = std::mem::take(&mut self.free);
        free.clear();
        free.extend(0..cost.shape().0);
        left.clear();
        left.reserve(free.len());
        for _ in 0..PASSES {
            left.clear();
            let mut budget = BIDS * free.len();
            for &start in &free {
                let mut i = start;
                while i != FREE {
                    let c = cost.row(i, &mut self.buffer);
                    let best = isa.run(TwoLeast { c, g: &self.g });
                    self.rows_scanned += 1;
                    let (mut j, gain) = (best.first, best.second_value - best.first_value);
                    if gain <= 0.0 && self.row[j] != FREE && best.second != FREE {
                        j = best.second;
                    }
                    let displaced = std::mem::replace(&mut self.row[j], i);
                    self.column[i] = j;
                    if displaced != FREE {
                        self.column[displaced] = FREE;
                    }
                    if gain > 0.0 && gain.is_finite() {
                        self.g[j] -= gain;
                    }
                    budget = budget.saturating_sub(1);
                    if displaced != FREE && (gain <= 0.0 || budget == 0) {
                        left.push(displaced);
                        break;
                    }
                    i = displaced;
                }
            }
            std::mem::swap(&mut free, &mut left);
        }
        self.free = [free, left];
    }

    /// Assigns row `start` along the shortest path to a free column.
    fn augment<C: Cost + ?Sized>(&mut self, cost: &C, start: usize) {
        let isa = Isa::detect();
        let (mut i, mut base) = (start, 0.0);
        self.search.clear();
        let end = loop {
            let c = cost.row(i, &mut self.buffer);
            // On a tree row the matched arc has reduced cost zero; its potential is that of its column.
            let f = match self.column[i] {
                FREE => isa.run(TwoLeast { c, g: &self.g }).first_value,
                j => c[j] - self.g[j],
            };
            let (shift, taken, search) = (base - f, &self.row, &mut self.search);
            let sweep = Sweep { c, g: &self.g, shift, row: i as u64, taken, search };
            let (j, distance) = isa.run(sweep);
            self.rows_scanned += 1;
            base = distance;
            self.search.close(j, distance);
            if self.row[j] == FREE {
                break j;
            }
            i = self.row[j];
        };
        self.search.lower(&mut self.g, base);
        let mut j = end;
        loop {
            let i = self.search.from(j);
            self.row[j] = i;
            std::mem::swap(&mut self.column[i], &mut j);
            if i == start {
                return;
            }
        }
    }
}

/// Problems up to this size start from their column minima; of larger ones a thinned problem is solved first.
const SMALL: usize = 24;

/// Potentials of the columns: their minima, or, where these bound the cost less well, those of a thinned problem,
/// `g_j = min_i c_ij - f_i`, solved recursively.
fn start<C: Cost + ?Sized>(cost: &C) -> Vec<f64> {
    let n = cost.shape().0;
    let least = column_minima(cost, (0..n).map(|i| (i, 0.0)));
    if n <= SMALL {
        return least;
    }
    let ones = vec![1.0; n];
    let (rows, columns) = (Sample::of_sources(cost, &ones), Sample::of_targets(cost, &ones));
    let small = MatrixCost::thinned(cost, &rows.kept, &columns.kept);
    let mut solver = Assignment::new();
    solver.assign(&small);
    let g = column_minima(cost, rows.kept.into_iter().zip(row_minima(&small, &solver.g)));
    let bound = |g: &[f64]| row_minima(cost, g).iter().chain(g).sum::<f64>();
    if bound(&g) > bound(&least) { g } else { least }
}

/// Rounds of bidding, and bids per free row in each.
const PASSES: usize = 3;
const BIDS: usize = 1;

/// Solves many assignment problems of any sizes, over threads; the answers do not depend on their number.
///
/// # Errors
/// The first error in the order of the problems.
///
/// ```
/// use flowfield::transport::{MatrixCost, assignments};
/// use ndarray::array;
/// let costs: Vec<_> = (0..3).map(|k| MatrixCost::new(&array![[0.0, 1.0], [1.0, f64::from(k)]])).collect();
/// assert_eq!(assignments(&costs)?, vec![vec![0, 1], vec![0, 1], vec![0, 1]]);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn assignments<C: Cost>(costs: &[C]) -> Result<Vec<Vec<usize>>> {
    let one = |solver: &mut Assignment, cost: &C| {
        // The answer may depend on the start where it is not unique, so nothing is carried over.
        solver.g.clear();
        solver.permutation(cost).map(<[usize]>::to_vec)
    };
    costs.par_iter().map_init(Assignment::new, one).collect()
}
