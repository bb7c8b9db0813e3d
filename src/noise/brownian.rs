//! A Brownian path that can be asked for any time, in any order, and is always the same.

use crate::rng::Rng;
use crate::{Error, Result};

/// Levels of the tree: from a root `2^20` units wide down to cells of `2^-40`.
const LEVELS: u32 = 60;
const REACH: u32 = 20;

/// Keeps the draws apart from those of anything else that is given the same seed.
const STREAM: u64 = 0x5bd1_e995_7b93_b0f3;

/// A virtual Brownian tree with space-time integrals: `m` independent motions `W` on the whole time axis, `W(0) = 0`, and
/// `A(t) = ∫₀ᵗ W ds`.
///
/// The path is a function of the seed and the time alone: the same for any step sizes, order of questions, and number of
/// threads, so a rejected step and an adjoint see the noise that the first attempt saw. From a root interval on, each
/// interval's increment `w` and its space-time integral `H = (1/h) ∫ (W(s) - W(a) - (s - a)/h · w) ds` are split between
/// its halves by
///
/// ```text
/// w₁ = w/2 + 3/2 H + Z,  w₂ = w - w₁,   H₁ = H/4 - Z/2 + N/2,  H₂ = H/4 - Z/2 - N/2,   Z ~ N(0, h/16),  N ~ N(0, h/12)
/// ```
///
/// (Foster, Lyons, Oberhauser, *An optimal polynomial approximation of Brownian motion*, SIAM J. Numer. Anal. 58, 2020;
/// Jelinčič, Foster, Kidger, *Single-seed generation of Brownian paths*, 2024), the draws being those of the node. Cells of
/// 2⁻⁴⁰ units are not split but filled with the parabola that has their `w` and `H`. The path of a run is descended along
/// as it proceeds, so a step costs one branch of the tree, less if its ends are dyadic.
///
/// ```
/// use flowfield::noise::Brownian;
/// let mut path = Brownian::new(7, 2);
/// let late = path.at(3.7)?.0.to_vec();
/// path.at(0.2)?;
/// assert_eq!(path.at(3.7)?.0, late);                                // in any order
/// assert_eq!(Brownian::new(7, 2).at(3.7)?.0, late);                 // and again
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Brownian {
    seed: u64,
    motions: usize,
    unit: f64,
    /// One branch of the tree, from the root down.
    branch: Vec<Node>,
    /// How many of its nodes hold for which half of the axis.
    filled: usize,
    negative: bool,
    /// Start and end of the interval asked for last.
    from: Point,
    to: Point,
}

/// `W` and `A` at the left end of an interval, and its increment and space-time integral; `motions` numbers each.
#[derive(Debug, Clone)]
struct Node {
    index: u64,
    w0: Vec<f64>,
    a0: Vec<f64>,
    w: Vec<f64>,
    h: Vec<f64>,
}

/// The path at one time.
#[derive(Debug, Clone)]
struct Point {
    t: f64,
    w: Vec<f64>,
    a: Vec<f64>,
}

impl Point {
    fn new(motions: usize) -> Self {
        Point { t: f64::NAN, w: vec![0.0; motions], a: vec![0.0; motions] }
    }
}

impl Node {
    fn new(motions: usize) -> Self {
        let zeros = || vec![0.0; motions];
        Node { index: 0, w0: zeros(), a0: zeros(), w: zeros(), h: zeros() }
    }
}

/// Width of an interval of a level, in units of time.
fn width(level: u32) -> f64 {
    f64::from(REACH as i32 - level as i32).exp2()
}

impl Brownian {
    /// The path of a seed, of `motions` independent motions.
    pub fn new(seed: u64, motions: usize) -> Self {
        Brownian {
            seed,
            motions,
            unit: 1.0,
            branch: Vec::new(),
            filled: 0,
            negative: false,
            from: Point::new(motions),
            to: Point::new(motions),
        }
    }

    /// The unit of time (default 1): the path reaches to 2²⁰ units and is resolved to 2⁻⁴⁰ of one.
    #[must_use]
    pub fn unit(self, unit: f64) -> Self {
        Brownian { unit, ..Brownian::new(self.seed, self.motions) }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How many motions.
    pub fn motions(&self) -> usize {
        self.motions
    }

    /// `W(t)` and `A(t) = ∫₀ᵗ W ds`.
    ///
    /// # Errors
    /// A time beyond 2²⁰ units, or not finite; a unit that is not positive.
    pub fn at(&mut self, t: f64) -> Result<(&[f64], &[f64])> {
        if self.to.t != t {
            std::mem::swap(&mut self.from, &mut self.to);
            self.locate(t)?;
        }
        Ok((&self.to.w, &self.to.a))
    }

    /// Writes `W(t + h) - W(t)`, and if asked `∫ (W(s) - W(t)) ds` over the step.
    ///
    /// # Errors
    /// As [`at`](Self::at).
    pub fn increments(&mut self, t: f64, h: f64, dw: &mut [f64], area: Option<&mut [f64]>) -> Result<()> {
        let end = t + h;
        if self.from.t != t {
            // The start of this step is mostly the end of the last.
            if self.to.t != t {
                self.locate(t)?;
            }
            std::mem::swap(&mut self.from, &mut self.to);
        }
        if self.to.t != end {
            self.locate(end)?;
        }
        let (from, to) = (&self.from, &self.to);
        for (dw, (b, a)) in dw.iter_mut().zip(to.w.iter().zip(&from.w)) {
            *dw = b - a;
        }
        if let Some(area) = area {
            for (i, area) in area.iter_mut().enumerate() {
                *area = (to.a[i] - from.a[i]) - (end - t) * from.w[i];
            }
        }
        Ok(())
    }

    /// Puts the path at `t` into `self.to`.
    fn locate(&mut self, t: f64) -> Result<()> {
        Error::setting(
            self.unit > 0.0,
            "the unit of time of a Brownian path",
            self.unit,
            "it must be positive",
        )?;
        let s = (t / self.unit).abs();
        let reach = width(0) * self.unit;
        if s.is_nan() || s >= width(0) {
            return Err(Error::OutsideSpan { t, t0: -reach, t1: reach });
        }
        let level = self.descend(s, t < 0.0);
        let node = &self.branch[level as usize];
        let theta = s / width(level) - node.index as f64;
        let (wide, below) = (width(level), 1.0 - theta);
        // A(t) changes sign with t: the motion of the negative half runs the other way.
        let (root, sign) = (self.unit.sqrt(), if t < 0.0 { -self.unit } else { self.unit });
        for i in 0..self.motions {
            let (w, h) = (node.w[i], node.h[i]);
            let value = node.w0[i] + theta * w + 6.0 * theta * below * h;
            let area = wide * theta * (node.w0[i] + theta * (0.5 * w + h * (3.0 - 2.0 * theta)));
            self.to.w[i] = root * value;
            self.to.a[i] = root * sign * (node.a0[i] + area);
        }
        self.to.t = t;
        Ok(())
    }

    /// Fills the branch down to the first interval that begins at `s`, or to a cell; gives its level.
    fn descend(&mut self, s: f64, negative: bool) -> u32 {
        if negative != self.negative || self.filled == 0 {
            (self.negative, self.filled) = (negative, 0);
            self.root();
        }
        for level in 0..=LEVELS {
            let index = (s / width(level)) as u64;
            let kept = self.filled > level as usize && self.branch[level as usize].index == index;
            if !kept {
                self.split(level - 1, index);
                self.filled = level as usize + 1;
            }
            if index as f64 * width(level) == s {
                return level;
            }
        }
        LEVELS
    }

    fn rng(&self, level: u32, index: u64) -> Rng {
        let side = if self.negative { !STREAM } else { STREAM };
        // Heap order: a number of its own for every node.
        Rng::new(self.seed ^ side, (1 << level) + index)
    }

    fn root(&mut self) {
        if self.branch.is_empty() {
            self.branch.push(Node::new(self.motions));
        }
        // The root shares no stream with a split: those have numbers from 1 on.
        let mut rng = Rng::new(self.seed ^ if self.negative { !STREAM } else { STREAM }, 0);
        let (root, wide) = (&mut self.branch[0], width(0));
        for (w, h) in root.w.iter_mut().zip(&mut root.h) {
            *w = wide.sqrt() * rng.normal::<f64>();
            *h = (wide / 12.0).sqrt() * rng.normal::<f64>();
        }
        self.filled = 1;
    }

    /// Writes the half `index` of the branch's interval of this level to the level below.
    fn split(&mut self, level: u32, index: u64) {
        let deep = level as usize + 1;
        if self.branch.len() == deep {
            self.branch.push(Node::new(self.motions));
        }
        let mut rng = self.rng(level, index / 2);
        let (above, below) = self.branch.split_at_mut(deep);
        let (up, node, wide) = (&above[level as usize], &mut below[0], width(level));
        let (z_scale, n_scale) = ((wide / 16.0).sqrt(), (wide / 12.0).sqrt());
        let right = index % 2 == 1;
        node.index = index;
        for i in 0..self.motions {
            let (w, h) = (up.w[i], up.h[i]);
            let z = z_scale * rng.normal::<f64>();
            let n = 0.5 * n_scale * rng.normal::<f64>();
            let (w1, mean) = (0.5 * w + 1.5 * h + z, 0.25 * h - 0.5 * z);
            if right {
                node.w0[i] = up.w0[i] + w1;
                node.a0[i] = up.a0[i] + 0.5 * wide * (up.w0[i] + 0.5 * w1 + mean + n);
                (node.w[i], node.h[i]) = (w - w1, mean - n);
            } else {
                (node.w0[i], node.a0[i]) = (up.w0[i], up.a0[i]);
                (node.w[i], node.h[i]) = (w1, mean + n);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_path_in_any_order_and_by_any_steps() {
        let mut path = Brownian::new(3, 2);
        let times = [0.1, 7.3, -2.5, 0.125, 1e5, 0.3, -1e-9];
        let first: Vec<_> = times.iter().map(|&t| path.at(t).unwrap().0.to_vec()).collect();
        for (t, w) in times.iter().zip(&first).rev() {
            assert_eq!(path.at(*t).unwrap().0, w, "{t}");
            assert_eq!(Brownian::new(3, 2).at(*t).unwrap().0, w, "{t}");
        }
        assert!(Brownian::new(4, 2).at(0.1).unwrap().0 != first[0]);
    }

    #[test]
    fn increments_and_areas_add_up() {
        let mut path = Brownian::new(1, 1);
        let (mut w, mut a, mut t) = (0.0, 0.0, -0.7);
        let whole = {
            let (mut dw, mut area) = ([0.0], [0.0]);
            path.increments(-0.7, 1.9, &mut dw, Some(&mut area)).unwrap();
            (dw[0], area[0])
        };
        for h in [0.3, 0.25, 0.65, 0.1, 0.6] {
            let (mut dw, mut area) = ([0.0], [0.0]);
            path.increments(t, h, &mut dw, Some(&mut area)).unwrap();
            a += area[0] + h * w;
            w += dw[0];
            t += h;
        }
        assert!((w - whole.0).abs() < 1e-9 && (a - whole.1).abs() < 1e-9, "{w} {a} {whole:?}");
    }

    #[test]
    fn moments_of_increments_and_areas() {
        // ΔW ~ N(0, h), ∫ΔW ~ N(0, h³/3), covariance h²/2; increments of different steps uncorrelated.
        let n = 100_000;
        let mut path = Brownian::new(5, n);
        for (t, h) in [(0.0, 0.37), (0.37, 0.5), (-3.0, 1.25)] {
            let (mut dw, mut area, mut next) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
            path.increments(t + h, h, &mut next, None).unwrap();
            path.increments(t, h, &mut dw, Some(&mut area)).unwrap();
            let mean = |f: &dyn Fn(usize) -> f64| (0..n).map(f).sum::<f64>() / n as f64;
            assert!((mean(&|i| dw[i] * dw[i]) / h - 1.0).abs() < 0.02);
            assert!((mean(&|i| area[i] * area[i]) / (h * h * h / 3.0) - 1.0).abs() < 0.02);
            assert!((mean(&|i| area[i] * dw[i]) / (h * h / 2.0) - 1.0).abs() < 0.02);
            assert!((mean(&|i| next[i] * dw[i]) / h).abs() < 0.015);
            assert!((mean(&|i| dw[i]) / h.sqrt()).abs() < 0.015);
        }
    }

    #[test]
    fn too_far_is_an_error() {
        assert!(matches!(Brownian::new(0, 1).at(2e6), Err(Error::OutsideSpan { .. })));
        assert!(Brownian::new(0, 1).unit(1e3).at(2e6).is_ok());
        assert!(matches!(Brownian::new(0, 1).unit(0.0).at(1.0), Err(Error::Setting { .. })));
    }
}
