//! The draws of a training step: ends of paths, times, points on the paths and what is to be learnt there.

use std::sync::Arc;

use ndarray::{Array2, Axis, s};

use super::coupling::Coupling;
use super::path::{Path, Straight};
use super::prediction::Prediction;
use super::source::Source;
use super::time_law::TimeLaw;
use crate::rng::Rng;
use crate::state::check_rows;
use crate::{Error, Real, Result};

/// What is drawn, and the last that was.
#[derive(Clone)]
pub(super) struct Draws<'a, F: Real> {
    pub data: &'a Array2<F>,
    pub rows: usize,
    pub condition: Option<&'a Array2<F>>,
    /// Probability with which a condition is replaced by zeros.
    pub dropout: f64,
    pub source: Source<'a, F>,
    pub coupling: Coupling<'a, F>,
    /// Rows that are paired at a time, where not the minibatch.
    pub pool: Option<usize>,
    pub condition_weight: Option<f64>,
    pub path: Arc<dyn Path + 'a>,
    pub time: TimeLaw<'a>,
    pub target: Prediction,
    pub seed: u64,
    pub step: u64,
    pub batch: Option<Batch<F>>,
}

/// The minibatch.
#[derive(Clone)]
pub(super) struct Batch<F> {
    /// Sources and rows of the data of a pool, in pairs, and the pool's number.
    x0: Array2<F>,
    x1: Vec<usize>,
    number: Option<u64>,
    /// First row of the minibatch in the pool.
    first: usize,
    /// Rows `[x_t | t | condition]`.
    pub input: Array2<F>,
    /// What is to be predicted there.
    pub target: Array2<F>,
}

impl<'a, F: Real> Draws<'a, F> {
    pub fn new(data: &'a Array2<F>, rows: usize) -> Self {
        Draws {
            data,
            rows,
            condition: None,
            dropout: 0.0,
            source: Source::Normal,
            coupling: Coupling::Independent,
            pool: None,
            condition_weight: None,
            path: Arc::new(Straight),
            time: TimeLaw::Uniform,
            target: Prediction::Velocity,
            seed: 0,
            step: 0,
            batch: None,
        }
    }

    /// Columns of a row `[x_t | t | condition]`.
    pub fn width(&self) -> usize {
        self.data.ncols() + 1 + self.condition.map_or(0, |c| c.ncols())
    }

    pub fn check(&self) -> Result<()> {
        let (rows, d) = self.data.dim();
        if rows == 0 || d == 0 {
            return Err(Error::Empty { what: "the data" });
        }
        Error::setting(self.rows > 0, "the batch size", self.rows as f64, "it must be at least 1")?;
        let (pool, paired) = (self.pool_rows(), self.paired_rows());
        let need = "it must be a multiple of the batch size, or divide it";
        let fits = paired > 0 && pool.is_multiple_of(self.rows) && pool.is_multiple_of(paired);
        Error::setting(fits, "the coupling's batch", paired as f64, need)?;
        if pool > rows {
            return Err(Error::BatchTooLarge { batch: pool, rows });
        }
        let need = "a probability lies in [0, 1]";
        Error::setting((0.0..=1.0).contains(&self.dropout), "the condition's dropout", self.dropout, need)?;
        if let Some(w) = self.condition_weight {
            let need = "it must be 0 or positive; infinity pairs equal conditions only";
            Error::setting(w >= 0.0, "the condition's weight", w, need)?;
        }
        if let Some(c) = self.condition {
            Error::shape("the condition", &[rows, c.ncols()], c.shape())?;
        }
        let need = "a score is learnt as the noise: see Coefficients::convert";
        Error::setting(self.target != Prediction::Score, "the score as a target", 0.0, need)?;
        self.time.check()?;
        self.path.check()?;
        check_rows("the data", self.data)?;
        if let Some(c) = self.condition {
            check_rows("the condition", c)?;
        }
        self.source.check(d)?;
        self.coupling.check(rows, d)
    }

    /// Rows that are paired with each other.
    fn paired_rows(&self) -> usize {
        if self.coupling.pairs_pools() { self.pool.unwrap_or(self.rows) } else { self.rows }
    }

    /// Rows that are drawn at a time.
    fn pool_rows(&self) -> usize {
        self.paired_rows().max(self.rows)
    }

    /// Draws the next minibatch.
    pub fn draw(&mut self) -> Result<()> {
        let pool_rows = self.pool_rows();
        let steps_per_pool = (pool_rows / self.rows).max(1) as u64;
        let mut batch = self.batch.take().unwrap_or_else(|| self.empty(pool_rows));
        let number = self.step / steps_per_pool;
        let outcome = match batch.number == Some(number) {
            true => Ok(()),
            false => self.fill_pool(number, &mut batch),
        };
        batch.first = (self.step % steps_per_pool) as usize * self.rows;
        self.place(&mut Rng::new(self.seed, 2 * self.step + 1), &mut batch);
        self.step += 1;
        self.batch = Some(batch);
        outcome
    }

    fn empty(&self, pool: usize) -> Batch<F> {
        let d = self.data.ncols();
        Batch {
            x0: Array2::zeros((pool, d)),
            x1: vec![0; pool],
            number: None,
            first: 0,
            input: Array2::zeros((self.rows, self.width())),
            target: Array2::zeros((self.rows, d)),
        }
    }

    /// Draws the pairs of a pool; a pool depends on its number alone.
    fn fill_pool(&self, number: u64, batch: &mut Batch<F>) -> Result<()> {
        let mut rng = Rng::new(self.seed, 2 * number);
        batch.number = Some(number);
        batch.x1.iter_mut().for_each(|i| *i = rng.below(self.data.nrows()));
        if let Coupling::Paired(x0) = self.coupling {
            batch.x0.rows_mut().into_iter().zip(&batch.x1).for_each(|(mut row, &i)| row.assign(&x0.row(i)));
            return Ok(());
        }
        self.source.fill(&mut rng, &mut batch.x0);
        if !self.coupling.pairs_pools() {
            return Ok(());
        }
        let paired = self.paired_rows();
        for first in (0..batch.x1.len()).step_by(paired) {
            let x0 = batch.x0.slice(s![first..first + paired, ..]).to_owned();
            self.pair(&x0, &mut batch.x1[first..first + paired], &mut rng)?;
        }
        Ok(())
    }

    /// Brings rows of the data into the order of their sources.
    fn pair(&self, x0: &Array2<F>, x1: &mut [usize], rng: &mut Rng) -> Result<()> {
        let data = self.data.select(Axis(0), x1);
        let priced = self.priced(x0, &data, x1);
        let mut partner: Vec<usize> = (0..x1.len()).collect();
        self.coupling.pair((x0, &data), priced.as_ref(), rng, &mut partner)?;
        let before = x1.to_vec();
        x1.iter_mut().zip(partner).for_each(|(i, j)| *i = before[j]);
        Ok(())
    }

    /// Sources and data of a pool with their scaled conditions appended, where there are any. A source bears the
    /// condition of the data that it was drawn with.
    fn priced(&self, x0: &Array2<F>, x1: &Array2<F>, rows: &[usize]) -> Option<(Array2<f64>, Array2<f64>)> {
        let c = self.condition?.select(Axis(0), rows);
        let scale = self.condition_scale(x0, x1, &c).sqrt();
        let (n, d) = x0.dim();
        let append = |x: &Array2<F>| {
            let cell = |(i, k): (usize, usize)| match k < d {
                true => x[[i, k]].f64(),
                false => scale * c[[i, k - d]].f64(),
            };
            Array2::from_shape_fn((n, d + c.ncols()), cell)
        };
        Some((append(x0), append(x1)))
    }

    /// What a squared distance between conditions costs. By default classes (one-hot rows) are never mixed, and other
    /// conditions cost on average as much as the points.
    fn condition_scale(&self, x0: &Array2<F>, x1: &Array2<F>, c: &Array2<F>) -> f64 {
        let one_hot = |row: ndarray::ArrayView1<'_, F>| {
            row.iter().all(|&v| v == F::zero() || v == F::one())
                && row.iter().filter(|&&v| v == F::one()).count() == 1
        };
        let classes = self.condition_weight.is_none() && c.rows().into_iter().all(one_hot);
        match self.condition_weight {
            Some(w) if w.is_finite() => w,
            // More than any exchange within the conditions could save.
            Some(_) => x0.nrows() as f64 * diagonal(&[x0, x1]) / least_gap(c),
            None if classes => x0.nrows() as f64 * diagonal(&[x0, x1]),
            None => mean_gap(x0, x1) / mean_gap(c, c).max(f64::MIN_POSITIVE),
        }
    }

    /// Places points on the paths.
    fn place(&self, rng: &mut Rng, batch: &mut Batch<F>) {
        let d = self.data.ncols();
        let (first, rows) = (batch.first, self.rows);
        let x0 = batch.x0.slice(s![first..first + rows, ..]);
        let pairs = x0.rows().into_iter().zip(&batch.x1[first..first + rows]);
        let places = batch.input.rows_mut().into_iter().zip(batch.target.rows_mut());
        for ((mut input, mut target), (x0, &i)) in places.zip(pairs) {
            let t = self.time.draw::<F>(rng);
            let c = self.path.at(t.f64());
            let [a, b, a_dot, b_dot] = [c.alpha, c.beta, c.alpha_dot, c.beta_dot].map(F::of);
            let x1 = self.data.row(i);
            for k in 0..d {
                input[k] = a * x0[k] + b * x1[k];
                target[k] = match self.target {
                    Prediction::Velocity => a_dot * x0[k] + b_dot * x1[k],
                    Prediction::Data => x1[k],
                    _ => x0[k],
                };
            }
            if c.gamma != 0.0 || c.gamma_dot != 0.0 {
                let [gamma, gamma_dot] = [c.gamma, c.gamma_dot].map(F::of);
                let (share, scale) = (F::of(c.alpha / c.noise().0), F::of(c.gamma / c.noise().0));
                for k in 0..d {
                    let z: F = rng.normal();
                    input[k] += gamma * z;
                    match self.target {
                        Prediction::Velocity => target[k] += gamma_dot * z,
                        Prediction::Data => {}
                        _ => target[k] = share * target[k] + scale * z,
                    }
                }
            }
            input[d] = t;
            if let Some(c) = self.condition {
                let dropped = self.dropout > 0.0 && rng.uniform::<f64>() < self.dropout;
                for (k, &value) in c.row(i).iter().enumerate() {
                    input[d + 1 + k] = if dropped { F::zero() } else { value };
                }
            }
        }
    }
}

impl<F: Real> Batch<F> {
    /// Writes the two ends of the minibatch's paths as rows `[x | t | condition]`.
    pub fn ends(&self, data: &Array2<F>, start: &mut Array2<F>, end: &mut Array2<F>) {
        let d = data.ncols();
        start.assign(&self.input);
        end.assign(&self.input);
        for k in 0..start.nrows() {
            let at = self.first + k;
            start.slice_mut(s![k, ..d]).assign(&self.x0.row(at));
            end.slice_mut(s![k, ..d]).assign(&data.row(self.x1[at]));
            (start[[k, d]], end[[k, d]]) = (F::zero(), F::one());
        }
    }
}

/// Squared diagonal of the box around some points.
fn diagonal<F: Real>(clouds: &[&Array2<F>]) -> f64 {
    let column = |k: usize| {
        let values = clouds.iter().flat_map(|x| x.column(k)).map(|v| v.f64());
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)))
    };
    let d = clouds.first().map_or(0, |x| x.ncols());
    (0..d).map(column).map(|(lo, hi)| (hi - lo).powi(2)).sum::<f64>().max(f64::MIN_POSITIVE)
}

/// Mean squared distance between rows of two clouds.
fn mean_gap<F: Real>(x: &Array2<F>, y: &Array2<F>) -> f64 {
    let (n, m) = (x.nrows() as f64, y.nrows() as f64);
    let moments = |x: &Array2<F>, k: usize| {
        let sum: f64 = x.column(k).iter().map(|v| v.f64()).sum();
        (sum / x.nrows() as f64, x.column(k).iter().map(|v| v.f64().powi(2)).sum::<f64>())
    };
    (0..x.ncols())
        .map(|k| {
            let ((mx, sx), (my, sy)) = (moments(x, k), moments(y, k));
            sx / n + sy / m - 2.0 * mx * my
        })
        .sum()
}

/// Least positive squared distance between rows.
fn least_gap<F: Real>(c: &Array2<F>) -> f64 {
    let gap = |i: usize, j: usize| -> f64 {
        c.row(i).iter().zip(c.row(j)).map(|(a, b)| (a.f64() - b.f64()).powi(2)).sum()
    };
    let pairs = (0..c.nrows()).flat_map(|i| (0..i).map(move |j| (i, j)));
    let least = pairs.map(|(i, j)| gap(i, j)).filter(|&g| g > 0.0).fold(f64::INFINITY, f64::min);
    if least.is_finite() { least } else { 1.0 }
}
