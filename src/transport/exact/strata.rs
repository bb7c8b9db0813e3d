//! Which points a thinned problem keeps: neighbours are grouped, and one of each group stands for all.

use crate::rng::Rng;
use crate::transport::Cost;

/// One point in so many is kept, and at most `LARGEST`.
const THINNING: usize = 4;
const LARGEST: usize = 1024;
/// Pairs of points on the other side that a split may choose from, and points that it judges them by.
const PAIRS: usize = 3;
const JUDGES: usize = 9;

/// Points kept, and the mass of the group that each stands for.
pub(super) struct Sample {
    pub kept: Vec<usize>,
    pub mass: Vec<f64>,
}

impl Sample {
    /// Of the sources, with these weights.
    pub(super) fn of_sources<C: Cost + ?Sized>(cost: &C, a: &[f64]) -> Self {
        Self::new(a, cost.shape().1, &|i, j| cost.at(i, j))
    }

    /// Of the targets, with these weights.
    pub(super) fn of_targets<C: Cost + ?Sized>(cost: &C, b: &[f64]) -> Self {
        Self::new(b, cost.shape().0, &|j, i| cost.at(i, j))
    }

    fn new(weights: &[f64], others: usize, cost: &dyn Fn(usize, usize) -> f64) -> Self {
        let n = weights.len();
        let groups = n.div_ceil(THINNING).min(LARGEST);
        let mut points: Vec<(f64, u32)> = (0..n as u32).map(|i| (0.0, i)).collect();
        let sample = Sample { kept: Vec::with_capacity(groups), mass: Vec::with_capacity(groups) };
        let mut split = Split { weights, others, cost, rng: Rng::new(0, 0), sample };
        split.divide(&mut points, groups);
        split.sample
    }
}

/// Halves a side again and again at the median of `c(·, j) - c(·, k)` for two points j, k of the other side: for squared
/// distances that is a coordinate, for others near enough, and it asks for nothing but costs.
struct Split<'a> {
    weights: &'a [f64],
    others: usize,
    cost: &'a dyn Fn(usize, usize) -> f64,
    rng: Rng,
    sample: Sample,
}

impl Split<'_> {
    fn divide(&mut self, points: &mut [(f64, u32)], groups: usize) {
        let (j, k) = self.widest(points);
        for (key, i) in &mut *points {
            *key = (self.cost)(*i as usize, j) - (self.cost)(*i as usize, k);
        }
        let order = |p: &(f64, u32), q: &(f64, u32)| p.0.total_cmp(&q.0).then(p.1.cmp(&q.1));
        if groups == 1 {
            points.sort_unstable_by(order);
            return self.keep(points);
        }
        let left = groups / 2;
        let middle = points.len() * left / groups;
        points.select_nth_unstable_by(middle, order);
        let (low, high) = points.split_at_mut(middle);
        self.divide(low, left);
        self.divide(high, groups - left);
    }

    /// Of a few pairs, the one whose difference of costs varies most over the points.
    fn widest(&mut self, points: &[(f64, u32)]) -> (usize, usize) {
        let (mut best, mut widest) = ((0, 0), -1.0);
        for _ in 0..PAIRS {
            let (j, k) = (self.rng.below(self.others), self.rng.below(self.others));
            let step = points.len().div_ceil(JUDGES);
            let keys = points
                .iter()
                .step_by(step)
                .map(|&(_, i)| (self.cost)(i as usize, j) - (self.cost)(i as usize, k));
            let (least, most) =
                keys.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, m), c| (c.min(l), c.max(m)));
            if most - least > widest {
                (best, widest) = ((j, k), most - least);
            }
        }
        best
    }

    /// The point at the middle of a group's mass stands for it.
    fn keep(&mut self, group: &[(f64, u32)]) {
        let mass: f64 = group.iter().map(|&(_, i)| self.weights[i as usize]).sum();
        let mut below = 0.0;
        let reaches_half = |&&(_, i): &&(f64, u32)| {
            below += self.weights[i as usize];
            below >= 0.5 * mass
        };
        let middle = group.iter().find(reaches_half).unwrap_or(&group[0]);
        self.sample.kept.push(middle.1 as usize);
        self.sample.mass.push(mass);
    }
}
