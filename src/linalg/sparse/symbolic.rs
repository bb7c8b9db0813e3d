//! What a sparse factorisation looks like, before there are numbers.

use super::order::minimum_degree;
use crate::linalg::Pattern;

/// A run of columns that are eliminated together, and the dense matrix (*front*) in which that happens: these columns first,
/// then the rows below, which it shares with columns to come.
#[derive(Debug, Clone)]
pub(super) struct Front {
    /// First column, and how many.
    pub(super) first: usize,
    pub(super) width: usize,
    /// Rows below the columns, ascending.
    pub(super) below: Vec<u32>,
    /// Where these rows stand in the front they are passed on to.
    pub(super) places: Vec<u32>,
    /// Fronts whose rows below arrive here; in the order in which they were eliminated.
    pub(super) children: Vec<u32>,
    /// Entries of the matrix that belong here: (position of the value, place in the front).
    pub(super) entries: Vec<(u32, u32)>,
    /// Where the factors start: `width` rows of the front, then the rows below, transposed.
    pub(super) start: usize,
}

impl Front {
    /// Rows of the front.
    pub(super) fn size(&self) -> usize {
        self.width + self.below.len()
    }

    /// Numbers that the factors take.
    pub(super) fn stored(&self) -> usize {
        self.width * (self.size() + self.below.len())
    }
}

/// A plan of the factorisation of all matrices of a pattern.
#[derive(Debug, Clone)]
pub(super) struct Symbolic {
    /// `order[k]`: the column of the matrix that is eliminated as number k, and `rows[k]` the row.
    pub(super) order: Vec<u32>,
    pub(super) rows: Vec<u32>,
    pub(super) fronts: Vec<Front>,
    /// Numbers that all factors take.
    pub(super) stored: usize,
    /// Rows of the largest front.
    pub(super) largest: usize,
    /// Most numbers that wait to be passed on at any time.
    pub(super) waiting: usize,
}

impl Symbolic {
    /// The plan for a pattern with its rows in an order in which it holds the whole diagonal: `row_of[j]` comes to stand in
    /// row j.
    pub(super) fn new(pattern: &Pattern, row_of: &[u32]) -> Self {
        let stands = inverse(row_of);
        let neighbours = symmetric(pattern, &stands);
        let order = minimum_degree(neighbours.clone());
        let order = postorder(&neighbours, order);
        let at = inverse(&order);
        let fronts = merged(runs(&neighbours, &order, &at));
        let rows = order.iter().map(|&j| row_of[j as usize]).collect();
        let mut plan = Symbolic { order, rows, fronts, stored: 0, largest: 0, waiting: 0 };
        plan.link(pattern, &at, &stands);
        plan.measure();
        plan
    }

    /// Tells every front where its entries come from and where its rows go.
    fn link(&mut self, pattern: &Pattern, at: &[u32], stands: &[u32]) {
        let mut owner = vec![0; self.order.len()];
        for (s, front) in self.fronts.iter().enumerate() {
            owner[front.first..front.first + front.width].fill(s);
        }
        for (position, (i, j)) in pattern.places().enumerate() {
            let (i, j) = (at[stands[i] as usize], at[j]);
            let front = &mut self.fronts[owner[i.min(j) as usize]];
            let place = place(front, i) * front.size() as u32 + place(front, j);
            front.entries.push((position as u32, place));
        }
        for s in 0..self.fronts.len() {
            let Some(&next) = self.fronts[s].below.first() else { continue };
            let parent = owner[next as usize];
            let places = self.fronts[s].below.iter().map(|&row| place(&self.fronts[parent], row)).collect();
            self.fronts[s].places = places;
            self.fronts[parent].children.push(s as u32);
        }
    }

    fn measure(&mut self) {
        let mut waiting = 0;
        for s in 0..self.fronts.len() {
            let passed = |s: usize| self.fronts[s].below.len() * self.fronts[s].below.len();
            waiting -= self.fronts[s].children.iter().map(|&c| passed(c as usize)).sum::<usize>();
            waiting += passed(s);
            self.waiting = self.waiting.max(waiting);
            self.fronts[s].start = self.stored;
            self.stored += self.fronts[s].stored();
            self.largest = self.largest.max(self.fronts[s].size());
        }
    }
}

/// Where row `row` of the matrix stands in a front that holds it.
fn place(front: &Front, row: u32) -> u32 {
    let own = (row as usize).wrapping_sub(front.first);
    if own < front.width {
        return own as u32;
    }
    let below = front.below.binary_search(&row).unwrap_or_else(|k| k);
    (front.width + below) as u32
}

fn inverse(order: &[u32]) -> Vec<u32> {
    let mut at = vec![0; order.len()];
    order.iter().enumerate().for_each(|(k, &i)| at[i as usize] = k as u32);
    at
}

/// Who shares an entry with whom, in either direction; row i stands in row `stands[i]`.
fn symmetric(pattern: &Pattern, stands: &[u32]) -> Vec<Vec<u32>> {
    let mut neighbours = vec![Vec::new(); pattern.n()];
    let places = pattern.places().map(|(i, j)| (stands[i] as usize, j));
    for (i, j) in places.filter(|(i, j)| i != j) {
        neighbours[i].push(j as u32);
        neighbours[j].push(i as u32);
    }
    for list in &mut neighbours {
        list.sort_unstable();
        list.dedup();
    }
    neighbours
}

/// The parents in the elimination tree: the first row below the diagonal in each column of the factor. Reference: Liu, *The
/// role of elimination trees in sparse factorization*, SIAM J. Matrix Anal. Appl. 11 (1990) 134–172, section 5.
fn parents(neighbours: &[Vec<u32>], order: &[u32], at: &[u32]) -> Vec<u32> {
    let n = order.len();
    let (mut parents, mut ancestors) = (vec![NONE; n], vec![NONE; n]);
    for k in 0..n {
        for &i in &neighbours[order[k] as usize] {
            let mut node = at[i as usize];
            // Up to the root, leaving short cuts to k.
            while (node as usize) < k {
                let up = std::mem::replace(&mut ancestors[node as usize], k as u32);
                if up == NONE {
                    parents[node as usize] = k as u32;
                }
                node = if up == NONE { k as u32 } else { up };
            }
        }
    }
    parents
}

const NONE: u32 = u32::MAX;

/// The same elimination with every subtree in one piece.
fn postorder(neighbours: &[Vec<u32>], order: Vec<u32>) -> Vec<u32> {
    let n = order.len();
    let parents = parents(neighbours, &order, &inverse(&order));
    let mut children = vec![Vec::new(); n];
    let mut open = Vec::new();
    for k in (0..n).rev() {
        if parents[k] == NONE { open.push(k as u32) } else { children[parents[k] as usize].push(k as u32) }
    }
    // Roots and children lie on the stack with the last on top: what comes off is reversed.
    open.reverse();
    let mut reversed = Vec::with_capacity(n);
    while let Some(k) = open.pop() {
        reversed.push(order[k as usize]);
        children[k as usize].reverse();
        open.append(&mut children[k as usize]);
    }
    reversed.reverse();
    reversed
}

/// Runs of columns with the same rows below: each column's rows are its entries and the rows of its children.
fn runs(neighbours: &[Vec<u32>], order: &[u32], at: &[u32]) -> Vec<Front> {
    let n = order.len();
    let mut fronts: Vec<Front> = Vec::new();
    // Fronts that wait for the column they pass their rows to.
    let mut waiting: Vec<Vec<u32>> = vec![Vec::new(); n];
    let mut seen = vec![NONE; n];
    for k in 0..n {
        let mut rows: Vec<u32> = Vec::new();
        let mut note = |i: u32| {
            if i as usize > k && std::mem::replace(&mut seen[i as usize], k as u32) != k as u32 {
                rows.push(i);
            }
        };
        neighbours[order[k] as usize].iter().for_each(|&i| note(at[i as usize]));
        let children = std::mem::take(&mut waiting[k]);
        children.iter().for_each(|&c| fronts[c as usize].below.iter().for_each(|&i| note(i)));
        rows.sort_unstable();
        let goes_on = fronts
            .last()
            .is_some_and(|f| f.below.first() == Some(&(k as u32)) && f.below.len() == rows.len() + 1);
        if goes_on {
            let last = fronts.len() - 1;
            fronts[last].width += 1;
            fronts[last].below = rows;
        } else {
            let (children, places, entries) = (Vec::new(), Vec::new(), Vec::new());
            fronts.push(Front { first: k, width: 1, below: rows, places, children, entries, start: 0 });
        }
        let last = fronts.len() - 1;
        if let Some(&next) = fronts[last].below.first() {
            waiting[next as usize].push(last as u32);
        }
    }
    fronts
}

/// Joins fronts to those that follow them where that stores few zeros: fewer, larger fronts are faster.
fn merged(fronts: Vec<Front>) -> Vec<Front> {
    // Each with the zeros it holds.
    let mut done: Vec<(Front, usize)> = Vec::new();
    for mut front in fronts {
        let mut zeros = 0;
        while let Some((child, held)) = done.last() {
            if child.below.first().is_none_or(|&next| next as usize >= front.first + front.width) {
                break;
            }
            let (width, size) = (child.width + front.width, child.width + front.size());
            let total = held + zeros + child.width * (front.size() - child.below.len());
            let share = total as f64 / (width * (2 * size - width)) as f64 * 2.0;
            // Davis, *Direct Methods for Sparse Linear Systems*; the limits of CHOLMOD.
            let few = match width {
                0..=4 => true,
                5..=16 => share < 0.8,
                17..=48 => share < 0.1,
                _ => share < 0.05,
            };
            if !few {
                break;
            }
            (front.first, front.width, zeros) = (child.first, width, total);
            done.pop();
        }
        done.push((front, zeros));
    }
    done.into_iter().map(|(front, _)| front).collect()
}
