//! The modulated network as a [`Network`]: what is given is checked here, rows are cut into blocks.

use ndarray::{Array1, ArrayRef1, ArrayRef2};

use super::Film;
use super::pass::Pass;
use super::tape::{FilmTape, Work};
use crate::nn::activation::Record;
use crate::nn::kernel::{copy_rows, padded};
use crate::nn::residual::{part, slice, slice_mut};
use crate::nn::{Network, Parameter};
use crate::{Error, Real, Result};

/// Tangents of theta and x; an absent one is zero.
type Along<'a, F> = (Option<&'a ArrayRef1<F>>, Option<&'a ArrayRef2<F>>);

impl Film {
    /// Runs `work` on every block of the recorded rows: (first row, rows of x, pass, memory).
    fn sweeps<F: Real>(
        &self,
        theta: &[F],
        dtheta: Option<&[F]>,
        second: bool,
        tape: &mut FilmTape<F>,
        mut work: impl FnMut(usize, &[F], Pass<'_, F>, &mut Work<F>),
    ) {
        let (per_block, width) = (tape.per_block(), Network::<F>::inputs(self));
        let FilmTape { isa, rows, inputs, layers, weights, transposes, work: memory, .. } = tape;
        for first in (0..*rows).step_by(per_block) {
            let n = per_block.min(*rows - first);
            let (isa, rows) = (*isa, n);
            let pass = Pass { net: self, isa, theta, dtheta, layers, weights, transposes, rows, second };
            work(first, part(inputs, width, first, n), pass, memory);
        }
    }

    fn admit<F: Real>(&self, rows: usize, tape: &FilmTape<F>) -> Result<()> {
        self.verify()?;
        tape.fits(self)?;
        Error::setting(rows <= tape.capacity, "rows", rows as f64, "at most the rows the tape was made for")
    }

    /// The record that derivatives of the given order need.
    fn record(&self, second: bool) -> Record {
        if second && self.activation.is_curved() { Record::Second } else { Record::First }
    }

    /// Reverse mode of the recorded rows, or reverse over forward along tangents.
    fn reverse<F: Real>(
        &self,
        theta: &ArrayRef1<F>,
        ybar: &ArrayRef2<F>,
        along: Option<Along<'_, F>>,
        (theta_bar, xbar): (Option<&mut ArrayRef1<F>>, Option<&mut ArrayRef2<F>>),
        tape: &mut FilmTape<F>,
    ) -> Result<()> {
        self.admit(tape.rows, tape)?;
        let (rows, inputs) = (tape.rows, Network::<F>::inputs(self));
        let theta = slice("theta", theta, &[self.n_params()])?;
        let ybar = slice("ybar", ybar, &[rows, self.dim])?;
        let (dtheta, dx) = along.unwrap_or_default();
        let dtheta = dtheta.map(|d| slice("dtheta", d, &[self.n_params()])).transpose()?;
        let dx = dx.map(|d| slice("dx", d, &[rows, inputs])).transpose()?;
        let mut theta_bar = theta_bar.map(|g| slice_mut("theta_bar", g, &[self.n_params()])).transpose()?;
        let mut xbar = xbar.map(|g| slice_mut("xbar", g, &[rows, inputs])).transpose()?;
        tape.pack_transposes(theta);
        if let Some(dtheta) = dtheta {
            tape.pack_tangent(dtheta);
        }
        let second = along.is_some();
        self.sweeps(theta, dtheta, second, tape, |first, x, pass, work| {
            pass.forward(x, self.record(second), work);
            if second {
                pass.tangent(dx.map(|dx| part(dx, inputs, first, pass.rows)), work);
            }
            let out = xbar.as_deref_mut().map(|g| &mut g[first * inputs..][..pass.rows * inputs]);
            pass.backward(part(ybar, self.dim, first, pass.rows), theta_bar.as_deref_mut(), out, work);
        });
        Ok(())
    }
}

impl<F: Real> Network<F> for Film {
    type Tape = FilmTape<F>;

    fn inputs(&self) -> usize {
        self.dim + self.context()
    }

    fn outputs(&self) -> usize {
        self.dim
    }

    fn n_params(&self) -> usize {
        self.n_params()
    }

    fn check(&self) -> Result<()> {
        self.verify()
    }

    fn layout(&self) -> Vec<Parameter> {
        self.named()
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    fn init(&self, seed: u64) -> Array1<F> {
        self.draw(seed)
    }

    fn tape(&self, rows: usize) -> FilmTape<F> {
        FilmTape::new(self, rows)
    }

    fn forward(
        &self,
        theta: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        y: &mut ArrayRef2<F>,
        tape: &mut FilmTape<F>,
    ) -> Result<()> {
        self.admit(x.nrows(), tape)?;
        let theta = slice("theta", theta, &[self.n_params()])?;
        let from = slice("x", x, &[x.nrows(), Network::<F>::inputs(self)])?;
        let to = slice_mut("y", y, &[x.nrows(), self.dim])?;
        tape.inputs[..from.len()].copy_from_slice(from);
        tape.rows = x.nrows();
        tape.pack(theta);
        self.sweeps(theta, None, false, tape, |first, x, pass, work| {
            pass.forward(x, Record::Values, work);
            let out = &mut to[first * self.dim..][..pass.rows * self.dim];
            copy_rows(&work.values[0].y, padded(self.dim), out, self.dim, self.dim);
        });
        Ok(())
    }

    fn vjp(
        &self,
        theta: &ArrayRef1<F>,
        ybar: &ArrayRef2<F>,
        theta_bar: Option<&mut ArrayRef1<F>>,
        xbar: Option<&mut ArrayRef2<F>>,
        tape: &mut FilmTape<F>,
    ) -> Result<()> {
        self.reverse(theta, ybar, None, (theta_bar, xbar), tape)
    }

    fn jvp(
        &self,
        theta: &ArrayRef1<F>,
        dtheta: Option<&ArrayRef1<F>>,
        dx: Option<&ArrayRef2<F>>,
        dy: &mut ArrayRef2<F>,
        tape: &mut FilmTape<F>,
    ) -> Result<()> {
        self.admit(tape.rows, tape)?;
        let inputs = Network::<F>::inputs(self);
        let theta = slice("theta", theta, &[self.n_params()])?;
        let dtheta = dtheta.map(|d| slice("dtheta", d, &[self.n_params()])).transpose()?;
        let dx = dx.map(|d| slice("dx", d, &[tape.rows, inputs])).transpose()?;
        let dy = slice_mut("dy", dy, &[tape.rows, self.dim])?;
        if let Some(dtheta) = dtheta {
            tape.pack_tangent(dtheta);
        }
        self.sweeps(theta, dtheta, false, tape, |first, x, pass, work| {
            pass.forward(x, Record::First, work);
            pass.tangent(dx.map(|dx| part(dx, inputs, first, pass.rows)), work);
            let out = &mut dy[first * self.dim..][..pass.rows * self.dim];
            copy_rows(&work.values[1].y, padded(self.dim), out, self.dim, self.dim);
        });
        Ok(())
    }

    fn vjp_of_jvp(
        &self,
        theta: &ArrayRef1<F>,
        ybar: &ArrayRef2<F>,
        dx: &ArrayRef2<F>,
        theta_bar: Option<&mut ArrayRef1<F>>,
        xbar: Option<&mut ArrayRef2<F>>,
        tape: &mut FilmTape<F>,
    ) -> Result<()> {
        self.reverse(theta, ybar, Some((None, Some(dx))), (theta_bar, xbar), tape)
    }

    fn vjp_of_tangent(
        &self,
        theta: &ArrayRef1<F>,
        ybar: &ArrayRef2<F>,
        along: (Option<&ArrayRef1<F>>, Option<&ArrayRef2<F>>),
        theta_bar: Option<&mut ArrayRef1<F>>,
        xbar: Option<&mut ArrayRef2<F>>,
        tape: &mut FilmTape<F>,
    ) -> Result<()> {
        self.reverse(theta, ybar, Some(along), (theta_bar, xbar), tape)
    }

    fn loss_gradient<L>(
        &self,
        theta: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        loss: L,
        theta_bar: &mut ArrayRef1<F>,
        tape: &mut FilmTape<F>,
    ) -> Result<F>
    where
        L: Fn(usize, &[F], &mut [F]) -> F + Sync,
    {
        self.admit(x.nrows(), tape)?;
        let theta = slice("theta", theta, &[self.n_params()])?;
        let from = slice("x", x, &[x.nrows(), Network::<F>::inputs(self)])?;
        let theta_bar = slice_mut("theta_bar", theta_bar, &[self.n_params()])?;
        tape.inputs[..from.len()].copy_from_slice(from);
        tape.rows = x.nrows();
        tape.pack(theta);
        tape.pack_transposes(theta);
        theta_bar.fill(F::zero());
        let Some([mut y, mut ybar]) = tape.flat.take() else { return Ok(F::nan()) };
        let mut total = F::zero();
        self.sweeps(theta, None, false, tape, |first, x, pass, work| {
            pass.forward(x, Record::First, work);
            let (y, ybar) = (&mut y[..pass.rows * self.dim], &mut ybar[..pass.rows * self.dim]);
            copy_rows(&work.values[0].y, padded(self.dim), y, self.dim, self.dim);
            total += loss(first, y, ybar);
            pass.backward(ybar, Some(&mut *theta_bar), None, work);
        });
        tape.flat = Some([y, ybar]);
        tape.rows = 0;
        Ok(total)
    }
}
