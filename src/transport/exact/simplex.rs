//! The network simplex method for the transport problem.

use ndarray::Array1;

use super::scan::{Collect, Smallest, largest, row_minima};
use super::start::{candidates, coarse_duals, plant};
use super::tree::{Arc, Tree};
use crate::simd::Isa;
use crate::transport::cost::{check, stored};
use crate::transport::weights::balanced;
use crate::transport::{Cost, Plan};
use crate::{Real, Result};

/// An arc that is priced often.
#[derive(Debug, Clone, Copy)]
pub(super) struct HotArc {
    pub tail: u32,
    /// The target's node: its index plus the number of sources.
    pub head: u32,
    pub cost: f64,
}

impl HotArc {
    pub(super) fn new<C: Cost + ?Sized>(cost: &C, i: usize, j: usize) -> Self {
        HotArc { tail: i as u32, head: (cost.shape().0 + j) as u32, cost: cost.at(i, j) }
    }

    #[inline]
    fn reduced(&self, y: &[f64]) -> f64 {
        self.cost + y[self.tail as usize] - y[self.head as usize]
    }
}

/// Entering arcs that one sweep over a row may add.
const NEW_PER_ROW: usize = 6;
/// Sweeps over all arcs, and pivots per node between two of them: far more than any problem needs; they only bound
/// what round-off could do. What is left then shows in the certificate.
const ROUNDS: usize = 2000;
const PIVOTS: usize = 1000;
/// A reduced cost counts as negative below this times the numbers it is the difference of.
const ROUND_OFF: f64 = 4e-15;

/// Exact transport between any weights, by the network simplex method.
///
/// The tree starts from the potentials of a thinned problem, solved recursively; pivots are chosen by blocks from a
/// list of promising arcs; and sweeps over all `n m` reduced costs refill the list until nothing is negative, which
/// proves optimality. Costs are computed on the fly in O(n + m) memory beside the list (a matrix is stored where an
/// entry is dear and there is room). A solver that is used again on a problem of the same size starts from its last
/// potentials: that helps where weights or points moved a little.
///
/// # Complexity
/// O(n m) for a sweep, of which there are about ten; pivots grow like n^1.5 in practice.
///
/// # References
/// Ahuja, Magnanti and Orlin, *Network Flows* (1993), chapter 11; strongly feasible trees: Cunningham 1976; block
/// search: Király and Kovács, arXiv 1207.6381.
///
/// ```
/// use flowfield::transport::{CostFn, NetworkSimplex};
/// use ndarray::array;
/// let cost = CostFn::new(2, 3, |i, j| (i as f64 - j as f64).abs());
/// let plan = NetworkSimplex::new().solve(&cost, &array![0.5, 0.5], &array![0.25, 0.25, 0.5])?;
/// assert_eq!(plan.cost, 0.75);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct NetworkSimplex {
    tree: Tree,
    hot: Vec<HotArc>,
    last: Vec<f64>,
    pivots: usize,
}

impl NetworkSimplex {
    /// A solver without memory of earlier problems.
    pub fn new() -> Self {
        Self::default()
    }

    /// The cheapest plan with row sums `a` and column sums `b`.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty), [`CostNotFinite`](crate::Error::CostNotFinite), and for weights
    /// [`Shape`](crate::Error::Shape), [`Weight`](crate::Error::Weight),
    /// [`WeightSums`](crate::Error::WeightSums).
    pub fn solve<F: Real, C: Cost + ?Sized>(
        &mut self,
        cost: &C,
        a: &Array1<F>,
        b: &Array1<F>,
    ) -> Result<Plan> {
        check(cost)?;
        let (a, b) = balanced(a, b, cost.shape())?;
        let guess = (self.last.len() == b.len()).then(|| std::mem::take(&mut self.last));
        let (f, g) = match stored(cost) {
            Some(matrix) => self.optimum(&matrix, &a, &b, guess),
            None => self.optimum(cost, &a, &b, guess),
        };
        self.last.clone_from(&g);
        Ok(Plan::certified(cost, (&a, &b), self.entries(a.len()), f, g, self.pivots))
    }

    /// Leaves the optimal tree; returns feasible potentials that prove it.
    pub(super) fn optimum<C: Cost + ?Sized>(
        &mut self,
        cost: &C,
        a: &[f64],
        b: &[f64],
        guess: Option<Vec<f64>>,
    ) -> (Vec<f64>, Vec<f64>) {
        let n = a.len();
        let guess = guess.unwrap_or_else(|| coarse_duals(cost, a, b));
        let (f, g, arcs) = candidates(cost, &guess);
        let slack = |arc: &HotArc| arc.cost - f[arc.tail as usize] - g[arc.head as usize - n];
        let mut detour = arcs.iter().map(slack).fold(0.0, f64::max);
        let size = largest(cost).max(f64::MIN_POSITIVE / 1e-9);
        detour = detour.max(1e-9 * size);
        let tight = plant(&mut self.tree, (a, b), (&f, &g), &arcs, detour);
        (self.hot, self.pivots) = (arcs, 0);
        if tight {
            return (f, g);
        }
        let total: f64 = a.iter().sum();
        loop {
            self.descend(cost, n);
            // Mass that goes over the root although nothing can be improved: the detour was too cheap. Beyond a few
            // times the largest cost every straight way is cheaper, and what is left is round-off.
            if self.over_root() <= 1e-14 * total || detour > 64.0 * size {
                break;
            }
            self.raise(7.0 * detour);
            detour *= 8.0;
        }
        self.settle(a, b);
        let g: Vec<f64> = self.tree.y[n..n + b.len()].to_vec();
        (row_minima(cost, &g), g)
    }

    /// Pivots until no arc at all has a negative reduced cost.
    fn descend<C: Cost + ?Sized>(&mut self, cost: &C, n: usize) {
        for _ in 0..ROUNDS {
            self.pivot_hot();
            let order = self.tree.order();
            self.tree.settle_potentials(&order);
            if !self.price(cost, n) {
                return;
            }
        }
    }

    /// Pivots until no arc of the list has a negative reduced cost: the most negative of each block enters.
    fn pivot_hot(&mut self) {
        let block = ((self.hot.len() as f64).sqrt() as usize).clamp(16, 1024);
        let (mut at, mut clean) = (0, 0);
        let most = self.pivots + PIVOTS * self.tree.nodes();
        while clean < self.hot.len() && self.pivots < most {
            let end = (at + block).min(self.hot.len());
            let y = &self.tree.y;
            let (mut least, mut best) = (0.0, None);
            for arc in &self.hot[at..end] {
                let r = arc.reduced(y);
                if r < least {
                    (least, best) = (r, Some(*arc));
                }
            }
            clean += end - at;
            at = if end == self.hot.len() { 0 } else { end };
            if let Some(arc) = best
                && least < -self.round_off(&arc)
            {
                self.tree.pivot(arc.tail, arc.head, arc.cost);
                self.pivots += 1;
                clean = 0;
            }
        }
    }

    fn round_off(&self, arc: &HotArc) -> f64 {
        let y = |x: u32| self.tree.y[x as usize].abs();
        ROUND_OFF * arc.cost.abs().max(y(arc.tail)).max(y(arc.head))
    }

    /// Sweeps over all arcs and lists the most negative of every row; whether there were any.
    fn price<C: Cost + ?Sized>(&mut self, cost: &C, n: usize) -> bool {
        self.prune();
        let m = cost.shape().1;
        let isa = Isa::detect();
        let (mut scratch, mut list) = (vec![0.0; m], Smallest::new(1, NEW_PER_ROW));
        let known = self.hot.len();
        for i in 0..n {
            list.clear(-0.0);
            let c = cost.row(i, &mut scratch);
            let g = &self.tree.y[n..n + m];
            isa.run(Collect { c, g, f: -self.tree.y[i], row: i, in_row: &mut list, in_columns: None });
            for (_, j) in list.list(0) {
                let arc = HotArc::new(cost, i, j as usize);
                // As the pivots will see it: a row of costs may be rounded in another way.
                if arc.reduced(&self.tree.y) < -self.round_off(&arc) {
                    self.hot.push(arc);
                }
            }
        }
        self.hot.len() > known
    }

    /// Drops the arcs of largest reduced cost once the list is long.
    fn prune(&mut self) {
        let most = 48 * self.tree.nodes();
        if self.hot.len() > most {
            let y = &self.tree.y;
            self.hot.select_nth_unstable_by(most / 2, |p, q| p.reduced(y).total_cmp(&q.reduced(y)));
            self.hot.truncate(most / 2);
        }
    }

    fn over_root(&self) -> f64 {
        let root = self.tree.nodes() as u32 - 1;
        (0..root).filter(|&x| self.tree.parent(x) == root).map(|x| self.tree.arc(x).flow).sum()
    }

    /// Makes the arcs at the root dearer.
    fn raise(&mut self, by: f64) {
        let root = self.tree.nodes() as u32 - 1;
        for x in 0..root {
            if self.tree.parent(x) == root {
                self.tree.set_cost(x, self.tree.arc(x).cost + by);
            }
        }
        let order = self.tree.order();
        self.tree.settle_potentials(&order);
    }

    /// Flows from the weights and the tree alone, without the round-off that pivots collect.
    fn settle(&mut self, a: &[f64], b: &[f64]) {
        let mut surplus: Vec<f64> = a.iter().copied().chain(b.iter().map(|b| -b)).chain([0.0]).collect();
        for &x in self.tree.order()[1..].iter().rev() {
            let over = surplus[x as usize];
            surplus[self.tree.parent(x) as usize] += over;
            self.tree.set_flow(x, if self.tree.arc(x).up { over } else { -over });
        }
    }

    /// The arcs with flow between sources and targets.
    fn entries(&self, n: usize) -> Vec<(usize, usize, f64)> {
        let root = self.tree.nodes() as u32 - 1;
        let arc = |x: u32| {
            let (parent, flow) = (self.tree.parent(x), self.tree.arc(x).flow);
            let (i, j) = if (x as usize) < n { (x, parent) } else { (parent, x) };
            (parent != root && flow > 0.0).then(|| (i as usize, j as usize - n, flow))
        };
        let mut entries: Vec<_> = (0..root).filter_map(arc).collect();
        self.mend(n, &mut entries);
        entries
    }

    /// What round-off has left at the root goes straight from the sources that have too much to the targets that
    /// have too little.
    fn mend(&self, n: usize, entries: &mut Vec<(usize, usize, f64)>) {
        let root = self.tree.nodes() as u32 - 1;
        let (mut over, mut under) = (Vec::new(), Vec::new());
        for x in (0..root).filter(|&x| self.tree.parent(x) == root) {
            let Arc { flow, up, .. } = self.tree.arc(x);
            match (if up { flow } else { -flow }, (x as usize) < n) {
                (rest, true) if rest > 0.0 => over.push((x as usize, rest)),
                (rest, false) if rest < 0.0 => under.push((x as usize - n, -rest)),
                _ => {}
            }
        }
        let mut targets = under.into_iter();
        let mut open = targets.next();
        for (i, mut rest) in over {
            while let Some((j, room)) = open.filter(|_| rest > 0.0) {
                let flow = rest.min(room);
                entries.push((i, j, flow));
                rest -= flow;
                open = if room > flow { Some((j, room - flow)) } else { targets.next() };
            }
        }
    }
}
