//! The spanning tree of the network simplex.
//!
//! Nodes are sources, then targets, then one root. Every node but the root hangs from its parent by an arc
//! that carries flow. Children are linked lists, so that re-hanging a path costs its length, and subtree sizes
//! find the cycle of an entering arc (Ahuja, Magnanti and Orlin, *Network Flows*, 1993, section 11.5).

/// No node.
pub(super) const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Links {
    parent: u32,
    first: u32,
    next: u32,
    previous: u32,
    size: u32,
    /// Whether the arc to the parent points from the node to it.
    up: bool,
}

/// The arc from a node to its parent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arc {
    pub flow: f64,
    pub cost: f64,
    pub up: bool,
}

#[derive(Debug, Default)]
pub(super) struct Tree {
    links: Vec<Links>,
    flow: Vec<f64>,
    cost: Vec<f64>,
    /// Potentials: `cost = y[head] - y[tail]` on every tree arc.
    pub y: Vec<f64>,
}

impl Tree {
    /// `nodes` loose nodes, the last of them the root.
    pub(super) fn reset(&mut self, nodes: usize) {
        let alone = Links { parent: NONE, first: NONE, next: NONE, previous: NONE, size: 1, up: true };
        self.links.clear();
        self.links.resize(nodes, alone);
        for numbers in [&mut self.flow, &mut self.cost, &mut self.y] {
            numbers.clear();
            numbers.resize(nodes, 0.0);
        }
    }

    pub(super) fn nodes(&self) -> usize {
        self.links.len()
    }

    pub(super) fn parent(&self, x: u32) -> u32 {
        self.links[x as usize].parent
    }

    pub(super) fn arc(&self, x: u32) -> Arc {
        let i = x as usize;
        Arc { flow: self.flow[i], cost: self.cost[i], up: self.links[i].up }
    }

    pub(super) fn set_flow(&mut self, x: u32, flow: f64) {
        self.flow[x as usize] = flow;
    }

    pub(super) fn set_cost(&mut self, x: u32, cost: f64) {
        self.cost[x as usize] = cost;
    }

    /// Hangs `x` under `parent`; sizes are not touched.
    pub(super) fn hang(&mut self, x: u32, parent: u32, arc: Arc) {
        let sibling = std::mem::replace(&mut self.links[parent as usize].first, x);
        let links = &mut self.links[x as usize];
        (links.parent, links.previous, links.next, links.up) = (parent, NONE, sibling, arc.up);
        if sibling != NONE {
            self.links[sibling as usize].previous = x;
        }
        (self.flow[x as usize], self.cost[x as usize]) = (arc.flow, arc.cost);
    }

    fn unhang(&mut self, x: u32) {
        let Links { parent, next, previous, .. } = self.links[x as usize];
        match previous {
            NONE => self.links[parent as usize].first = next,
            previous => self.links[previous as usize].next = next,
        }
        if next != NONE {
            self.links[next as usize].previous = previous;
        }
    }

    /// The node after `x` in depth-first order below `top`, leaving out what is below `x` if `skip`.
    #[inline]
    fn following(&self, mut x: u32, top: u32, skip: bool) -> Option<u32> {
        let first = self.links[x as usize].first;
        if first != NONE && !skip {
            return Some(first);
        }
        loop {
            if x == top {
                return None;
            }
            let links = &self.links[x as usize];
            if links.next != NONE {
                return Some(links.next);
            }
            x = links.parent;
        }
    }

    /// All nodes, parents first.
    pub(super) fn order(&self) -> Vec<u32> {
        let root = self.nodes() as u32 - 1;
        std::iter::successors(Some(root), |&x| self.following(x, root, false)).collect()
    }

    /// Sizes and potentials from the links and costs.
    pub(super) fn settle(&mut self, order: &[u32]) {
        self.links.iter_mut().for_each(|l| l.size = 1);
        for &x in order[1..].iter().rev() {
            let Links { parent, size, .. } = self.links[x as usize];
            self.links[parent as usize].size += size;
        }
        self.settle_potentials(order);
    }

    /// Potentials from the costs, without the round-off that shifts collect.
    pub(super) fn settle_potentials(&mut self, order: &[u32]) {
        self.y[order[0] as usize] = 0.0;
        for &x in &order[1..] {
            let Links { parent, up, .. } = self.links[x as usize];
            let (above, c) = (self.y[parent as usize], self.cost[x as usize]);
            self.y[x as usize] = if up { above - c } else { above + c };
        }
    }

    /// Brings the arc from `tail` to `head` into the tree, and takes the arc out that blocks its cycle.
    ///
    /// Of several that block, the last one met when the cycle is run through from its top in the direction of
    /// the new arc: this keeps the tree strongly feasible, so that no sequence of pivots without progress repeats
    /// (Cunningham, Math. Programming 11, 1976).
    pub(super) fn pivot(&mut self, tail: u32, head: u32, cost: f64) {
        let top = self.meet(tail, head);
        let (mut delta, mut out, mut tail_side) = (f64::INFINITY, NONE, true);
        self.climb(tail, top, |x, up, flow| {
            if up && *flow < delta {
                (delta, out) = (*flow, x);
            }
        });
        self.climb(head, top, |x, up, flow| {
            if !up && *flow <= delta {
                (delta, out, tail_side) = (*flow, x, false);
            }
        });
        // Every cycle of a bipartite graph has an arc in the other direction.
        debug_assert!(out != NONE);
        if delta > 0.0 {
            self.climb(tail, top, |_, up, flow| *flow += if up { -delta } else { delta });
            self.climb(head, top, |_, up, flow| *flow += if up { delta } else { -delta });
        }
        let r = cost + self.y[tail as usize] - self.y[head as usize];
        let arc = Arc { flow: delta, cost, up: tail_side };
        if tail_side {
            self.shift(out, -r);
            self.rehang(out, tail, head, top, arc);
        } else {
            self.shift(out, r);
            self.rehang(out, head, tail, top, arc);
        }
    }

    /// The lowest node above both.
    fn meet(&self, mut a: u32, mut b: u32) -> u32 {
        while a != b {
            let (la, lb) = (&self.links[a as usize], &self.links[b as usize]);
            if la.size < lb.size {
                a = la.parent;
            } else {
                b = lb.parent;
            }
        }
        a
    }

    #[inline]
    fn climb(&mut self, mut x: u32, top: u32, mut visit: impl FnMut(u32, bool, &mut f64)) {
        while x != top {
            let Links { parent, up, .. } = self.links[x as usize];
            visit(x, up, &mut self.flow[x as usize]);
            x = parent;
        }
    }

    /// Adds to the potentials below `out` relative to the others: whichever side is smaller moves.
    fn shift(&mut self, out: u32, by: f64) {
        let root = self.nodes() as u32 - 1;
        if 2 * self.links[out as usize].size as usize <= self.nodes() {
            let mut at = Some(out);
            while let Some(x) = at {
                self.y[x as usize] += by;
                at = self.following(x, out, false);
            }
        } else {
            let mut at = Some(root);
            while let Some(x) = at {
                if x != out {
                    self.y[x as usize] -= by;
                }
                at = self.following(x, root, x == out);
            }
        }
    }

    /// Turns the path from `inner` up to `out` around and hangs it under `under`.
    fn rehang(&mut self, out: u32, inner: u32, under: u32, top: u32, arc: Arc) {
        let size = self.links[out as usize].size;
        self.resize(self.parent(out), top, size.wrapping_neg());
        self.resize(under, top, size);
        let (mut x, mut parent, mut arc, mut below) = (inner, under, arc, 0);
        loop {
            let (above, old) = (self.parent(x), self.arc(x));
            self.unhang(x);
            self.hang(x, parent, arc);
            let new = size - below;
            below = std::mem::replace(&mut self.links[x as usize].size, new);
            if x == out {
                return;
            }
            (parent, arc, x) = (x, Arc { up: !old.up, ..old }, above);
        }
    }

    fn resize(&mut self, mut x: u32, top: u32, by: u32) {
        while x != top {
            let links = &mut self.links[x as usize];
            links.size = links.size.wrapping_add(by);
            x = links.parent;
        }
    }
}
