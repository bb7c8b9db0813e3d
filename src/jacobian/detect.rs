//! The zeros of a Jacobian, found by probing the field.

use num_traits::Float as _;

use crate::rng::Rng;
use crate::{Pattern, Real, State, VectorField};

/// The pattern of `∂f/∂y`, from evaluations alone.
///
/// Blocks of columns are probed, halved where they matter, and probed again, down to single columns. Blocks that have no row
/// in common are probed at once: a row that changes then says which of them it depends on. So a pattern of bounded degree
/// takes a number of evaluations that grows with log n, not with n.
pub(crate) fn detect<S: State, V: VectorField<S> + ?Sized>(field: &mut V, t: S::Elem, y: &S) -> Pattern {
    let n = y.as_slice().len();
    let mut probe = Probe::new(field, t, y);
    let mut blocks = vec![Block { start: 0, end: n, rows: (0..n as u32).collect() }];
    while blocks.iter().any(|b| b.end - b.start > 1) {
        blocks = probe.halve(&blocks);
    }
    // A single column has been probed, unless there is but one.
    if n == 1 {
        blocks = probe.halve(&blocks);
    }
    let mut columns = vec![Vec::new(); n];
    blocks.into_iter().for_each(|b| columns[b.start] = b.rows);
    Pattern::of_columns(&columns)
}

/// Columns `start..end`, and the rows in which any of them may have an entry.
struct Block {
    start: usize,
    end: usize,
    rows: Vec<u32>,
}

/// A state to probe with: at a point, by values far and near.
struct Probe<'a, S: State, V: ?Sized> {
    field: &'a mut V,
    t: S::Elem,
    /// Points, and the field there.
    points: [(S, S); 2],
    moved: S,
    out: S,
    rng: Rng,
}

impl<'a, S: State, V: VectorField<S> + ?Sized> Probe<'a, S, V> {
    fn new(field: &'a mut V, t: S::Elem, y: &S) -> Self {
        let mut rng = Rng::new(0x5eed, 0);
        // Near the start, but nowhere equal to it, and nowhere zero.
        let mut near = y.clone();
        near.as_mut_slice().iter_mut().for_each(|y| *y = shift(*y, 1e-3, &mut rng));
        let points = [y.clone(), near].map(|at| {
            let mut f = at.clone();
            field.eval(t, &at, &mut f);
            (at, f)
        });
        Probe { field, t, points, moved: y.clone(), out: y.clone(), rng }
    }

    /// Halves all blocks and finds the rows of the halves.
    fn halve(&mut self, blocks: &[Block]) -> Vec<Block> {
        let groups = disjoint(blocks, self.out.as_slice().len());
        let mut halves = Vec::with_capacity(2 * blocks.len());
        for group in groups {
            for side in 0..2 {
                let first = halves.len();
                for &b in &group {
                    let middle = blocks[b].start + (blocks[b].end - blocks[b].start).div_ceil(2);
                    let (start, end) =
                        if side == 0 { (blocks[b].start, middle) } else { (middle, blocks[b].end) };
                    if start < end {
                        halves.push((b, Block { start, end, rows: Vec::new() }));
                    }
                }
                self.rows_of(&mut halves[first..], blocks);
            }
        }
        halves.into_iter().map(|(_, half)| half).filter(|half| !half.rows.is_empty()).collect()
    }

    /// Finds the rows that change with each of these halves, whose parents share no row.
    fn rows_of(&mut self, halves: &mut [(usize, Block)], parents: &[Block]) {
        for kind in 0..4 {
            let (point, value) = &self.points[kind / 2];
            self.moved.clone_from(point);
            for (_, half) in halves.iter() {
                let part = &mut self.moved.as_mut_slice()[half.start..half.end];
                let rng = &mut self.rng;
                // NaN reaches everything that arithmetic makes of it, but gets lost in comparisons.
                part.iter_mut()
                    .for_each(|y| *y = if kind % 2 == 0 { S::Elem::nan() } else { shift(*y, 0.1, rng) });
            }
            self.field.eval(self.t, &self.moved, &mut self.out);
            for (parent, half) in halves.iter_mut() {
                let changed = |&&i: &&u32| self.out.as_slice()[i as usize] != value.as_slice()[i as usize];
                half.rows.extend(parents[*parent].rows.iter().filter(changed));
            }
        }
        for (_, half) in halves {
            half.rows.sort_unstable();
            half.rows.dedup();
        }
    }
}

/// Moves a number by up to `share` of its size, at least by a quarter of that.
fn shift<F: Real>(y: F, share: f64, rng: &mut Rng) -> F {
    let by: F = F::of(share) * (F::of(0.25) + F::of(0.75) * rng.uniform::<F>());
    if y == F::zero() { by } else { y + y * by }
}

/// Sorts blocks into groups in which no two have a row in common.
fn disjoint(blocks: &[Block], n: usize) -> Vec<Vec<usize>> {
    let mut groups: Vec<(Vec<usize>, Vec<bool>)> = Vec::new();
    for (b, block) in blocks.iter().enumerate() {
        let free = |taken: &[bool]| block.rows.iter().all(|&i| !taken[i as usize]);
        let g = groups.iter().position(|(_, taken)| free(taken)).unwrap_or_else(|| {
            groups.push((Vec::new(), vec![false; n]));
            groups.len() - 1
        });
        groups[g].0.push(b);
        block.rows.iter().for_each(|&i| groups[g].1[i as usize] = true);
    }
    groups.into_iter().map(|(blocks, _)| blocks).collect()
}
