//! Where a sparse matrix may be other than zero.

use crate::{Error, Result};

/// The places of an `n × n` matrix that may be other than zero, column by column and by rows within a column.
///
/// ```
/// use flowfield::Pattern;
/// // A tridiagonal matrix of order 4.
/// let near: Vec<_> = (0..4_usize).flat_map(|i| (0..4).map(move |j| (i, j))).filter(|(i, j)| i.abs_diff(*j) <= 1).collect();
/// let pattern = Pattern::new(4, &near)?;
/// assert_eq!((pattern.len(), pattern.column(0)), (10, &[0, 1][..]));
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    starts: Vec<usize>,
    rows: Vec<u32>,
    /// Where each of the places given to [`new`](Self::new) stands.
    given: Vec<u32>,
}

impl Pattern {
    /// The pattern of an `n × n` matrix with these (row, column) places, in any order; one given twice counts once.
    ///
    /// # Errors
    /// [`Error::EntryOutside`] for a place outside the matrix.
    pub fn new(n: usize, places: &[(usize, usize)]) -> Result<Self> {
        if let Some(&(row, column)) = places.iter().find(|(i, j)| *i >= n || *j >= n) {
            return Err(Error::EntryOutside { row, column, n });
        }
        Ok(Self::sorted(n, places))
    }

    /// The same for places that are known to lie inside.
    pub(crate) fn inside(n: usize, places: &[(usize, usize)]) -> Self {
        Self::sorted(n, places)
    }

    fn sorted(n: usize, places: &[(usize, usize)]) -> Self {
        let mut order: Vec<usize> = (0..places.len()).collect();
        order.sort_unstable_by_key(|&k| (places[k].1, places[k].0));
        let (mut starts, mut rows, mut given) = (vec![0; n + 1], Vec::new(), vec![0; places.len()]);
        let mut last = None;
        for k in order {
            let (row, column) = places[k];
            if last != Some((row, column)) {
                rows.push(row as u32);
                starts[column + 1] += 1;
                last = Some((row, column));
            }
            given[k] = rows.len() as u32 - 1;
        }
        (0..n).for_each(|j| starts[j + 1] += starts[j]);
        Pattern { starts, rows, given }
    }

    /// The pattern with these ascending rows in each column.
    pub(crate) fn of_columns(columns: &[Vec<u32>]) -> Self {
        let mut starts = vec![0];
        let mut rows = Vec::new();
        for column in columns {
            rows.extend_from_slice(column);
            starts.push(rows.len());
        }
        let given = (0..rows.len() as u32).collect();
        Pattern { starts, rows, given }
    }

    /// The order of the matrix.
    pub fn n(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of places.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether every entry is zero.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows of the entries in column `j`, ascending; none outside the matrix.
    pub fn column(&self, j: usize) -> &[u32] {
        &self.rows[self.range(j)]
    }

    /// The positions of column `j` in the list of all entries.
    pub fn range(&self, j: usize) -> std::ops::Range<usize> {
        let start = |j: usize| self.starts.get(j).copied().unwrap_or(self.rows.len());
        start(j)..start(j + 1)
    }

    /// All places (row, column), in the order in which values are stored.
    pub fn places(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        (0..self.n()).flat_map(move |j| self.column(j).iter().map(move |&i| (i as usize, j)))
    }

    /// The position of an entry.
    pub fn position(&self, row: usize, column: usize) -> Option<usize> {
        let at = self.column(column).binary_search(&(row as u32)).ok()?;
        Some(self.range(column).start + at)
    }

    /// Whether the places were given in the order in which values are stored, each once.
    pub(crate) fn in_order(&self) -> bool {
        self.given.len() == self.rows.len() && self.given.is_sorted()
    }

    /// Positions of the places in the order in which they were given.
    pub(crate) fn given(&self) -> &[u32] {
        &self.given
    }
}
