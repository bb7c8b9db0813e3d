//! Where the network simplex begins: dual potentials from a thinned problem, and a tree from those.

use super::scan::{Collect, Smallest, column_minima, row_minima};
use super::simplex::{HotArc, NetworkSimplex};
use super::strata::Sample;
use super::tree::{Arc, Tree};
use crate::simd::Isa;
use crate::transport::{Cost, MatrixCost};

/// Problems up to this size start from their column minima.
const SMALL: usize = 48;
/// Candidate arcs kept for every row and for every column.
const NEIGHBOURS: usize = 8;

/// Potentials of the targets that are nearly optimal: those of a quarter of the points, each with the mass of its
/// neighbourhood, extended to the others by `g_j = min_i c_ij - f_i`, recursively.
pub(crate) fn coarse_duals<C: Cost + ?Sized>(cost: &C, a: &[f64], b: &[f64]) -> Vec<f64> {
    let (n, m) = (a.len(), b.len());
    if n.min(m) <= SMALL {
        return column_minima(cost, (0..n).map(|i| (i, 0.0)));
    }
    let (rows, columns) = (Sample::of_sources(cost, a), Sample::of_targets(cost, b));
    let small = MatrixCost::thinned(cost, &rows.kept, &columns.kept);
    let (f, _) = NetworkSimplex::new().optimum(&small, &rows.mass, &columns.mass, None);
    column_minima(cost, rows.kept.into_iter().zip(f))
}

/// Potentials tightened from a guess, and the arcs of least reduced cost of every row and every column.
pub(super) fn candidates<C: Cost + ?Sized>(cost: &C, guess: &[f64]) -> (Vec<f64>, Vec<f64>, Vec<HotArc>) {
    let (n, m) = cost.shape();
    let isa = Isa::detect();
    let f = row_minima(cost, guess);
    let g = column_minima(cost, f.iter().copied().enumerate());
    let (mut row, mut columns) = (Smallest::new(1, NEIGHBOURS), Smallest::new(m, NEIGHBOURS));
    let mut scratch = vec![0.0; m];
    let mut arcs = Vec::with_capacity((n + m) * NEIGHBOURS);
    for (i, &f) in f.iter().enumerate() {
        let c = cost.row(i, &mut scratch);
        row.clear(f64::INFINITY);
        let in_columns = Some(&mut columns);
        isa.run(Collect { c, g: &g, f, row: i, in_row: &mut row, in_columns });
        arcs.extend(row.list(0).map(|(_, j)| HotArc::new(cost, i, j as usize)));
    }
    for j in 0..m {
        arcs.extend(columns.list(j).map(|(_, i)| HotArc::new(cost, i as usize, j)));
    }
    arcs.sort_unstable_by_key(|arc| (arc.tail, arc.head));
    arcs.dedup_by_key(|arc| (arc.tail, arc.head));
    (f, g, arcs)
}

/// A feasible tree: mass is sent along the arcs of least reduced cost first, and what is left over goes over the
/// root. Every arc that is used empties one of its ends, so the arcs form a forest, in each tree of which at most
/// one node has something left; that node, or any source, hangs from the root.
///
/// The arcs at the root cost what the potentials say plus `detour`. Returns whether all mass has found a place on arcs
/// of reduced cost zero, which proves the tree optimal.
pub(super) fn plant(
    tree: &mut Tree,
    (a, b): (&[f64], &[f64]),
    (f, g): (&[f64], &[f64]),
    arcs: &[HotArc],
    detour: f64,
) -> bool {
    let n = a.len();
    let mut left: Vec<f64> = a.iter().chain(b).copied().collect();
    let sent = greedy(arcs, n, (f, g), &mut left);
    let mut neighbours = vec![Vec::new(); left.len()];
    for &(i, j, flow, cost) in &sent {
        neighbours[i].push((j, flow, cost));
        neighbours[j].push((i, flow, cost));
    }
    tree.reset(left.len() + 1);
    let root = left.len() as u32;
    let mut seen = vec![false; left.len()];
    let with_rest = (0..left.len()).filter(|&x| left[x] > 0.0);
    for top in with_rest.chain(0..left.len()) {
        if std::mem::replace(&mut seen[top], true) {
            continue;
        }
        tree.hang(top as u32, root, root_arc((top, left[top]), (f, g), detour));
        let mut open = vec![top];
        while let Some(x) = open.pop() {
            for &(y, flow, cost) in &neighbours[x] {
                if !std::mem::replace(&mut seen[y], true) {
                    tree.hang(y as u32, x as u32, Arc { flow, cost, up: y < n });
                    open.push(y);
                }
            }
        }
    }
    tree.settle(&tree.order());
    let is_tight = |&(i, j, _, cost): &(usize, usize, f64, f64)| cost - f[i] <= g[j - n];
    left.iter().all(|rest| *rest == 0.0) && sent.iter().all(is_tight)
}

/// The arc between the root and a node with so much left over.
fn root_arc((node, rest): (usize, f64), (f, g): (&[f64], &[f64]), detour: f64) -> Arc {
    let n = f.len();
    let extra = if rest > 0.0 { detour } else { 0.0 };
    if node < n {
        return Arc { flow: rest, cost: f[node] + extra, up: true };
    }
    // Without flow an arc must point to the root, for the tree to be strongly feasible.
    match rest == 0.0 {
        true => Arc { flow: 0.0, cost: -g[node - n], up: true },
        false => Arc { flow: rest, cost: g[node - n] + extra, up: false },
    }
}

/// Sends as much as fits along each arc, in the order of reduced costs: (source, target's node, mass, cost).
fn greedy(
    arcs: &[HotArc],
    n: usize,
    (f, g): (&[f64], &[f64]),
    left: &mut [f64],
) -> Vec<(usize, usize, f64, f64)> {
    let mut order: Vec<(f64, u32)> = arcs
        .iter()
        .enumerate()
        .map(|(k, arc)| (arc.cost - f[arc.tail as usize] - g[arc.head as usize - n], k as u32))
        .collect();
    order.sort_unstable_by(|p, q| p.0.total_cmp(&q.0).then(p.1.cmp(&q.1)));
    let mut sent = Vec::with_capacity(left.len());
    for (_, k) in order {
        let arc = &arcs[k as usize];
        let (i, j) = (arc.tail as usize, arc.head as usize);
        let flow = left[i].min(left[j]);
        if flow > 0.0 {
            left[i] -= flow;
            left[j] -= flow;
            sent.push((i, j, flow, arc.cost));
        }
    }
    sent
}
