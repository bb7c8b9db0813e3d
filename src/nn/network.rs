//! What a network is: a map of (theta, x) and its derivatives.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2};

use super::VelocityField;
use crate::{Error, Real, Result};

/// A map `y = g(theta, x)` of rows: `x` is batch × [`inputs`](Self::inputs), `y` is batch × [`outputs`](Self::outputs).
///
/// Architecture and parameters are never one object: `theta` is a flat state of
/// [`n_params`](Self::n_params) numbers that can itself flow (training is a flow in `theta`).
/// All arrays are in standard (row-major) layout; a wrong shape is an error that names both shapes.
/// A [`Tape`](Self::Tape) holds what the derivatives need from the last [`forward`](Self::forward);
/// making it is the only allocation. More rows than it was made for are an error, fewer are not. The
/// derivatives are to be given the theta of that forward pass. A [`loss_gradient`](Self::loss_gradient)
/// leaves no record.
pub trait Network<F: Real>: Sync {
    /// Workspace and record of one forward pass for up to a given number of rows.
    type Tape: Send;

    /// Numbers in a row of `x`.
    fn inputs(&self) -> usize;
    /// Numbers in a row of `y`.
    fn outputs(&self) -> usize;
    /// Length of `theta`.
    fn n_params(&self) -> usize;
    /// Whether the architecture can be used at all (for instance: no layer of width 0).
    fn check(&self) -> Result<()>;
    /// The parts of theta by name, in order and without gaps: what a checkpoint stores; one if an architecture does not say.
    fn layout(&self) -> Vec<Parameter> {
        vec![Parameter { name: "theta".into(), offset: 0, shape: vec![self.n_params()] }]
    }
    /// The architecture in words, for a checkpoint's readers.
    fn describe(&self) -> String {
        format!(
            "a network of {} inputs, {} outputs, {} parameters",
            self.inputs(),
            self.outputs(),
            self.n_params()
        )
    }
    /// Initial parameters; the same seed gives the same bits.
    fn init(&self, seed: u64) -> Array1<F>;
    /// Workspace for batches of up to `rows` rows.
    fn tape(&self, rows: usize) -> Self::Tape;
    /// Workspace for forward passes without derivatives, such as sampling: the derivatives still work,
    /// but may have to run the network forward again.
    fn lean_tape(&self, rows: usize) -> Self::Tape {
        self.tape(rows)
    }

    /// Workspace for [`vjp`](Self::vjp) alone, whose record may be smaller; the other derivatives still work.
    fn gradient_tape(&self, rows: usize) -> Self::Tape {
        self.tape(rows)
    }
    /// Room for one more record of such a tape; see [`exchange`](Self::exchange).
    fn spare_record(&self, rows: usize) -> Self::Tape {
        self.gradient_tape(rows)
    }
    /// Exchanges what the last forward passes left on a [`gradient_tape`](Self::gradient_tape) and in a
    /// [`spare_record`](Self::spare_record) of as many rows: so one tape serves many points.
    fn exchange(&self, tape: &mut Self::Tape, record: &mut Self::Tape) {
        std::mem::swap(tape, record);
    }
    /// Size of such a record in bytes, if it is so small that keeping it pays beside running forward again.
    fn record_bytes(&self, rows: usize) -> Option<usize> {
        let _ = rows;
        None
    }

    /// The network with these parameters as a field over rows: dx/dt = g(theta, [x | t | condition]).
    fn field<'a>(&'a self, theta: &'a ArrayRef1<F>) -> VelocityField<'a, F, Self>
    where
        Self: Sized,
    {
        VelocityField::new(self, theta)
    }

    /// `y = g(theta, x)`, recorded on the tape.
    fn forward(
        &self,
        theta: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        y: &mut ArrayRef2<F>,
        tape: &mut Self::Tape,
    ) -> Result<()>;

    /// Lays theta out on the tape for any number of [`forward_packed`](Self::forward_packed). Networks that have nothing to lay
    /// out leave this as it is.
    ///
    /// # Errors
    /// A theta or a tape of another network.
    fn pack(&self, theta: &ArrayRef1<F>, tape: &mut Self::Tape) -> Result<()> {
        let _ = tape;
        Error::shape("theta", &[self.n_params()], theta.shape())
    }

    /// `y = g(theta, x)` with the theta that was [packed](Self::pack) last, which must be given again; leaves no record.
    /// What a [`Plan`](super::Plan) runs.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    fn forward_packed(
        &self,
        theta: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        y: &mut ArrayRef2<F>,
        tape: &mut Self::Tape,
    ) -> Result<()> {
        self.forward(theta, x, y, tape)
    }

    /// Reverse mode at the recorded point: adds `sum_rows (dg/dtheta)ᵀ ybar` to `theta_bar`, and writes
    /// `(dg/dx)ᵀ ybar` to `xbar`.
    fn vjp(
        &self,
        theta: &ArrayRef1<F>,
        ybar: &ArrayRef2<F>,
        theta_bar: Option<&mut ArrayRef1<F>>,
        xbar: Option<&mut ArrayRef2<F>>,
        tape: &mut Self::Tape,
    ) -> Result<()>;

    /// Forward mode at the recorded point: `dy = (dg/dtheta) dtheta + (dg/dx) dx`; an absent tangent is zero.
    fn jvp(
        &self,
        theta: &ArrayRef1<F>,
        dtheta: Option<&ArrayRef1<F>>,
        dx: Option<&ArrayRef2<F>>,
        dy: &mut ArrayRef2<F>,
        tape: &mut Self::Tape,
    ) -> Result<()>;

    /// Reverse over forward at the recorded point: the gradient of `s = sum_rows <ybar, (dg/dx) dx>` with
    /// `ybar` and `dx` held fixed. Adds `ds/dtheta` to `theta_bar`, writes `ds/dx` to `xbar`.
    /// What a gradient penalty and a trace estimate need.
    fn vjp_of_jvp(
        &self,
        theta: &ArrayRef1<F>,
        ybar: &ArrayRef2<F>,
        dx: &ArrayRef2<F>,
        theta_bar: Option<&mut ArrayRef1<F>>,
        xbar: Option<&mut ArrayRef2<F>>,
        tape: &mut Self::Tape,
    ) -> Result<()>;

    /// Writes to `div` the divergence `Σᵢ ∂gᵢ/∂xᵢ` over the first [`outputs`](Self::outputs) inputs at each recorded row. False,
    /// and nothing written, where the network knows no cheaper way than one [`jvp`](Self::jvp) for each of them.
    ///
    /// # Errors
    /// Shapes that do not fit.
    fn divergence(&self, theta: &ArrayRef1<F>, div: &mut [F], tape: &mut Self::Tape) -> Result<bool> {
        let _ = (theta, div, tape);
        Ok(false)
    }

    /// As [`vjp_of_jvp`](Self::vjp_of_jvp) along a tangent of theta as well as of x:
    /// `s = sum_rows <ybar, (dg/dtheta) dtheta + (dg/dx) dx>`; an absent tangent is zero.
    /// What a norm of a gradient in theta needs.
    ///
    /// # Errors
    /// Networks without it refuse a tangent of theta.
    fn vjp_of_tangent(
        &self,
        theta: &ArrayRef1<F>,
        ybar: &ArrayRef2<F>,
        (dtheta, dx): (Option<&ArrayRef1<F>>, Option<&ArrayRef2<F>>),
        theta_bar: Option<&mut ArrayRef1<F>>,
        xbar: Option<&mut ArrayRef2<F>>,
        tape: &mut Self::Tape,
    ) -> Result<()> {
        match (dtheta, dx) {
            (None, Some(dx)) => self.vjp_of_jvp(theta, ybar, dx, theta_bar, xbar, tape),
            _ => Err(Error::Unsupported {
                what: "a tangent of theta under vjp_of_tangent",
                with: "this network",
                instead: "take an Mlp",
            }),
        }
    }

    /// Adds to `theta_bar` the gradient of a loss of the slopes `v = ∂(sum of the outputs)/∂x` at the rows of `x`, and
    /// returns it: a gradient penalty, forward, reverse, and reverse over forward in one.
    ///
    /// `loss(first_row, v, vbar)` gets a block of slopes starting at `first_row` (row-major, `v.len() / inputs` rows), writes
    /// the derivative of the loss into `vbar` and returns the block's share of the loss. Leaves no record.
    fn slope_gradient<L>(
        &self,
        theta: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        loss: L,
        theta_bar: &mut ArrayRef1<F>,
        tape: &mut Self::Tape,
    ) -> Result<F>
    where
        L: Fn(usize, &[F], &mut [F]) -> F + Sync,
    {
        // Plain, and allocating; networks that are penalised often override it.
        let mut y = Array2::zeros((x.nrows(), self.outputs()));
        self.forward(theta, x, &mut y, tape)?;
        y.fill(F::one());
        let (mut v, mut vbar) = (Array2::zeros(x.raw_dim()), Array2::zeros(x.raw_dim()));
        self.vjp(theta, &y, None, Some(&mut v), tape)?;
        let (slopes, bars) = (v.as_slice().unwrap_or_default(), vbar.as_slice_mut().unwrap_or_default());
        let value = loss(0, slopes, bars);
        self.vjp_of_jvp(theta, &y, &vbar, Some(theta_bar), None, tape)?;
        Ok(value)
    }

    /// Forward, loss and reverse in one sweep over blocks of rows, while they are in cache.
    ///
    /// `loss(first_row, y, ybar)` gets a block of outputs starting at `first_row` (row-major,
    /// `y.len() / outputs` rows), writes the derivative of the loss into `ybar` and returns the
    /// block's share of the loss. Overwrites `theta_bar` with the gradient and returns the total loss.
    /// The sums run in an order that does not depend on the number of threads.
    fn loss_gradient<L>(
        &self,
        theta: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        loss: L,
        theta_bar: &mut ArrayRef1<F>,
        tape: &mut Self::Tape,
    ) -> Result<F>
    where
        L: Fn(usize, &[F], &mut [F]) -> F + Sync;
}

/// A named part of the parameter vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// For instance `layers.0.weight`.
    pub name: String,
    /// Where it starts in theta.
    pub offset: usize,
    /// `[inputs, outputs]` of weights (row-major), `[outputs]` of biases.
    pub shape: Vec<usize>,
}
