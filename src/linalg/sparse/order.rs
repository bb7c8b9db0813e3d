//! An order of elimination that keeps a sparse factorisation sparse.

/// An order of elimination by approximate minimum degree: `order[k]` is the node to be eliminated as number k.
/// `neighbours`: for each node the others it shares an entry with, in both directions.
///
/// Eliminating a node joins its neighbours. They are kept as an *element*, one list for all of them, not as edges; nodes
/// that have become indistinguishable are eliminated together. Reference: Amestoy, Davis, Duff, *An approximate minimum
/// degree ordering algorithm*, SIAM J. Matrix Anal. Appl. 17 (1996) 886–905.
pub(super) fn minimum_degree(neighbours: Vec<Vec<u32>>) -> Vec<u32> {
    let n = neighbours.len();
    let mut graph = Graph::new(neighbours);
    let mut pivots = Vec::new();
    let mut eliminated = 0;
    while eliminated < n {
        let pivot = graph.queue.pop();
        eliminated += graph.eliminate(pivot, n - eliminated);
        pivots.push(pivot as u32);
    }
    let mut order = Vec::with_capacity(n);
    let mut open = Vec::new();
    for pivot in pivots {
        open.push(pivot);
        while let Some(node) = open.pop() {
            order.push(node);
            open.append(&mut graph.followers[node as usize]);
        }
    }
    order
}

/// The graph of what is left to eliminate.
struct Graph {
    /// Nodes joined to a node by an edge that no element covers.
    edges: Vec<Vec<u32>>,
    /// Elements a node belongs to. An element bears the name of the node whose elimination made it.
    elements: Vec<Vec<u32>>,
    /// Nodes of an element; empty if it is gone.
    members: Vec<Vec<u32>>,
    /// How many nodes of the matrix a node of an element stands for, summed over the element.
    size: Vec<usize>,
    /// How many nodes of the matrix a node stands for; 0 when it is gone.
    weight: Vec<usize>,
    /// Nodes that are eliminated right after a node.
    followers: Vec<Vec<u32>>,
    queue: Queue,
    /// Which nodes, and which elements, have been seen in the current round.
    seen: Vec<u32>,
    outside_seen: Vec<u32>,
    /// Size of an element without the pivot's neighbours.
    outside: Vec<usize>,
    round: u32,
}

impl Graph {
    fn new(edges: Vec<Vec<u32>>) -> Self {
        let n = edges.len();
        let mut queue = Queue::new(n);
        edges.iter().enumerate().for_each(|(i, e)| queue.push(i, e.len()));
        Graph {
            edges,
            elements: vec![Vec::new(); n],
            members: vec![Vec::new(); n],
            size: vec![0; n],
            weight: vec![1; n],
            followers: vec![Vec::new(); n],
            queue,
            seen: vec![0; n],
            outside_seen: vec![0; n],
            outside: vec![0; n],
            round: 0,
        }
    }

    /// Eliminates a node and those that have nothing but it to be joined to; how many nodes of the matrix that were.
    fn eliminate(&mut self, pivot: usize, left: usize) -> usize {
        self.round += 1;
        let mut members = self.neighbourhood(pivot);
        let mut done = std::mem::replace(&mut self.weight[pivot], 0);
        self.measure_overlaps(&members);
        for &i in &members {
            done += self.prune(i as usize, pivot);
        }
        members.retain(|&i| self.weight[i as usize] > 0);
        let size: usize = members.iter().map(|&i| self.weight[i as usize]).sum();
        self.merge_equals(&members);
        members.retain(|&i| self.weight[i as usize] > 0);
        for &i in &members {
            let degree = self.degree(i as usize, size, left - done);
            self.queue.push(i as usize, degree);
        }
        (self.members[pivot], self.size[pivot]) = (members, size);
        done
    }

    /// The nodes that are joined when the pivot goes; its elements are gone into the new one.
    fn neighbourhood(&mut self, pivot: usize) -> Vec<u32> {
        let mut found = std::mem::take(&mut self.edges[pivot]);
        found.retain(|&i| self.weight[i as usize] > 0);
        found.iter().for_each(|&i| self.seen[i as usize] = self.round);
        self.seen[pivot] = self.round;
        for e in std::mem::take(&mut self.elements[pivot]) {
            for i in std::mem::take(&mut self.members[e as usize]) {
                if self.weight[i as usize] > 0 && self.seen[i as usize] != self.round {
                    self.seen[i as usize] = self.round;
                    found.push(i);
                }
            }
        }
        found.iter().for_each(|&i| self.queue.remove(i as usize));
        found
    }

    /// For every element that touches the pivot's neighbours: how much of it lies outside of them.
    fn measure_overlaps(&mut self, members: &[u32]) {
        for &i in members {
            for &e in &self.elements[i as usize] {
                let e = e as usize;
                if std::mem::replace(&mut self.outside_seen[e], self.round) != self.round {
                    self.outside[e] = self.size[e];
                }
                self.outside[e] -= self.weight[i as usize];
            }
        }
    }

    /// Drops from a neighbour's lists what the new element covers. A node left with nothing else follows the pivot.
    fn prune(&mut self, i: usize, pivot: usize) -> usize {
        let (members, outside) = (&self.members, &self.outside);
        self.elements[i].retain(|&e| !members[e as usize].is_empty() && outside[e as usize] > 0);
        let (weight, seen, round) = (&self.weight, &self.seen, self.round);
        self.edges[i].retain(|&k| weight[k as usize] > 0 && seen[k as usize] != round);
        if self.elements[i].is_empty() && self.edges[i].is_empty() {
            self.followers[pivot].push(i as u32);
            return std::mem::replace(&mut self.weight[i], 0);
        }
        self.elements[i].push(pivot as u32);
        0
    }

    /// Makes one node of those with the same edges and elements.
    fn merge_equals(&mut self, members: &[u32]) {
        let key = |graph: &Self, i: u32| {
            let (a, b) = (&graph.edges[i as usize], &graph.elements[i as usize]);
            (a.iter().chain(b).map(|&k| u64::from(k)).sum::<u64>(), a.len(), b.len())
        };
        let mut keyed: Vec<_> = members.iter().map(|&i| (key(self, i), i)).collect();
        keyed.sort_unstable();
        for (at, &(key, i)) in keyed.iter().enumerate() {
            let i = i as usize;
            let others =
                || keyed[at + 1..].iter().take_while(|other| other.0 == key).map(|other| other.1 as usize);
            if self.weight[i] == 0 || others().next().is_none() {
                continue;
            }
            self.round += 1;
            let own = self.edges[i].iter().chain(&self.elements[i]);
            own.for_each(|&k| self.seen[k as usize] = self.round);
            for j in others().filter(|&j| self.weight[j] > 0).collect::<Vec<_>>() {
                let mut theirs = self.edges[j].iter().chain(&self.elements[j]);
                if theirs.all(|&k| self.seen[k as usize] == self.round) {
                    self.weight[i] += std::mem::replace(&mut self.weight[j], 0);
                    self.followers[i].push(j as u32);
                    (self.edges[j], self.elements[j]) = (Vec::new(), Vec::new());
                }
            }
        }
    }

    /// A bound of the number of nodes that eliminating this one would join: elements may overlap elsewhere.
    fn degree(&self, i: usize, new: usize, left: usize) -> usize {
        let edges: usize = self.edges[i].iter().map(|&k| self.weight[k as usize]).sum();
        let elements = &self.elements[i][..self.elements[i].len() - 1];
        let others: usize = elements.iter().map(|&e| self.outside[e as usize]).sum();
        let own = self.weight[i];
        (edges + others + new - own).min(left - own)
    }
}

/// Nodes by their degree.
struct Queue {
    first: Vec<u32>,
    next: Vec<u32>,
    previous: Vec<u32>,
    degree: Vec<usize>,
    least: usize,
}

const NONE: u32 = u32::MAX;

impl Queue {
    fn new(n: usize) -> Self {
        Queue {
            first: vec![NONE; n + 1],
            next: vec![NONE; n],
            previous: vec![NONE; n],
            degree: vec![0; n],
            least: n,
        }
    }

    fn push(&mut self, i: usize, degree: usize) {
        self.degree[i] = degree;
        let after = std::mem::replace(&mut self.first[degree], i as u32);
        (self.next[i], self.previous[i]) = (after, NONE);
        if after != NONE {
            self.previous[after as usize] = i as u32;
        }
        self.least = self.least.min(degree);
    }

    fn remove(&mut self, i: usize) {
        let (before, after) = (self.previous[i], self.next[i]);
        if before == NONE {
            self.first[self.degree[i]] = after
        } else {
            self.next[before as usize] = after
        }
        if after != NONE {
            self.previous[after as usize] = before;
        }
    }

    /// A node of least degree; there is one.
    fn pop(&mut self) -> usize {
        while self.first[self.least] == NONE {
            self.least += 1;
        }
        let i = self.first[self.least] as usize;
        self.remove(i);
        i
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries of the Cholesky factor of a graph eliminated in an order.
    pub(super) fn fill(neighbours: &[Vec<u32>], order: &[u32]) -> usize {
        let n = order.len();
        let mut at = vec![0; n];
        order.iter().enumerate().for_each(|(k, &i)| at[i as usize] = k);
        let mut rows: Vec<Vec<usize>> = vec![Vec::new(); n];
        for (i, list) in neighbours.iter().enumerate() {
            rows[at[i]] = list.iter().map(|&k| at[k as usize]).filter(|&k| k > at[i]).collect();
        }
        let mut total = n;
        for k in 0..n {
            rows[k].sort_unstable();
            rows[k].dedup();
            total += rows[k].len();
            if let Some((&parent, rest)) = rows[k].clone().split_first() {
                rows[parent].extend_from_slice(rest);
            }
        }
        total
    }

    fn grid(m: usize) -> Vec<Vec<u32>> {
        let near = |k: usize| {
            let (i, j) = (k / m, k % m);
            let sides = [
                (i > 0, k.wrapping_sub(m)),
                (i + 1 < m, k + m),
                (j > 0, k.wrapping_sub(1)),
                (j + 1 < m, k + 1),
            ];
            sides.into_iter().filter(|s| s.0).map(|s| s.1 as u32).collect()
        };
        (0..m * m).map(near).collect()
    }

    #[test]
    fn a_grid_fills_as_little_as_is_known_of_the_method() {
        let m = 40;
        let order = minimum_degree(grid(m));
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(sorted.iter().enumerate().all(|(k, &i)| k == i as usize), "not a permutation");
        // Row by row the factor of a grid has m³ entries; (31/4) n log2 n + O(n) is nested dissection's bound.
        let entries = fill(&grid(m), &order);
        assert!(entries < 27_000, "{entries}");
    }

    #[test]
    fn a_tree_does_not_fill() {
        let star: Vec<Vec<u32>> = (0..30).map(|i| if i == 0 { (1..30).collect() } else { vec![0] }).collect();
        assert_eq!(fill(&star, &minimum_degree(star.clone())), 30 + 29);
        let none = vec![Vec::new(); 3];
        assert_eq!(minimum_degree(none).len(), 3);
    }
}
