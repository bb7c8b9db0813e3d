//! A network as a field whose parameters are to be learnt through a solve.

use std::fmt;

use ndarray::{Array1, Array2, ArrayRef1, s};

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
    theta_bar: Array1<F>,
    direction: Array1<F>,
    work: Option<Work<F>>,
    /// Workspace of a plain evaluation, and one record for each slot.
    lean: Option<N::Tape>,
    tapes: Vec<N::Tape>,
}

struct Work<F> {
    rows: usize,
    /// Rows `[x | t]`, and a cotangent or tangent of them.
    input: Array2<F>,
    other: Array2<F>,
}

impl<'a, F: Real, N: Network<F>> NeuralField<'a, F, N> {
    /// The field of `net` with parameters `theta`.
    pub fn new(net: &'a N, theta: &ArrayRef1<F>) -> Self {
        NeuralField {
            net,
            theta: theta.to_owned(),
            theta_bar: Array1::zeros(theta.len()),
            direction: Array1::zeros(theta.len()),
            work: None,
            lean: None,
            tapes: Vec::new(),
        }
    }

    /// Whether the network has an input for the time.
    fn timed(&self) -> bool {
        self.net.inputs() > self.net.outputs()
    }

    /// Makes room for `slots` records of batches like `x`.
    fn prepare(&mut self, slots: usize, x: &Array2<F>) {
        let rows = x.nrows();
        if self.work.as_ref().is_none_or(|w| w.rows != rows) {
            let zeros = || Array2::zeros((rows, self.net.inputs()));
            self.work = Some(Work { rows, input: zeros(), other: zeros() });
            self.tapes.clear();
            self.lean = None;
        }
        while self.tapes.len() < slots {
            self.tapes.push(self.net.tape(rows));
        }
    }

    /// The network at a point: recorded in a slot, or without a record.
    fn forward(&mut self, slot: Option<usize>, t: F, x: &Array2<F>, dx: &mut Array2<F>) -> Result<()> {
        self.prepare(slot.map_or(0, |s| s + 1), x);
        let timed = self.timed();
        let Some(w) = &mut self.work else { return Ok(()) };
        let tape = match slot {
            Some(slot) => &mut self.tapes[slot],
            None => self.lean.get_or_insert_with(|| self.net.lean_tape(w.rows)),
        };
        if !timed {
            return self.net.forward(&self.theta, x, dx, tape);
        }
        let d = x.ncols();
        w.input.slice_mut(s![.., ..d]).assign(x);
        w.input.column_mut(d).fill(t);
        self.net.forward(&self.theta, &w.input, dx, tape)
    }

    fn pull(&mut self, slot: usize, lambda: &Array2<F>, xbar: &mut Array2<F>, out: &mut [F]) -> Result<()> {
        let timed = self.timed();
        let Some(w) = &mut self.work else { return Ok(()) };
        self.theta_bar.fill(F::zero());
        let (theta, bar, tape) = (&self.theta, &mut self.theta_bar, &mut self.tapes[slot]);
        if timed {
            self.net.vjp(theta, lambda, Some(bar), Some(&mut w.other), tape)?;
            let d = xbar.ncols();
            xbar.assign(&w.other.slice(s![.., ..d]));
        } else {
            self.net.vjp(theta, lambda, Some(bar), Some(xbar), tape)?;
        }
        out.iter_mut().zip(&self.theta_bar).for_each(|(o, &b)| *o += b);
        Ok(())
    }

    fn push(&mut self, dx: &Array2<F>, dtheta: &[F], out: &mut Array2<F>) -> Result<()> {
        let timed = self.timed();
        let Some(w) = &mut self.work else { return Ok(()) };
        self.direction.iter_mut().zip(dtheta).for_each(|(t, &d)| *t = d);
        let (theta, tape) = (&self.theta, &mut self.tapes[0]);
        if !timed {
            return self.net.jvp(theta, Some(&self.direction), Some(dx), out, tape);
        }
        w.other.slice_mut(s![.., ..dx.ncols()]).assign(dx);
        w.other.column_mut(dx.ncols()).fill(F::zero());
        self.net.jvp(theta, Some(&self.direction), Some(&w.other), out, tape)
    }
}

impl<F: Real, N: Network<F>> VectorField<Array2<F>> for NeuralField<'_, F, N> {
    /// What [`check`](Self::check) would refuse gives NaN.
    fn eval(&mut self, t: F, x: &Array2<F>, dx: &mut Array2<F>) {
        if self.forward(None, t, x, dx).is_err() {
            dx.fill(F::nan());
        }
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
        self.record(0, t, y, out);
        if self.push(dy, dtheta, out).is_err() {
            out.fill(F::nan());
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
