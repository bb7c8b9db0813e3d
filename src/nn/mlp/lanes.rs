//! Dealing the blocks of a batch to lanes, and the lanes to threads.

use std::ops::Range;

use super::block::Block;
use super::tape::Lane;

/// Some lanes with the blocks they are to do, and those blocks' part of the result.
pub(super) struct Share<'a, F> {
    pub lanes: &'a mut [Lane<F>],
    /// Records of the blocks, if kept.
    pub kept: &'a mut [Block<F>],
    /// Rows of the result, if there is one.
    pub out: &'a mut [F],
    /// The blocks.
    pub blocks: Range<usize>,
    /// Rows in a block, and in all.
    pub per_block: usize,
    pub rows: usize,
    /// Numbers in a row of the result.
    pub width: usize,
}

/// One block in the hands of a lane.
pub(super) struct Job<'a, F> {
    pub first: usize,
    pub rows: usize,
    pub lane: &'a mut Lane<F>,
    /// The kept record, if any; otherwise the lane's own block is to be used.
    pub kept: Option<&'a mut Block<F>>,
    pub out: &'a mut [F],
}

impl<'a, F: Send> Share<'a, F> {
    /// Runs `block` on every block and `merge(left, right)` up the binary tree of lanes, in parallel.
    ///
    /// The tree depends on the number of lanes alone, so the sums are the same for any number of threads.
    pub(super) fn run(
        self,
        block: &(impl Fn(Job<'_, F>) + Sync),
        merge: &(impl Fn(&mut Lane<F>, &Lane<F>) + Sync),
    ) -> Option<&'a mut Lane<F>> {
        if self.lanes.len() <= 1 {
            return self.serial(block);
        }
        let (left, right) = self.halve();
        let (left, right) = rayon::join(|| left.run(block, merge), || right.run(block, merge));
        match (left, right) {
            (Some(left), Some(right)) => {
                merge(left, right);
                Some(left)
            }
            (left, right) => left.or(right),
        }
    }

    fn halve(self) -> (Self, Self) {
        let half = self.lanes.len().div_ceil(2);
        let cut = self.blocks.start + (self.blocks.len() * half).div_ceil(self.lanes.len());
        let (lanes, right_lanes) = self.lanes.split_at_mut(half);
        let (kept, right_kept) = self.kept.split_at_mut((cut - self.blocks.start).min(self.kept.len()));
        let rows =
            (cut.min(self.blocks.end) * self.per_block).min(self.rows) - self.blocks.start * self.per_block;
        let (out, right_out) = self.out.split_at_mut(rows * self.width);
        let (per_block, rows, width) = (self.per_block, self.rows, self.width);
        let left = Share { lanes, kept, out, blocks: self.blocks.start..cut, per_block, rows, width };
        let blocks = cut..self.blocks.end;
        (left, Share { lanes: right_lanes, kept: right_kept, out: right_out, blocks, per_block, rows, width })
    }

    fn serial(self, block: &impl Fn(Job<'_, F>)) -> Option<&'a mut Lane<F>> {
        let lane = self.lanes.first_mut()?;
        let (mut kept, mut out) = (self.kept.iter_mut(), self.out);
        for index in self.blocks {
            let first = index * self.per_block;
            let rows = self.per_block.min(self.rows - first);
            let (now, later) = out.split_at_mut(rows * self.width);
            out = later;
            block(Job { first, rows, lane: &mut *lane, kept: kept.next(), out: now });
        }
        Some(lane)
    }
}
