//! Drawing samples, and finding their way back.

use std::fmt;
use std::ops::ControlFlow;

use ndarray::{Array1, Array2, ArrayRef2, Axis, s};

use crate::integrate::{Integrator, Rk4};
use crate::nn::{Network, VelocityField};
use crate::{Error, Flow, Real, Result};

/// The times between which a sampler steps.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TimeGrid {
    /// `n` equal steps.
    Uniform(usize),
    /// `n` steps, short at both ends: `t_k = (1 - cos(πk/n)) / 2`.
    Cosine(usize),
    /// These times, from 0 to 1 in order.
    Times(Vec<f64>),
}

impl TimeGrid {
    /// The times, from 0 to 1.
    ///
    /// # Errors
    /// [`Error::Setting`] for no steps, and [`Error::OutputTime`] for times that do not go from 0 to 1.
    pub fn times(&self) -> Result<Vec<f64>> {
        let times: Vec<f64> = match self {
            TimeGrid::Uniform(n) => (0..=*n).map(|k| k as f64 / *n as f64).collect(),
            TimeGrid::Cosine(n) => {
                (0..=*n).map(|k| 0.5 - 0.5 * (std::f64::consts::PI * k as f64 / *n as f64).cos()).collect()
            }
            TimeGrid::Times(times) => times.clone(),
        };
        Error::setting(
            times.len() > 1,
            "the number of steps",
            times.len() as f64 - 1.0,
            "it must be at least 1",
        )?;
        let outside = |index: usize| Error::OutputTime { index, t: times[index], t0: 0.0, t1: 1.0 };
        if let Some(k) =
            (1..times.len()).find(|&k| times[k].partial_cmp(&times[k - 1]).is_none_or(|o| o.is_le()))
        {
            return Err(outside(k));
        }
        match (times[0].abs() < 1e-12, (times[times.len() - 1] - 1.0).abs() < 1e-12) {
            (false, _) => Err(outside(0)),
            (_, false) => Err(outside(times.len() - 1)),
            _ => Ok(times),
        }
    }
}

/// Samples from a trained velocity network: any integrator, any grid, in chunks, forward and back.
///
/// ```
/// use flowfield::{dataset::normal, integrate::Heun, matching::{Sampler, TimeGrid}, nn::{Mlp, Network}};
/// let net = Mlp::velocity(2, &[16]);
/// let theta = net.init(0);
/// let noise = normal::<f64>((1_000, 2), 1);
/// let sampler = Sampler::new(&net, &theta).grid(TimeGrid::Cosine(40)).chunk(256);
/// let x = sampler.decode(&noise, Heun::new)?;
/// let z = sampler.encode(&x, Heun::new)?;                                  // inversion
/// assert!((&z - &noise).iter().all(|d| d.abs() < 1e-2));
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct Sampler<'a, F: Real, N: Network<F>> {
    net: &'a N,
    theta: &'a Array1<F>,
    condition: Option<&'a Array2<F>>,
    guidance: Option<F>,
    grid: TimeGrid,
    chunk: usize,
    observer: Option<&'a Observer<'a>>,
}

impl<F: Real, N: Network<F>> fmt::Debug for Sampler<'_, F, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampler")
            .field("grid", &self.grid)
            .field("chunk", &self.chunk)
            .finish_non_exhaustive()
    }
}

/// Told of rows done and rows in all; stops the run by `Break`.
type Observer<'a> = dyn Fn(usize, usize) -> ControlFlow<()> + 'a;

impl<'a, F: Real, N: Network<F>> Sampler<'a, F, N> {
    /// With 20 equal steps and 4096 rows at a time.
    pub fn new(net: &'a N, theta: &'a Array1<F>) -> Self {
        let grid = TimeGrid::Uniform(20);
        Sampler { net, theta, condition: None, guidance: None, grid, chunk: 4096, observer: None }
    }

    /// A condition for each row.
    #[must_use]
    pub fn condition(mut self, rows: &'a Array2<F>) -> Self {
        self.condition = Some(rows);
        self
    }

    /// The weight of [`guidance`](VelocityField::guidance).
    #[must_use]
    pub fn guidance(mut self, weight: F) -> Self {
        self.guidance = Some(weight);
        self
    }

    /// The times between which to step.
    #[must_use]
    pub fn grid(mut self, grid: TimeGrid) -> Self {
        self.grid = grid;
        self
    }

    /// Rows that are moved at a time: what bounds the memory. The samples do not depend on it.
    #[must_use]
    pub fn chunk(mut self, rows: usize) -> Self {
        self.chunk = rows;
        self
    }

    /// Calls `observer(rows done, rows in all)` after every chunk; `Break` stops with [`Error::Stopped`].
    #[must_use]
    pub fn on_chunk(mut self, observer: &'a Observer<'a>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Where the flow takes the rows of `z` from t = 0 to t = 1.
    ///
    /// # Errors
    /// What the field refuses, a grid or chunk that means nothing, the observer's stop.
    pub fn decode<I: Integrator<Array2<F>>>(
        &self,
        z: &Array2<F>,
        method: impl Fn() -> I,
    ) -> Result<Array2<F>> {
        self.run(z, &self.grid.times()?, method)
    }

    /// Where they came from: the flow backward, from t = 1 to t = 0.
    ///
    /// # Errors
    /// Those of [`decode`](Self::decode).
    pub fn encode<I: Integrator<Array2<F>>>(
        &self,
        x: &Array2<F>,
        method: impl Fn() -> I,
    ) -> Result<Array2<F>> {
        let mut times = self.grid.times()?;
        times.reverse();
        self.run(x, &times, method)
    }

    /// `steps` rows on the way from `a` to `b`, ends included, by interpolation of their noise on the sphere.
    ///
    /// # Errors
    /// Those of [`decode`](Self::decode), and shapes that differ.
    pub fn interpolate(&self, a: &Array1<F>, b: &Array1<F>, steps: usize) -> Result<Array2<F>> {
        Error::shape("the second end", a.shape(), b.shape())?;
        Error::setting(steps >= 2, "the number of rows", steps as f64, "it must be at least 2")?;
        let ends = ndarray::stack![Axis(0), *a, *b];
        let z = self.encode(&ends, Rk4::new)?;
        let way = slerp(&z.row(0).to_owned(), &z.row(1).to_owned(), steps);
        self.decode(&way, Rk4::new)
    }

    fn run<I: Integrator<Array2<F>>>(
        &self,
        from: &Array2<F>,
        times: &[f64],
        method: impl Fn() -> I,
    ) -> Result<Array2<F>> {
        Error::setting(self.chunk > 0, "the chunk", self.chunk as f64, "it must be at least 1 row")?;
        if let Some(c) = self.condition {
            Error::shape("the condition", &[from.nrows(), c.ncols()], c.shape())?;
        }
        let mut all = from.as_standard_layout().into_owned();
        for first in (0..all.nrows()).step_by(self.chunk) {
            let rows = s![first..(first + self.chunk).min(from.nrows()), ..];
            let mut x = all.slice(rows).to_owned();
            let condition = self.condition.map(|c| c.slice(rows).to_owned());
            let mut flow = Flow::new(self.field(condition.as_deref()), method()).start_at(F::of(times[0]));
            for pair in times.windows(2) {
                flow.step(F::of(pair[1] - pair[0]), &mut x)?;
            }
            all.slice_mut(rows).assign(&x);
            let done = (first + self.chunk).min(from.nrows());
            if self.observer.is_some_and(|o| o(done, from.nrows()).is_break()) {
                return Err(Error::Stopped { t: times[times.len() - 1], steps: (times.len() - 1) as u64 });
            }
        }
        Ok(all)
    }

    fn field<'c>(&self, condition: Option<&'c ArrayRef2<F>>) -> VelocityField<'c, F, N>
    where
        'a: 'c,
    {
        let mut field = self.net.field(self.theta);
        if let Some(c) = condition {
            field = field.condition(c);
        }
        match self.guidance {
            Some(w) => field.guidance(w),
            None => field,
        }
    }
}

/// Rows on the great circle from `a` to `b`, lengths interpolated: what lies between two draws of noise and is still like
/// a draw. Ends included.
pub fn slerp<F: Real>(a: &Array1<F>, b: &Array1<F>, steps: usize) -> Array2<F> {
    let length = |v: &Array1<F>| v.dot(v).sqrt().max(F::min_positive_value());
    let (la, lb) = (length(a), length(b));
    let angle = (a.dot(b) / (la * lb)).max(-F::one()).min(F::one()).acos();
    Array2::from_shape_fn((steps, a.len()), |(i, k)| {
        let u = F::of(i as f64 / (steps.max(2) - 1) as f64);
        let (wa, wb) = match angle > F::of(1e-4) {
            true => (((F::one() - u) * angle).sin() / angle.sin(), (u * angle).sin() / angle.sin()),
            false => (F::one() - u, u),
        };
        let size = la + u * (lb - la);
        size * (wa * a[k] / la + wb * b[k] / lb)
    })
}
