//! A network as a field whose parameters are to be learnt through a solve.

use std::fmt;

use ndarray::{Array1, Array2, ArrayRef1, ArrayViewMut1, s};

use super::Parametric;
use crate::nn::Network;
use crate::{Error, Real, Result, VectorField};

/// The field `dx/dt = g(θ, x)`, or `g(θ, [x | t])` for a network with one more input, on rows `x` of an `Array2`: a neural ODE.
/// It owns its parameters, and its derivatives are the network's own passes.
///
/// ```
/// use flowfield::{Flow, integrate::Tsit5, nn::{Mlp, Network}, sensitivity::{DiscreteAdjoint, NeuralField}};
/// use ndarray::Array2;
/// let net = Mlp::new(2, &[16, 16], 2);
/// let field = NeuralField::new(&net, &net.init(0));
/// let mut flow = Flow::new(field, Tsit5::new()).tol(1e-6);
/// let y0 = Array2::<f64>::ones((8, 2));
/// let loss = |_k: usize, _t: f64, y: &Array2<f64>, ybar: &mut Array2<f64>| { ybar.assign(y); 0.5 * (y * y).sum() };
/// let gradient = DiscreteAdjoint::new().gradient(&mut flow, 0.0, &[1.0], &y0, loss)?;
/// assert_eq!(gradient.theta.len(), net.n_params());
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct NeuralField<'a, F: Real, N: Network<F>> {
    net: &'a N,
    theta: Array1<F>,
    direction: Array1<F>,
    work: Option<Work<F, N::Tape>>,
    /// The slot of the next record, while evaluations are recorded.
    next: Option<usize>,
}

struct Work<F, T> {
    rows: usize,
    /// Rows `[x | t]`, a tangent and a cotangent of them.
    input: Array2<F>,
    tangent: Array2<F>,
    cotangent: Array2<F>,
    /// Workspace of plain evaluations, of reverse mode, and of the other derivatives.
    lean: Option<T>,
    main: Option<T>,
    full: Option<T>,
    slots: Vec<Slot<F, T>>,
}

/// The record of an evaluation, and its value.
struct Slot<F, T> {
    record: T,
    value: Array2<F>,
}

impl<F: Real, T> Work<F, T> {
    fn new(rows: usize, inputs: usize) -> Self {
        let zeros = || Array2::zeros((rows, inputs));
        let (input, tangent, cotangent) = (zeros(), zeros(), zeros());
        Work { rows, input, tangent, cotangent, lean: None, main: None, full: None, slots: Vec::new() }
    }
}

impl<'a, F: Real, N: Network<F>> NeuralField<'a, F, N> {
    /// The field of `net` with parameters `theta`.
    pub fn new(net: &'a N, theta: &ArrayRef1<F>) -> Self {
        let direction = Array1::zeros(theta.len());
        NeuralField { net, theta: theta.to_owned(), direction, work: None, next: None }
    }

    /// Whether the network has an input for the time.
    fn timed(&self) -> bool {
        self.net.inputs() > self.net.outputs()
    }

    /// Makes room for batches like `x`, with `[x | t]` in place if the network wants it.
    fn place(&mut self, t: F, x: &Array2<F>) {
        let rows = x.nrows();
        if self.work.as_ref().is_none_or(|w| w.rows != rows) {
            self.work = Some(Work::new(rows, self.net.inputs()));
        }
        let timed = self.timed();
        if let Some(w) = self.work.as_mut().filter(|_| timed) {
            w.input.slice_mut(s![.., ..x.ncols()]).assign(x);
            w.input.column_mut(x.ncols()).fill(t);
        }
    }

    /// The network at a point: recorded in a slot, or without a record.
    fn forward(&mut self, slot: Option<usize>, t: F, x: &Array2<F>, dx: &mut Array2<F>) -> Result<()> {
        self.place(t, x);
        let (timed, net) = (self.timed(), self.net);
        let Some(w) = &mut self.work else { return Ok(()) };
        let input = if timed { &w.input } else { x };
        let Some(slot) = slot else {
            let lean = w.lean.get_or_insert_with(|| net.lean_tape(w.rows));
            return net.forward(&self.theta, input, dx, lean);
        };
        let main = w.main.get_or_insert_with(|| net.gradient_tape(w.rows));
        while w.slots.len() <= slot {
            w.slots.push(Slot { record: net.spare_record(w.rows), value: dx.clone() });
        }
        let slot = &mut w.slots[slot];
        net.exchange(main, &mut slot.record);
        let done = net.forward(&self.theta, input, dx, main);
        net.exchange(main, &mut slot.record);
        slot.value.assign(dx);
        done
    }

    fn pull(&mut self, slot: usize, lambda: &Array2<F>, xbar: &mut Array2<F>, out: &mut [F]) -> Result<()> {
        let (timed, net) = (self.timed(), self.net);
        let Some(Work { main: Some(main), slots, cotangent, .. }) = &mut self.work else { return Ok(()) };
        let record = &mut slots[slot].record;
        net.exchange(main, record);
        let wide = if timed { &mut *cotangent } else { &mut *xbar };
        let mut bar = ArrayViewMut1::from(out);
        let done = net.vjp(&self.theta, lambda, Some(&mut bar), Some(wide), main);
        net.exchange(main, record);
        if timed {
            let d = xbar.ncols();
            xbar.assign(&cotangent.slice(s![.., ..d]));
        }
        done
    }

    /// Records a point for the derivatives beyond reverse mode, and puts a tangent `[dx | dt]` in place.
    fn look_at(
        &mut self,
        (t, x): (F, &Array2<F>),
        (dt, dx): (F, &Array2<F>),
        out: &mut Array2<F>,
    ) -> Result<()> {
        self.place(t, x);
        let (timed, net) = (self.timed(), self.net);
        let Some(w) = &mut self.work else { return Ok(()) };
        w.tangent.slice_mut(s![.., ..dx.ncols()]).assign(dx);
        if timed {
            w.tangent.column_mut(dx.ncols()).fill(dt);
        }
        let full = w.full.get_or_insert_with(|| net.tape(w.rows));
        net.forward(&self.theta, if timed { &w.input } else { x }, out, full)
    }

    fn push(&mut self, dtheta: &[F], out: &mut Array2<F>) -> Result<()> {
        let Some(Work { full: Some(full), tangent, .. }) = &mut self.work else { return Ok(()) };
        self.direction.fill(F::zero());
        self.direction.iter_mut().zip(dtheta).for_each(|(t, &d)| *t = d);
        self.net.jvp(&self.theta, Some(&self.direction), Some(tangent), out, full)
    }

    fn pull_tangent(&mut self, lambda: &Array2<F>, xbar: &mut Array2<F>, out: &mut [F]) -> Result<()> {
        let Some(Work { full: Some(full), tangent, cotangent, .. }) = &mut self.work else { return Ok(()) };
        let mut bar = ArrayViewMut1::from(out);
        self.net.vjp_of_jvp(&self.theta, lambda, tangent, Some(&mut bar), Some(cotangent), full)?;
        let d = xbar.ncols();
        xbar.assign(&cotangent.slice(s![.., ..d]));
        Ok(())
    }
}

impl<F: Real, N: Network<F>> VectorField<Array2<F>> for NeuralField<'_, F, N> {
    /// What [`check`](Self::check) would refuse gives NaN.
    fn eval(&mut self, t: F, x: &Array2<F>, dx: &mut Array2<F>) {
        if self.forward(self.next, t, x, dx).is_err() {
            dx.fill(F::nan());
        }
        self.next = self.next.map(|slot| slot + 1);
    }

    fn check(&self, x: &Array2<F>) -> Result<()> {
        self.net.check()?;
        Error::shape("theta", &[self.net.n_params()], &[self.theta.len()])?;
        Error::shape("x", &[x.nrows(), self.net.outputs()], x.shape())?;
        let inputs = x.ncols() + usize::from(self.timed());
        Error::shape("a row [x] or [x | t]", &[self.net.inputs()], &[inputs])
    }
}

impl<F: Real, N: Network<F>> Parametric<Array2<F>> for NeuralField<'_, F, N> {
    fn params(&self) -> &[F] {
        self.theta.as_slice().unwrap_or_default()
    }

    fn set_params(&mut self, theta: &[F]) {
        self.theta.iter_mut().zip(theta).for_each(|(to, &from)| *to = from);
    }

    fn vjp(&mut self, t: F, y: &Array2<F>, lambda: &Array2<F>, ybar: &mut Array2<F>, theta_bar: &mut [F]) {
        self.record(0, t, y, ybar);
        self.vjp_recorded(0, t, y, lambda, ybar, theta_bar);
    }

    fn tangent(&mut self, t: F, y: &Array2<F>, dy: &Array2<F>, dtheta: &[F], out: &mut Array2<F>) {
        let done = self.look_at((t, y), (F::zero(), dy), out).and_then(|()| self.push(dtheta, out));
        if done.is_err() {
            out.fill(F::nan());
        }
    }

    fn vjp_of_tangent(
        &mut self,
        point: (F, &Array2<F>),
        tangent: (F, &Array2<F>),
        lambda: &Array2<F>,
        ybar: &mut Array2<F>,
        theta_bar: &mut [F],
    ) {
        let looked = self.look_at(point, tangent, ybar);
        if looked.and_then(|()| self.pull_tangent(lambda, ybar, theta_bar)).is_err() {
            ybar.fill(F::nan());
        }
    }

    fn record_bytes(&self, y: &Array2<F>) -> Option<usize> {
        let value = std::mem::size_of_val(y.as_slice()?);
        self.net.record_bytes(y.nrows()).map(|bytes| bytes + value)
    }

    fn record_from(&mut self, slot: Option<usize>) {
        self.next = slot;
    }

    fn next_record(&self) -> Option<usize> {
        self.next
    }

    fn recorded(&self, slot: usize, dy: &mut Array2<F>) -> bool {
        let Some(slot) = self.work.as_ref().and_then(|w| w.slots.get(slot)) else { return false };
        dy.assign(&slot.value);
        true
    }

    fn swap_records(&mut self, a: usize, b: usize) {
        if let Some(w) = &mut self.work {
            w.slots.swap(a, b);
        }
    }

    fn record(&mut self, slot: usize, t: F, y: &Array2<F>, dy: &mut Array2<F>) {
        if self.forward(Some(slot), t, y, dy).is_err() {
            dy.fill(F::nan());
        }
    }

    fn vjp_recorded(
        &mut self,
        slot: usize,
        _t: F,
        _y: &Array2<F>,
        lambda: &Array2<F>,
        ybar: &mut Array2<F>,
        theta_bar: &mut [F],
    ) {
        if self.pull(slot, lambda, ybar, theta_bar).is_err() {
            ybar.fill(F::nan());
        }
    }
}

impl<F: Real, N: Network<F>> fmt::Debug for NeuralField<'_, F, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NeuralField").field("params", &self.theta.len()).finish_non_exhaustive()
    }
}
