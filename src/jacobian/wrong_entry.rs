//! A Jacobian that is found to be wrong while it is used.

use std::ops::Range;

use super::structure::Structure;
use crate::rng::Rng;
use crate::{Error, Real, State, VectorField};

/// [`Error::WrongJacobian`] for an entry of the field's own Jacobian at `(t, y)` that is plainly not the derivative of the
/// field; `None` if none is found, or if the field has no Jacobian of its own.
///
/// Products with some directions are compared with differences of the field; in rows that disagree the column is found by
/// halving. Takes some tens of evaluations, whatever the size. `reach`: how far each component may be moved. What is named is
/// beyond doubt: differences of several lengths agree with each other and not with the entry.
pub(crate) fn wrong_entry<S: State, V: VectorField<S> + ?Sized>(
    field: &mut V,
    t: S::Elem,
    y: &S,
    reach: &S,
) -> Option<Error> {
    let (n, structure) = (y.as_slice().len(), field.structure(t, y));
    let mut values = vec![S::Elem::ZERO; structure.len(n)];
    if structure == Structure::MatrixFree || !field.jacobian(t, y, &mut values) {
        return None;
    }
    let ends = [y.clone(), y.clone()];
    let mut comparison =
        Comparison { field, t, y, moves: reach.clone(), structure, values, at: y.clone(), ends };
    let mut rng = Rng::new(0xd0b7, 0);
    for _ in 0..DIRECTIONS {
        let moves = comparison.moves.as_mut_slice().iter_mut().zip(reach.as_slice());
        moves.for_each(|(m, &r)| *m = if rng.below(2) == 0 { r } else { -r });
        for row in comparison.doubtful_rows() {
            let column = comparison.worst_column(row);
            if let Some(wrong) = comparison.verdict(row, column) {
                return Some(wrong);
            }
        }
    }
    None
}

/// Directions that are tried, and rows that are looked into for each.
const DIRECTIONS: usize = 3;
const ROWS: usize = 4;

struct Comparison<'a, S: State, V: ?Sized> {
    field: &'a mut V,
    t: S::Elem,
    y: &'a S,
    /// By how much each component is moved.
    moves: S,
    structure: Structure,
    values: Vec<S::Elem>,
    at: S,
    ends: [S; 2],
}

impl<S: State, V: VectorField<S> + ?Sized> Comparison<'_, S, V> {
    fn n(&self) -> usize {
        self.y.as_slice().len()
    }

    /// Central differences along the moves of some columns, shortened by `scale`: the derivative along the moves.
    fn difference(&mut self, columns: Range<usize>, scale: f64) -> Vec<f64> {
        for (end, sign) in self.ends.iter_mut().zip([scale, -scale]) {
            self.at.clone_from(self.y);
            let moved = self.at.as_mut_slice()[columns.clone()].iter_mut();
            let moves = &self.moves.as_slice()[columns.clone()];
            moved.zip(moves).for_each(|(a, &m)| *a += S::Elem::of(sign) * m);
            self.field.eval(self.t, &self.at, end);
        }
        let pairs = self.ends[0].as_slice().iter().zip(self.ends[1].as_slice());
        pairs.map(|(&up, &down)| (up - down).f64() / (2.0 * scale)).collect()
    }

    /// The same by the Jacobian given, and the sum of the terms' sizes.
    fn product(&self, columns: Range<usize>) -> Vec<(f64, f64)> {
        let mut sums = vec![(0.0, 0.0); self.n()];
        for j in columns {
            let by = self.moves.as_slice()[j].f64();
            self.structure.for_column(self.n(), j, |i, at| {
                let term = self.values[at].f64() * by;
                sums[i].0 += term;
                sums[i].1 += term.abs();
            });
        }
        sums
    }

    /// Rows in which products and differences disagree by more than differences among each other; the worst first.
    fn doubtful_rows(&mut self) -> Vec<usize> {
        let all = 0..self.n();
        let (long, short) = (self.difference(all.clone(), 1.0), self.difference(all.clone(), 0.5));
        let given = self.product(all);
        let mut doubtful: Vec<(f64, usize)> = Vec::new();
        for (i, (&(given, size), (&long, &short))) in given.iter().zip(long.iter().zip(&short)).enumerate() {
            let off = (given - short).abs();
            let share = off / (size + short.abs());
            if off > 10.0 * (long - short).abs() && share > 1e-3 {
                doubtful.push((share, i));
            }
        }
        doubtful.sort_by(|a, b| b.0.total_cmp(&a.0));
        doubtful.into_iter().take(ROWS).map(|(_, i)| i).collect()
    }

    /// The column that is most to blame for a row, by halving.
    fn worst_column(&mut self, row: usize) -> usize {
        let mut columns = 0..self.n();
        while columns.len() > 1 {
            let middle = columns.start + columns.len() / 2;
            let halves = [columns.start..middle, middle..columns.end];
            let off = halves
                .clone()
                .map(|half| (self.difference(half.clone(), 0.5)[row] - self.product(half)[row].0).abs());
            columns = halves[usize::from(off[1] > off[0])].clone();
        }
        columns.start
    }

    /// The error for an entry, if it is wrong beyond doubt.
    fn verdict(&mut self, row: usize, column: usize) -> Option<Error> {
        let by = self.moves.as_slice()[column].f64();
        let found = [1.0, 0.5, 0.25].map(|scale| self.difference(column..column + 1, scale)[row] / by);
        let position = self.structure.position(self.n(), row, column);
        let given = position.map_or(0.0, |at| self.values[at].f64());
        let size = found[1].abs().max(given.abs());
        let spread = found.iter().map(|f| (f - found[1]).abs()).fold(0.0, f64::max);
        let wrong = (given - found[1]).abs() > 0.05 * size && spread < 0.01 * size;
        wrong.then(|| Error::WrongJacobian { t: self.t.f64(), row, column, given, found: found[1] })
    }
}
