//! The small least-squares problem of GMRES, kept triangular by plane rotations.

use crate::Real;

/// `min ‖β e₁ − H y‖` for an upper Hessenberg matrix H that grows by a column at a time.
#[derive(Debug, Clone)]
pub(crate) struct Rotations<F> {
    most: usize,
    /// The triangle, column by column, and the column that is being written.
    columns: Vec<F>,
    turns: Vec<(F, F)>,
    right: Vec<F>,
    y: Vec<F>,
    column: usize,
}

impl<F: Real> Rotations<F> {
    /// Room for `most` columns.
    pub(crate) fn new(most: usize) -> Self {
        Rotations {
            most,
            columns: vec![F::ZERO; most * most],
            turns: vec![(F::ZERO, F::ZERO); most],
            right: vec![F::ZERO; most + 1],
            y: vec![F::ZERO; most],
            column: 0,
        }
    }

    pub(crate) fn restart(&mut self, beta: F) {
        self.right.fill(F::ZERO);
        (self.right[0], self.column) = (beta, 0);
    }

    /// Entry `i` of the column being written.
    pub(crate) fn set(&mut self, i: usize, value: F) {
        self.columns[self.column * self.most + i] = value;
    }

    /// Ends column `k` with the entry below its diagonal; the residual of the best `y` so far.
    pub(crate) fn close(&mut self, k: usize, below: F) -> F {
        let column = &mut self.columns[k * self.most..][..self.most];
        for (i, &(c, s)) in self.turns[..k].iter().enumerate() {
            (column[i], column[i + 1]) =
                (c * column[i] + s * column[i + 1], c * column[i + 1] - s * column[i]);
        }
        let length = column[k].hypot(below);
        let (c, s) =
            if length > F::ZERO { (column[k] / length, below / length) } else { (F::one(), F::ZERO) };
        column[k] = length;
        self.turns[k] = (c, s);
        (self.right[k], self.right[k + 1]) = (c * self.right[k], -s * self.right[k]);
        self.column = k + 1;
        self.right[k + 1].abs()
    }

    /// The best `y` of `count` columns.
    pub(crate) fn solve(&mut self, count: usize) -> &[F] {
        for k in (0..count).rev() {
            let known = (k + 1..count).map(|j| self.columns[j * self.most + k] * self.y[j]);
            let sum = known.fold(self.right[k], |s, x| s - x);
            let diagonal = self.columns[k * self.most + k];
            self.y[k] = if diagonal == F::ZERO { F::ZERO } else { sum / diagonal };
        }
        &self.y[..count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_residual_is_that_of_least_squares() {
        // H = [[1, 2], [3, 4], [0, 5]], β = 1: normal equations [10, 14; 14, 45] y = [1, 2].
        let mut r = Rotations::<f64>::new(2);
        r.restart(1.0);
        r.set(0, 1.0);
        r.close(0, 3.0);
        r.set(0, 2.0);
        r.set(1, 4.0);
        let residual = r.close(1, 5.0);
        let y = r.solve(2).to_vec();
        let want = [(45.0 - 28.0) / 254.0, (20.0 - 14.0) / 254.0];
        assert!((y[0] - want[0]).abs() < 1e-14 && (y[1] - want[1]).abs() < 1e-14);
        let left = [1.0 - y[0] - 2.0 * y[1], -3.0 * y[0] - 4.0 * y[1], -5.0 * y[1]];
        assert!((residual - left.iter().map(|l| l * l).sum::<f64>().sqrt()).abs() < 1e-14);
    }
}
