//! The rows of an array as systems of their own, the field evaluated for all of them at once.

use std::fmt;

use ndarray::{Array1, Array2};

use super::controller::{LOG_FLOOR, Pi};
use super::members::{Member, Members};
use crate::integrate::Components;
use crate::integrate::explicit::tableau::Method;
use crate::integrate::explicit::tableaux::{Dop853, Tsit5};
use crate::integrate::{PerComponent, Tolerance, first_guess, second_guess};
use crate::state::first_not_finite;
use crate::{Error, Real, Result, Stats};

type Field<'a, F> = dyn FnMut(&[usize], &[F], &Array2<F>, &mut Array2<F>) + 'a;

/// Solves the rows of an `Array2` side by side, each with its own step sizes and error control; the field is evaluated for
/// all rows that are still under way at once. For fields that are cheapest in batches, such as networks.
///
/// Rows that have arrived drop out of the batch. A row's result does not depend on the other rows, as long as the field
/// treats rows apart.
///
/// ```
/// use flowfield::ensemble::Rows;
/// use ndarray::{Array2, array};
/// // Row i is an oscillator; times differ from row to row.
/// let field = |t: &[f64], y: &Array2<f64>, dy: &mut Array2<f64>| {
///     assert_eq!(t.len(), y.nrows());
///     for (y, mut dy) in y.rows().into_iter().zip(dy.rows_mut()) {
///         dy[0] = y[1];
///         dy[1] = -y[0] * y[0] * y[0];
///     }
/// };
/// let ends = Rows::tsit5(field).tol(1e-8).solve(0.0, 5.0, &array![[1.0, 0.0], [10.0, 0.0]])?;
/// let steps: Vec<u64> = ends.successes().map(|(_, row)| row.stats.accepted).collect();
/// assert!(steps[1] > 5 * steps[0]);     // the faster one takes its own, smaller steps
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct Rows<'a, F, M> {
    field: Box<Field<'a, F>>,
    tol: Tolerance<F>,
    max_steps: u64,
    /// Names the method; its numbers are constants.
    _method: M,
}

impl<F: fmt::Debug, M> fmt::Debug for Rows<'_, F, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows")
            .field("tol", &self.tol)
            .field("max_steps", &self.max_steps)
            .finish_non_exhaustive()
    }
}

impl<'a, F: Real> Rows<'a, F, Tsit5> {
    /// By Tsitouras 5(4); `field(t, y, dy)` writes the slopes of all rows of `y`, row `r` at time `t[r]`.
    pub fn tsit5(field: impl FnMut(&[F], &Array2<F>, &mut Array2<F>) + 'a) -> Self {
        Self::with_method(field, Tsit5)
    }
}

impl<'a, F: Real> Rows<'a, F, Dop853> {
    /// By Dormand–Prince 8(5,3); otherwise as [`tsit5`](Rows::tsit5).
    pub fn dop853(field: impl FnMut(&[F], &Array2<F>, &mut Array2<F>) + 'a) -> Self {
        Self::with_method(field, Dop853)
    }
}

impl<'a, F: Real, M> Rows<'a, F, M> {
    /// By any explicit Runge–Kutta method that has an error estimate.
    pub fn with_method(mut field: impl FnMut(&[F], &Array2<F>, &mut Array2<F>) + 'a, method: M) -> Self {
        Self::indexed(move |_: &[usize], t: &[F], y: &Array2<F>, dy: &mut Array2<F>| field(t, y, dy), method)
    }

    /// The same for a field that also wants to know which rows of the initial array it is given: for parameters by row.
    pub fn indexed(field: impl FnMut(&[usize], &[F], &Array2<F>, &mut Array2<F>) + 'a, method: M) -> Self {
        Rows { field: Box::new(field), tol: Tolerance::default(), max_steps: 1_000_000, _method: method }
    }

    /// Relative and absolute tolerance alike.
    #[must_use]
    pub fn tol(self, tol: impl Into<PerComponent<F>>) -> Self {
        let tol = tol.into();
        self.rtol(tol.clone()).atol(tol)
    }

    /// Relative tolerance: one number, or one for each column.
    #[must_use]
    pub fn rtol(mut self, rtol: impl Into<PerComponent<F>>) -> Self {
        self.tol.rtol = rtol.into();
        self
    }

    /// Absolute tolerance: one number, or one for each column.
    #[must_use]
    pub fn atol(mut self, atol: impl Into<PerComponent<F>>) -> Self {
        self.tol.atol = atol.into();
        self
    }

    /// The most steps a row may take, rejected ones included (default a million).
    #[must_use]
    pub fn max_steps(mut self, steps: u64) -> Self {
        self.max_steps = steps;
        self
    }

    /// Solves every row of `y0` from `t0` to `t1`.
    ///
    /// # Errors
    /// Settings out of range, a method without error estimate, rows without columns. What goes wrong with a single row is
    /// in its own result.
    pub fn solve<const N: usize>(
        &mut self,
        t0: F,
        t1: F,
        y0: &Array2<F>,
    ) -> Result<Members<Member<Array1<F>>>>
    where
        M: Method<N>,
    {
        self.tol.check(y0.ncols())?;
        for (what, t) in [("t0", t0), ("t1", t1)] {
            Error::setting(t.is_finite(), what, t.f64(), "a time must be finite")?;
        }
        if M::TABLEAU.e.is_none() {
            return Err(Error::NoErrorEstimate { method: M::TABLEAU.name });
        }
        if y0.ncols() == 0 {
            return Err(Error::Empty { what: "the state of each row" });
        }
        let mut batch = Batch::<F, M, N>::new(t0, t1, y0, self.max_steps);
        batch.start(&mut self.field, &self.tol, y0);
        while !batch.rows.is_empty() {
            batch.step(&mut self.field, &self.tol);
            batch.drop_finished(&self.tol);
        }
        Ok(Members(batch.members()))
    }
}

/// What is known of one row.
#[derive(Debug, Clone, Copy)]
struct Row<F> {
    t: F,
    h: F,
    /// The step just tried.
    tried: F,
    err: f64,
    memory: f64,
    most: f64,
    stats: Stats,
}

/// The rows under way: `index[r]` is the row of the initial array that row `r` of every array here continues.
struct Batch<F, M, const N: usize> {
    index: Vec<usize>,
    rows: Vec<Row<F>>,
    y: Array2<F>,
    y1: Array2<F>,
    k: Vec<Array2<F>>,
    stage_t: Vec<F>,
    t1: F,
    max_steps: u64,
    /// By row of the initial array: what became of it, and its last state.
    results: Vec<Option<Result<Stats>>>,
    ends: Array2<F>,
    /// Scratch of [`compact`](Self::compact).
    keep: Vec<usize>,
    method: std::marker::PhantomData<M>,
}

impl<F: Real, M: Method<N>, const N: usize> Batch<F, M, N> {
    fn new(t0: F, t1: F, y0: &Array2<F>, max_steps: u64) -> Self {
        let n = y0.nrows();
        let y = y0.as_standard_layout().into_owned();
        let row = Row {
            t: t0,
            h: F::zero(),
            tried: F::zero(),
            err: 0.0,
            memory: LOG_FLOOR,
            most: 10.0,
            stats: Stats::default(),
        };
        Batch {
            index: (0..n).collect(),
            rows: vec![row; n],
            y1: y.clone(),
            ends: y.clone(),
            keep: Vec::with_capacity(n),
            k: vec![y.clone(); N],
            y,
            stage_t: vec![t0; n],
            t1,
            max_steps,
            results: (0..n).map(|_| None).collect(),
            method: std::marker::PhantomData,
        }
    }

    /// Sorts out rows that cannot start or need not, evaluates the slopes, and chooses every row's first step.
    fn start(&mut self, field: &mut Field<'_, F>, tol: &Tolerance<F>, y0: &Array2<F>) {
        for (r, y) in y0.rows().into_iter().enumerate() {
            if let Some((row, &value)) = y.iter().enumerate().find(|(_, v)| !v.is_finite()) {
                let error = Error::NotFinite { what: "the initial state", row, value: value.f64() };
                self.results[r] = Some(Err(error));
            } else if self.rows[r].t == self.t1 {
                self.results[r] = Some(Ok(Stats::default()));
            }
        }
        self.compact();
        if self.rows.is_empty() {
            return;
        }
        field(&self.index, &self.stage_t, &self.y, &mut self.k[0]);
        for r in 0..self.rows.len() {
            if let Some(component) = first_not_finite(row(&self.k[0], r)) {
                let error = Error::FieldNotFinite { t: self.rows[r].t.f64(), h: 0.0, component };
                self.results[self.index[r]] = Some(Err(error));
            }
        }
        self.compact();
        if !self.rows.is_empty() {
            self.first_steps(field, tol);
        }
    }

    fn first_steps(&mut self, field: &mut Field<'_, F>, tol: &Tolerance<F>) {
        let span = self.t1 - self.rows[0].t;
        let direction = span.signum();
        let mut norms = Vec::with_capacity(self.rows.len());
        for r in 0..self.rows.len() {
            let (y, f) = (row(&self.y, r), row(&self.k[0], r));
            let (d0, d1) = (tol.norm(y, y, &y), tol.norm(y, y, &f));
            let h0 = first_guess(d0, d1, span.abs());
            norms.push((h0, d1));
            self.stage_t[r] = self.rows[r].t + direction * h0;
            let step = y.iter().zip(f).map(|(&y, &f)| y + direction * h0 * f);
            self.y1.row_mut(r).iter_mut().zip(step).for_each(|(o, y)| *o = y);
        }
        let [first, second, ..] = &mut self.k[..] else { return };
        field(&self.index, &self.stage_t, &self.y1, second);
        *second -= &*first;
        for (r, (h0, d1)) in norms.into_iter().enumerate() {
            let y = row(&self.y, r);
            let d2 = tol.norm(y, y, &row(&self.k[1], r)) / h0;
            self.rows[r].h = direction * second_guess(h0, d1, d2, M::TABLEAU.error_order());
            self.rows[r].stats.evals = 2;
        }
    }

    /// One step of every row.
    fn step(&mut self, field: &mut Field<'_, F>, tol: &Tolerance<F>) {
        let t = &M::TABLEAU;
        for row in &mut self.rows {
            let left = self.t1 - row.t;
            // As a single solve: state and rounded clock move by the same amount.
            row.tried = if left.abs() <= row.h.abs() * F::of(1.01) { left } else { (row.t + row.h) - row.t };
        }
        if !t.fsal {
            self.stage_t.iter_mut().zip(&self.rows).for_each(|(s, row)| *s = row.t);
            field(&self.index, &self.stage_t, &self.y, &mut self.k[0]);
        }
        for i in 1..N {
            self.combine(&t.a[i][..i]);
            self.stage_t
                .iter_mut()
                .zip(&self.rows)
                .for_each(|(s, row)| *s = row.t + F::of(t.c[i]) * row.tried);
            field(&self.index, &self.stage_t, &self.y1, &mut self.k[i]);
        }
        if !t.fsal {
            self.combine(&t.b);
        }
        for r in 0..self.rows.len() {
            self.rows[r].err = self.error(r, tol).f64();
            self.rows[r].stats.evals += N as u64 - u64::from(t.fsal);
            self.judge(r);
        }
    }

    /// `y₁ = y + h Σ weights[j] kⱼ`, every row with its own `h`.
    fn combine(&mut self, weights: &[f64]) {
        for (r, state) in self.rows.iter().enumerate() {
            let mut out = self.y1.row_mut(r);
            out.assign(&self.y.row(r));
            for (k, &w) in self.k.iter().zip(weights).filter(|(_, w)| **w != 0.0) {
                out.scaled_add(state.tried * F::of(w), &k.row(r));
            }
        }
    }

    fn error(&self, r: usize, tol: &Tolerance<F>) -> F {
        let (y0, y1) = (row(&self.y, r), row(&self.y1, r));
        let Some(e) = &M::TABLEAU.e else { return F::zero() };
        let norm = |weights| tol.norm(y0, y1, &RowError { k: &self.k, weights, h: self.rows[r].tried, r });
        let first = norm(e);
        let Some(e3) = &M::TABLEAU.e3 else { return first };
        let third = norm(e3);
        let bottom = first * first + F::of(0.01) * third * third;
        if bottom == F::zero() { bottom } else { first * first / bottom.sqrt() }
    }

    fn judge(&mut self, r: usize) {
        let state = &mut self.rows[r];
        let pi = Pi::new(M::TABLEAU.error_order());
        let factor = pi.factor(state.err, &mut state.memory, &mut state.most);
        state.h = state.tried * F::of(factor);
        if state.err <= 1.0 {
            state.stats.accepted += 1;
            state.t = if state.tried == self.t1 - state.t { self.t1 } else { state.t + state.tried };
            self.y.row_mut(r).assign(&self.y1.row(r));
            if let (true, [first, .., last]) = (M::TABLEAU.fsal, &mut self.k[..]) {
                first.row_mut(r).assign(&last.row(r));
            }
        } else {
            state.stats.rejected += 1;
        }
    }

    /// Writes down the rows that have arrived or failed, and lets them go.
    fn drop_finished(&mut self, tol: &Tolerance<F>) {
        let mut any = false;
        for r in 0..self.rows.len() {
            let state = self.rows[r];
            let (t, h, t1) = (state.t.f64(), state.h.f64(), self.t1.f64());
            let steps = state.stats.accepted + state.stats.rejected;
            let least = F::EPS * F::of(4.0) * state.t.abs() + F::min_positive_value();
            let result = if state.t == self.t1 {
                self.ends.row_mut(self.index[r]).assign(&self.y.row(r));
                Ok(state.stats)
            } else if (state.err.is_nan() || state.err > 1.0) && state.h.abs() <= least {
                let bad = first_not_finite(row(&self.y1, r));
                let slopes = || self.k.iter().find_map(|k| first_not_finite(row(k, r)));
                Err(match bad.or_else(slopes) {
                    Some(component) => Error::FieldNotFinite { t, h, component },
                    None => Error::StepUnderflow { t, h, component: self.worst(r, tol) },
                })
            } else if steps >= self.max_steps {
                Err(Error::TooManySteps { steps, t, t1, h, component: self.worst(r, tol) })
            } else {
                continue;
            };
            self.results[self.index[r]] = Some(result);
            any = true;
        }
        if any {
            self.compact();
        }
    }

    fn worst(&self, r: usize, tol: &Tolerance<F>) -> usize {
        let Some(weights) = &M::TABLEAU.e else { return 0 };
        let error = RowError { k: &self.k, weights, h: self.rows[r].tried, r };
        tol.worst(row(&self.y, r), row(&self.y1, r), &error)
    }

    /// Closes the gaps that rows with a result leave, in place.
    fn compact(&mut self) {
        let (results, index, keep) = (&self.results, &mut self.index, &mut self.keep);
        keep.clear();
        keep.extend((0..index.len()).filter(|&r| results[index[r]].is_none()));
        if keep.len() == index.len() {
            return;
        }
        for array in [&mut self.y, &mut self.y1].into_iter().chain(&mut self.k) {
            keep_rows(array, keep);
        }
        for (to, &from) in keep.iter().enumerate() {
            (index[to], self.rows[to]) = (index[from], self.rows[from]);
            self.stage_t[to] = self.rows[to].t;
        }
        index.truncate(keep.len());
        self.rows.truncate(keep.len());
        self.stage_t.truncate(keep.len());
    }

    /// The results, by row of the initial array.
    fn members(self) -> Vec<Result<Member<Array1<F>>>> {
        let results = self.results.into_iter().flatten().zip(self.ends.rows());
        results.map(|(result, y)| result.map(|stats| Member { y: y.to_owned(), stats })).collect()
    }
}

/// Shrinks an array to some of its rows (in rising order), within its memory.
fn keep_rows<F: Real>(array: &mut Array2<F>, keep: &[usize]) {
    let width = array.ncols();
    if array.as_slice().is_none() {
        // The field has put an array of another layout here.
        *array = array.select(ndarray::Axis(0), keep);
        return;
    }
    let (mut data, offset) = std::mem::take(array).into_raw_vec_and_offset();
    let start = offset.unwrap_or(0);
    for (to, &from) in keep.iter().enumerate() {
        data.copy_within(start + from * width..start + (from + 1) * width, to * width);
    }
    data.truncate(keep.len() * width);
    // The length is right by construction.
    *array = Array2::from_shape_vec((keep.len(), width), data).unwrap_or_default();
}

/// A row of an array in standard layout, as all arrays of a batch are.
fn row<F>(array: &Array2<F>, r: usize) -> &[F] {
    let width = array.ncols();
    array.as_slice().map_or(&[], |all| &all[r * width..(r + 1) * width])
}

struct RowError<'a, F> {
    k: &'a [Array2<F>],
    weights: &'a [f64],
    h: F,
    r: usize,
}

impl<F: Real> Components<F> for RowError<'_, F> {
    fn at(&self, i: usize) -> F {
        let terms = self.k.iter().zip(self.weights).filter(|(_, w)| **w != 0.0);
        self.h * terms.fold(F::zero(), |s, (k, &w)| s + F::of(w) * k[[self.r, i]])
    }
}
