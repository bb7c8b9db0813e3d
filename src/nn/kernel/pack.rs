//! A matrix laid out in the order in which the product kernels read it.

use super::{Buffer, GROUP, Isa, padded};
use crate::Real;
use crate::precision::Format;

/// A `depth × width` matrix in panels: each panel holds `depth` rows of one to four groups of columns,
/// zero-padded at the right end.
#[derive(Debug)]
pub(crate) struct Pack<F> {
    data: Buffer<F>,
    depth: usize,
    width: usize,
    /// Groups in the widest panel.
    widest: usize,
}

impl<F: Real> Pack<F> {
    /// Room for a `depth × width` matrix, zero.
    pub(crate) fn new(depth: usize, width: usize, isa: Isa) -> Self {
        let widest = widest_panel::<F>(isa);
        Pack { data: Buffer::zeros(depth * padded(width)), depth, width, widest }
    }

    /// Groups of columns.
    pub(crate) fn groups(&self) -> usize {
        padded(self.width) / GROUP
    }

    /// Columns.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// The panels as (first group, groups in the panel, numbers).
    pub(crate) fn panels(&self) -> impl Iterator<Item = (usize, usize, &[F])> {
        panels(self.groups(), self.widest)
            .map(|(g, n)| (g, n, &self.data[at(self.depth, g)..at(self.depth, g + n)]))
    }

    /// Fills from a row-major `depth × width` matrix.
    pub(crate) fn fill(&mut self, source: &[F]) {
        let (depth, width) = (self.depth, self.width);
        for (group, groups) in panels(self.groups(), self.widest) {
            let columns = group * GROUP..((group + groups) * GROUP).min(width);
            let panel = &mut self.data[at(depth, group)..at(depth, group + groups)];
            for (to, from) in panel.chunks_exact_mut(groups * GROUP).zip(source.chunks_exact(width)) {
                to[..columns.len()].copy_from_slice(&from[columns.clone()]);
            }
        }
    }

    /// Rounds what it holds.
    pub(crate) fn round(&mut self, format: Format) {
        format.round_all(&mut self.data);
    }

    /// Fills with the transpose of a row-major `width × depth` matrix.
    pub(crate) fn fill_transposed(&mut self, source: &[F]) {
        let (depth, width) = (self.depth, self.width);
        for (group, groups) in panels(self.groups(), self.widest) {
            let panel = &mut self.data[at(depth, group)..at(depth, group + groups)];
            for part in 0..groups {
                let first = (group + part) * GROUP;
                let rows = &source[first * depth..((first + GROUP).min(width)) * depth];
                transpose_group(rows, depth, &mut panel[part * GROUP..], groups * GROUP);
            }
        }
    }
}

/// Start of a group in the packed data.
fn at(depth: usize, group: usize) -> usize {
    depth * group * GROUP
}

/// Writes up to 16 rows of length `depth` as columns.
fn transpose_group<F: Real>(rows: &[F], depth: usize, to: &mut [F], stride: usize) {
    if rows.len() == GROUP * depth {
        let rows: [&[F]; GROUP] = std::array::from_fn(|l| &rows[l * depth..][..depth]);
        for (p, to) in to.chunks_mut(stride).enumerate().take(depth) {
            let to = &mut to[..GROUP];
            for l in 0..GROUP {
                to[l] = rows[l][p];
            }
        }
        return;
    }
    for (l, row) in rows.chunks_exact(depth).enumerate() {
        row.iter().enumerate().for_each(|(p, &v)| to[p * stride + l] = v);
    }
}

/// Groups in the widest panel: as many as the accumulators of a tile leave registers for.
fn widest_panel<F>(isa: Isa) -> usize {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => 16 / size_of::<F>(),
        _ => 1,
    }
}

/// Cuts `groups` into panels of 4, 2 or 1 groups, at most `widest`: (first, how many).
pub(super) fn panels(groups: usize, widest: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let left = groups - next;
        let take = [4, 2, 1].into_iter().find(|&n| n <= widest && n <= left)?;
        next += take;
        Some((next - take, take))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_orientations_hold_the_same_matrix() {
        for (depth, width) in [(3, 64), (65, 2), (7, 130), (1, 17)] {
            let w: Vec<f64> = (0..depth * width).map(|i| i as f64).collect();
            let t: Vec<f64> = (0..width * depth).map(|i| w[i % depth * width + i / depth]).collect();
            for &isa in Isa::available() {
                let (mut a, mut b) = (Pack::new(depth, width, isa), Pack::new(depth, width, isa));
                a.fill(&w);
                b.fill_transposed(&t);
                assert_eq!(&a.data[..], &b.data[..]);
                let sum: f64 = a.panels().flat_map(|p| p.2).sum();
                assert_eq!(sum, w.iter().sum::<f64>());
            }
        }
    }
}
