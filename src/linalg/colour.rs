//! Columns that can be told apart when they are moved together.

use super::Pattern;

/// A colour for each column of a sparse matrix, such that no two columns of a colour have a row in common.
///
/// All columns of a colour can be differenced (or differentiated) at once: a row then depends on one of them only.
/// Reference: Curtis, Powell, Reid, *On the estimation of sparse Jacobian matrices*, J. Inst. Math. Appl. 13 (1974)
/// 117–119.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Colouring {
    of: Vec<u32>,
    /// Columns sorted by colour, and where each colour starts.
    columns: Vec<u32>,
    starts: Vec<usize>,
}

impl Colouring {
    /// Greedy, columns in their order.
    pub(crate) fn of_pattern(pattern: &Pattern) -> Self {
        let n = pattern.n();
        let by_row = rows(pattern);
        let mut of: Vec<u32> = vec![0; n];
        // The last column that met a colour.
        let mut met: Vec<usize> = Vec::new();
        for j in 0..n {
            let neighbours = pattern.column(j).iter().flat_map(|&i| by_row.column(i as usize));
            for &k in neighbours.filter(|&&k| (k as usize) < j) {
                met[of[k as usize] as usize] = j;
            }
            let free = met.iter().position(|&last| last != j).unwrap_or(met.len());
            if free == met.len() {
                met.push(usize::MAX);
            }
            of[j] = free as u32;
        }
        Self::new(of, met.len())
    }

    /// Of a matrix of order `n` with `lower` diagonals below the main one and `upper` above it.
    pub(crate) fn of_band(n: usize, lower: usize, upper: usize) -> Self {
        let count = (lower + 1 + upper).min(n).max(1);
        Self::new((0..n).map(|j| (j % count) as u32).collect(), count)
    }

    fn new(of: Vec<u32>, count: usize) -> Self {
        let mut starts = vec![0; count + 1];
        of.iter().for_each(|&c| starts[c as usize + 1] += 1);
        (0..count).for_each(|c| starts[c + 1] += starts[c]);
        let mut columns: Vec<u32> = (0..of.len() as u32).collect();
        columns.sort_by_key(|&j| of[j as usize]);
        Colouring { of, columns, starts }
    }

    /// Number of colours.
    pub(crate) fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of columns.
    pub(crate) fn n(&self) -> usize {
        self.of.len()
    }

    /// The columns of a colour.
    pub(crate) fn columns(&self, colour: usize) -> &[u32] {
        &self.columns[self.starts[colour]..self.starts[colour + 1]]
    }
}

/// The transpose: the columns of each row.
fn rows(pattern: &Pattern) -> Pattern {
    let mut rows = vec![Vec::new(); pattern.n()];
    pattern.places().for_each(|(i, j)| rows[i].push(j as u32));
    Pattern::of_columns(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn columns_of_a_colour_share_no_row() {
        let (n, mut rng) = (60, Rng::new(3, 0));
        let places: Vec<_> = (0..4 * n).map(|_| (rng.below(n), rng.below(n))).collect();
        let pattern = Pattern::new(n, &places).unwrap();
        let colouring = Colouring::of_pattern(&pattern);
        let mut columns = 0;
        for c in 0..colouring.count() {
            let mut seen = vec![false; n];
            for &j in colouring.columns(c) {
                columns += 1;
                for &i in pattern.column(j as usize) {
                    assert!(!std::mem::replace(&mut seen[i as usize], true), "row {i}");
                }
            }
        }
        assert_eq!(columns, n);
    }

    #[test]
    fn a_tridiagonal_matrix_needs_three_colours() {
        let near = |i: usize| (i.saturating_sub(1)..(i + 2).min(50)).map(move |j| (i, j));
        let places: Vec<_> = (0..50_usize).flat_map(near).collect();
        let by_pattern = Colouring::of_pattern(&Pattern::new(50, &places).unwrap());
        assert_eq!(by_pattern.count(), 3);
        assert_eq!(Colouring::of_band(50, 1, 1), by_pattern);
    }
}
