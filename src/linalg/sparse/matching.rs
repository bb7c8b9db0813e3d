//! A row for each column, such that the entries between them are large.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::Real;
use crate::linalg::Pattern;
use crate::linalg::scalar::Scalar;

/// For each column of a matrix a row of its own, such that the product of the entries there is largest; `None` if every
/// choice of rows meets a zero (the matrix is singular by its structure) or a value is not finite.
///
/// With the rows in this order the diagonal holds no zero, and large entries wherever possible: what an elimination along the
/// diagonal needs. Shortest augmenting paths on the costs `log maxₖ |aₖⱼ| − log |aᵢⱼ|`. Reference: Duff, Koster, *On algorithms
/// for permuting large entries to the diagonal of a sparse matrix*, SIAM J. Matrix Anal. Appl. 22 (2001) 973–996.
pub(super) fn largest_product<T: Scalar>(pattern: &Pattern, values: &[T]) -> Option<Vec<u32>> {
    let costs = costs(pattern, values)?;
    let mut search = Search::new(pattern, &costs);
    (0..pattern.n()).all(|j| search.augment(j)).then_some(search.row_of)
}

/// Infinite for an entry that is zero.
fn costs<T: Scalar>(pattern: &Pattern, values: &[T]) -> Option<Vec<f64>> {
    let mut costs: Vec<f64> = values.iter().map(|v| -v.size().f64().ln()).collect();
    for j in 0..pattern.n() {
        let column = &mut costs[pattern.range(j)];
        let least = column.iter().copied().fold(f64::INFINITY, f64::min);
        if !least.is_finite() || column.iter().any(|c| c.is_nan()) {
            return None;
        }
        column.iter_mut().for_each(|c| *c -= least);
    }
    Some(costs)
}

const NONE: u32 = u32::MAX;

/// A matching of some columns, and prices that make every cost left over nonnegative and zero where matched.
struct Search<'a> {
    pattern: &'a Pattern,
    costs: &'a [f64],
    row_of: Vec<u32>,
    column_of: Vec<u32>,
    row_price: Vec<f64>,
    column_price: Vec<f64>,
    /// Of the rows that the current search has met: distance, and the column it was reached from.
    distance: Vec<f64>,
    from: Vec<u32>,
    settled: Vec<bool>,
    met: Vec<u32>,
}

impl<'a> Search<'a> {
    fn new(pattern: &'a Pattern, costs: &'a [f64]) -> Self {
        let n = pattern.n();
        Search {
            pattern,
            costs,
            row_of: vec![NONE; n],
            column_of: vec![NONE; n],
            row_price: vec![0.0; n],
            column_price: vec![0.0; n],
            distance: vec![f64::INFINITY; n],
            from: vec![NONE; n],
            settled: vec![false; n],
            met: Vec::new(),
        }
    }

    /// Gives column `start` a row, by the shortest path to a free one; false if there is none.
    fn augment(&mut self, start: usize) -> bool {
        let mut open = BinaryHeap::new();
        let (mut column, mut reached) = (start, 0.0);
        let end = loop {
            self.relax(column, reached, &mut open);
            let Some(row) = self.nearest(&mut open) else { break None };
            reached = self.distance[row];
            self.settled[row] = true;
            match self.column_of[row] {
                NONE => break Some(row),
                next => column = next as usize,
            }
        };
        if let Some(row) = end {
            self.reprice(start, reached);
            self.exchange(start, row);
        }
        for row in self.met.drain(..) {
            (self.distance[row as usize], self.settled[row as usize]) = (f64::INFINITY, false);
        }
        end.is_some()
    }

    /// Looks at the rows of a column at distance `reached`.
    fn relax(&mut self, column: usize, reached: f64, open: &mut BinaryHeap<(Reverse<Distance>, u32)>) {
        for (&row, at) in self.pattern.column(column).iter().zip(self.pattern.range(column)) {
            let i = row as usize;
            let left = self.costs[at] - self.row_price[i] - self.column_price[column];
            let new = reached + left.max(0.0);
            if !self.settled[i] && new < self.distance[i] {
                if self.distance[i] == f64::INFINITY {
                    self.met.push(row);
                }
                (self.distance[i], self.from[i]) = (new, column as u32);
                open.push((Reverse(Distance(new)), row));
            }
        }
    }

    fn nearest(&self, open: &mut BinaryHeap<(Reverse<Distance>, u32)>) -> Option<usize> {
        while let Some((Reverse(Distance(d)), row)) = open.pop() {
            if !self.settled[row as usize] && d == self.distance[row as usize] {
                return Some(row as usize);
            }
        }
        None
    }

    /// Keeps costs nonnegative, and zero along the path.
    fn reprice(&mut self, start: usize, reached: f64) {
        self.column_price[start] += reached;
        for &row in &self.met {
            let row = row as usize;
            if self.settled[row] {
                let gain = reached - self.distance[row];
                self.row_price[row] -= gain;
                if self.column_of[row] != NONE {
                    self.column_price[self.column_of[row] as usize] += gain;
                }
            }
        }
    }

    /// Matches along the path back from `row`.
    fn exchange(&mut self, start: usize, mut row: usize) {
        loop {
            let column = self.from[row] as usize;
            self.column_of[row] = column as u32;
            let before = std::mem::replace(&mut self.row_of[column], row as u32);
            if column == start {
                return;
            }
            row = before as usize;
        }
    }
}

/// A number that is not NaN.
#[derive(PartialEq)]
struct Distance(f64);

impl Eq for Distance {}

impl PartialOrd for Distance {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Distance {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// Log of the product of the entries chosen by trying all permutations.
    fn best(n: usize, a: &[f64], chosen: &mut Vec<usize>) -> f64 {
        let j = chosen.len();
        if j == n {
            return 0.0;
        }
        let mut most = f64::NEG_INFINITY;
        for i in 0..n {
            if !chosen.contains(&i) && a[j * n + i] != 0.0 {
                chosen.push(i);
                most = most.max(a[j * n + i].abs().ln() + best(n, a, chosen));
                chosen.pop();
            }
        }
        most
    }

    #[test]
    fn the_product_is_the_largest_of_all() {
        let mut rng = Rng::new(8, 0);
        for n in [1, 2, 3, 5, 6] {
            for _ in 0..40 {
                // Column by column, with zeros.
                let a: Vec<f64> =
                    (0..n * n).map(|_| if rng.below(3) == 0 { 0.0 } else { rng.normal::<f64>() }).collect();
                let places: Vec<_> = (0..n * n).filter(|k| a[*k] != 0.0).map(|k| (k % n, k / n)).collect();
                let pattern = Pattern::new(n, &places).unwrap();
                let values: Vec<f64> = pattern.places().map(|(i, j)| a[j * n + i]).collect();
                let most = best(n, &a, &mut Vec::new());
                match largest_product(&pattern, &values) {
                    None => assert_eq!(most, f64::NEG_INFINITY),
                    Some(rows) => {
                        let found: f64 =
                            rows.iter().enumerate().map(|(j, &i)| a[j * n + i as usize].abs().ln()).sum();
                        assert!((found - most).abs() < 1e-12, "{found} {most}");
                    }
                }
            }
        }
        let pattern = Pattern::new(2, &[(0, 0), (1, 1)]).unwrap();
        assert!(largest_product(&pattern, &[1.0, f64::NAN]).is_none());
    }
}
