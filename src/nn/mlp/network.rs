//! The perceptron as a [`Network`]: what is given is checked here.

use ndarray::{Array1, ArrayRef, ArrayRef1, ArrayRef2, Dimension};

use super::Mlp;
use super::tape::{KEEP_BYTES, MlpTape, record_bytes};
use crate::nn::kernel::Isa;
use crate::nn::{Network, Parameter};
use crate::precision::Format;
use crate::{Error, Real, Result};

impl<F: Real> Network<F> for Mlp {
    type Tape = MlpTape<F>;

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn outputs(&self) -> usize {
        self.outputs
    }

    fn n_params(&self) -> usize {
        self.n_params()
    }

    fn check(&self) -> Result<()> {
        self.verify()
    }

    fn layout(&self) -> Vec<Parameter> {
        self.layout()
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    fn init(&self, seed: u64) -> Array1<F> {
        self.draw(seed)
    }

    fn tape(&self, rows: usize) -> MlpTape<F> {
        MlpTape::new(self, rows, Isa::detect(), KEEP_BYTES)
    }

    fn lean_tape(&self, rows: usize) -> MlpTape<F> {
        MlpTape::new(self, rows, Isa::detect(), 0)
    }

    fn gradient_tape(&self, rows: usize) -> MlpTape<F> {
        MlpTape::for_gradients(self, rows, Isa::detect())
    }

    fn spare_record(&self, rows: usize) -> MlpTape<F> {
        MlpTape::records(self, rows, Isa::detect())
    }

    fn exchange(&self, tape: &mut MlpTape<F>, record: &mut MlpTape<F>) {
        tape.exchange(record);
    }

    fn record_bytes(&self, rows: usize) -> Option<usize> {
        Some(record_bytes::<F>(self, rows)).filter(|&bytes| bytes <= KEEP_BYTES)
    }

    fn forward(
        &self,
        theta: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        y: &mut ArrayRef2<F>,
        tape: &mut MlpTape<F>,
    ) -> Result<()> {
        let rows = self.admit(x.nrows(), tape)?;
        let theta = slice("theta", theta, &[self.n_params()])?;
        let x = slice("x", x, &[rows, self.inputs])?;
        let y = slice_mut("y", y, &[rows, self.outputs])?;
        self.run_forward(theta, x, y, tape);
        Ok(())
    }

    fn pack(&self, theta: &ArrayRef1<F>, tape: &mut MlpTape<F>) -> Result<()> {
        self.admit(0, tape)?;
        tape.pack(self, slice("theta", theta, &[self.n_params()])?);
        Ok(())
    }

    fn forward_packed(
        &self,
        _theta: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        y: &mut ArrayRef2<F>,
        tape: &mut MlpTape<F>,
    ) -> Result<()> {
        let rows = self.admit(x.nrows(), tape)?;
        let x = slice("x", x, &[rows, self.inputs])?;
        let y = slice_mut("y", y, &[rows, self.outputs])?;
        self.run_packed(x, y, tape);
        Ok(())
    }

    fn vjp(
        &self,
        theta: &ArrayRef1<F>,
        ybar: &ArrayRef2<F>,
        theta_bar: Option<&mut ArrayRef1<F>>,
        xbar: Option<&mut ArrayRef2<F>>,
        tape: &mut MlpTape<F>,
    ) -> Result<()> {
        let rows = self.admit(tape.rows, tape)?;
        let theta = slice("theta", theta, &[self.n_params()])?;
        let ybar = slice("ybar", ybar, &[rows, self.outputs])?;
        let theta_bar = theta_bar.map(|t| slice_mut("theta_bar", t, &[self.n_params()])).transpose()?;
        let xbar = xbar.map(|x| slice_mut("xbar", x, &[rows, self.inputs])).transpose()?;
        self.run_vjp(theta, ybar, theta_bar, xbar, tape);
        Ok(())
    }

    fn jvp(
        &self,
        theta: &ArrayRef1<F>,
        dtheta: Option<&ArrayRef1<F>>,
        dx: Option<&ArrayRef2<F>>,
        dy: &mut ArrayRef2<F>,
        tape: &mut MlpTape<F>,
    ) -> Result<()> {
        let rows = self.admit(tape.rows, tape)?;
        let theta = slice("theta", theta, &[self.n_params()])?;
        let dtheta = dtheta.map(|d| slice("dtheta", d, &[self.n_params()])).transpose()?;
        let dx = dx.map(|dx| slice("dx", dx, &[rows, self.inputs])).transpose()?;
        let dy = slice_mut("dy", dy, &[rows, self.outputs])?;
        self.run_jvp(theta, (dtheta, dx), dy, tape);
        Ok(())
    }

    fn divergence(&self, theta: &ArrayRef1<F>, div: &mut [F], tape: &mut MlpTape<F>) -> Result<bool> {
        let rows = self.admit(tape.rows, tape)?;
        let theta = slice("theta", theta, &[self.n_params()])?;
        Error::shape("the divergences", &[rows], &[div.len()])?;
        // Rounded weights have another divergence than theta.
        let known = self.inputs >= self.outputs && self.format == Format::Full;
        if known {
            self.run_divergence(theta, div, tape);
        }
        Ok(known)
    }

    fn vjp_of_jvp(
        &self,
        theta: &ArrayRef1<F>,
        ybar: &ArrayRef2<F>,
        dx: &ArrayRef2<F>,
        theta_bar: Option<&mut ArrayRef1<F>>,
        xbar: Option<&mut ArrayRef2<F>>,
        tape: &mut MlpTape<F>,
    ) -> Result<()> {
        self.vjp_of_tangent(theta, ybar, (None, Some(dx)), theta_bar, xbar, tape)
    }

    fn vjp_of_tangent(
        &self,
        theta: &ArrayRef1<F>,
        ybar: &ArrayRef2<F>,
        (dtheta, dx): (Option<&ArrayRef1<F>>, Option<&ArrayRef2<F>>),
        theta_bar: Option<&mut ArrayRef1<F>>,
        xbar: Option<&mut ArrayRef2<F>>,
        tape: &mut MlpTape<F>,
    ) -> Result<()> {
        let rows = self.admit(tape.rows, tape)?;
        let theta = slice("theta", theta, &[self.n_params()])?;
        let ybar = slice("ybar", ybar, &[rows, self.outputs])?;
        let dtheta = dtheta.map(|d| slice("dtheta", d, &[self.n_params()])).transpose()?;
        let dx = dx.map(|dx| slice("dx", dx, &[rows, self.inputs])).transpose()?;
        let theta_bar = theta_bar.map(|t| slice_mut("theta_bar", t, &[self.n_params()])).transpose()?;
        let xbar = xbar.map(|x| slice_mut("xbar", x, &[rows, self.inputs])).transpose()?;
        self.run_vjp_of_jvp(theta, (ybar, dtheta, dx), theta_bar, xbar, tape);
        Ok(())
    }

    fn slope_gradient<L>(
        &self,
        theta: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        loss: L,
        theta_bar: &mut ArrayRef1<F>,
        tape: &mut MlpTape<F>,
    ) -> Result<F>
    where
        L: Fn(usize, &[F], &mut [F]) -> F + Sync,
    {
        let rows = self.admit(x.nrows(), tape)?;
        let theta = slice("theta", theta, &[self.n_params()])?;
        let x = slice("x", x, &[rows, self.inputs])?;
        let theta_bar = slice_mut("theta_bar", theta_bar, &[self.n_params()])?;
        Ok(self.run_slope_gradient(theta, x, loss, theta_bar, tape))
    }

    fn loss_gradient<L>(
        &self,
        theta: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        loss: L,
        theta_bar: &mut ArrayRef1<F>,
        tape: &mut MlpTape<F>,
    ) -> Result<F>
    where
        L: Fn(usize, &[F], &mut [F]) -> F + Sync,
    {
        let rows = self.admit(x.nrows(), tape)?;
        let theta = slice("theta", theta, &[self.n_params()])?;
        let x = slice("x", x, &[rows, self.inputs])?;
        let theta_bar = slice_mut("theta_bar", theta_bar, &[self.n_params()])?;
        Ok(self.run_loss_gradient(theta, x, loss, theta_bar, tape))
    }
}

impl Mlp {
    /// Checks the architecture, the tape and that it has room for `rows`.
    fn admit<F: Real>(&self, rows: usize, tape: &MlpTape<F>) -> Result<usize> {
        self.verify()?;
        tape.fits(self)?;
        Error::setting(rows <= tape.capacity, "rows", rows as f64, "at most the rows the tape was made for")?;
        Ok(rows)
    }
}

const LAYOUT: &str = "row-major and contiguous; give .as_standard_layout()";

/// The numbers of an array of the shape that is needed.
fn slice<'a, F, D: Dimension>(
    what: &'static str,
    array: &'a ArrayRef<F, D>,
    shape: &[usize],
) -> Result<&'a [F]> {
    Error::shape(what, shape, array.shape())?;
    let strides = array.strides().last().copied().unwrap_or(0);
    array.as_slice().ok_or(Error::Setting { what, value: strides as f64, need: LAYOUT })
}

/// The same, to be written to.
fn slice_mut<'a, F, D: Dimension>(
    what: &'static str,
    array: &'a mut ArrayRef<F, D>,
    shape: &[usize],
) -> Result<&'a mut [F]> {
    Error::shape(what, shape, array.shape())?;
    let strides = array.strides().last().copied().unwrap_or(0);
    array.as_slice_mut().ok_or(Error::Setting { what, value: strides as f64, need: LAYOUT })
}
