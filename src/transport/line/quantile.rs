//! The monotone map between two samples on the line.

use ndarray::Array1;

use super::sort::{number, sorted_keys};
use super::wasserstein::check_line;
use crate::{Real, Result};

/// The map `Q_v ∘ F_u` that carries one sample to another without crossing, the optimal one for every convex cost.
///
/// Both distribution functions run linearly between the sorted points, which stand at the levels
/// `(k + 1/2) / n`; beyond the ends the map goes on with slope one.
///
/// ```
/// use flowfield::transport::QuantileMap;
/// use ndarray::array;
/// let map = QuantileMap::new(&array![0.0, 1.0, 2.0], &array![10.0, 12.0, 14.0])?;
/// assert_eq!((map.at(1.0), map.at(0.5), map.at(3.0)), (12.0, 11.0, 15.0));
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct QuantileMap {
    u: Vec<f64>,
    v: Vec<f64>,
}

impl QuantileMap {
    /// The map from the sample `u` to the sample `v`; sizes may differ.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) and [`Error::NotFinite`](crate::Error::NotFinite).
    pub fn new<F: Real>(u: &Array1<F>, v: &Array1<F>) -> Result<Self> {
        check_line("the first sample", u)?;
        check_line("the second sample", v)?;
        let sorted = |x: &Array1<F>| sorted_keys(x.iter().copied()).into_iter().map(number::<F>).collect();
        Ok(QuantileMap { u: sorted(u), v: sorted(v) })
    }

    /// Where `x` goes.
    pub fn at(&self, x: f64) -> f64 {
        let (low, high) = (self.u[0], self.u[self.u.len() - 1]);
        if x <= low {
            return self.quantile(self.level(low)) + (x - low);
        }
        if x >= high {
            return self.quantile(self.level(high)) + (x - high);
        }
        self.quantile(self.level(x))
    }

    /// The level of x in [0, n): between the points below and above.
    fn level(&self, x: f64) -> f64 {
        // Of repeated points the middle one.
        let (first, end) = (self.u.partition_point(|u| *u < x), self.u.partition_point(|u| *u <= x));
        let rank = match first {
            first if end > first => (first + end - 1) as f64 / 2.0,
            0 => 0.0,
            k => k as f64 - 1.0 + (x - self.u[k - 1]) / (self.u[k] - self.u[k - 1]),
        };
        (rank + 0.5) / self.u.len() as f64
    }

    fn quantile(&self, level: f64) -> f64 {
        let last = self.v.len() - 1;
        let rank = (level * self.v.len() as f64 - 0.5).clamp(0.0, last as f64);
        let (below, part) = (rank as usize, rank.fract());
        self.v[below] * (1.0 - part) + self.v[(below + 1).min(last)] * part
    }
}
