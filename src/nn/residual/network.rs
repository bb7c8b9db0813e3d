//! The residual network as a [`Network`]: rows in blocks, blocks in segments.

use ndarray::{Array1, ArrayRef, ArrayRef1, ArrayRef2, Dimension};

use super::Residual;
use super::block::Pass;
use super::tape::{ResidualTape, Work, segment};
use crate::nn::kernel::{copy_rows, padded};
use crate::nn::{Network, Parameter};
use crate::{Error, Real, Result};

/// What a sweep over a block of rows is to do.
struct Sweep<'a, F> {
    first: usize,
    rows: usize,
    pass: Pass<'a, F>,
    work: &'a mut Work<F>,
}

impl<F: Real> Sweep<'_, F> {
    fn last(&self) -> usize {
        2 * self.pass.net.depth + 1
    }

    /// The blocks of segment `k`.
    fn blocks(&self, k: usize) -> std::ops::Range<usize> {
        let length = segment(self.pass.net);
        k * length..((k + 1) * length).min(self.pass.net.depth)
    }

    fn segments(&self) -> usize {
        self.pass.net.depth.div_ceil(segment(self.pass.net))
    }

    /// Everything forward, from rows of x and of its tangent; the last segment's record stays.
    fn forward(&mut self, x: &[F], dx: Option<&[F]>) {
        let (pass, rows, inputs) = (self.pass, self.rows, self.pass.net.inputs);
        copy_rows(x, inputs, &mut self.work.x, padded(inputs), inputs);
        let Work { x: from, dx: dfrom, r, dr, .. } = &mut *self.work;
        pass.affine(0, rows, from, &mut r[0]);
        let tangent = dx.is_some() || pass.tangent.is_some();
        if tangent {
            match dx {
                Some(dx) => copy_rows(dx, inputs, dfrom, padded(inputs), inputs),
                None => dfrom.fill(F::zero()),
            }
            pass.affine_tangent(0, rows, (from, dfrom), &mut dr[0]);
        }
        for k in 0..self.segments() {
            if k > 0 {
                self.restart(tangent);
            }
            if let Some([r, dr]) = self.work.checkpoints.get_mut(k) {
                r.copy_from_slice(&self.work.r[0]);
                if tangent {
                    dr.copy_from_slice(&self.work.dr[0]);
                }
            }
            self.segment(k, tangent);
        }
    }

    /// Starts a segment where the last one ended.
    fn restart(&mut self, tangent: bool) {
        let length = segment(self.pass.net);
        self.work.r.swap(0, length);
        if tangent {
            self.work.dr.swap(0, length);
        }
    }

    /// One segment forward from its start.
    fn segment(&mut self, k: usize, tangent: bool) {
        for (i, l) in self.blocks(k).enumerate() {
            let Work { r, z, dr, dz, scratch, .. } = &mut *self.work;
            let (before, after) = r.split_at_mut(i + 1);
            self.pass.forward(l, self.rows, &before[i], (&mut z[i], &mut after[0]), scratch);
            if tangent {
                let (dbefore, dafter) = dr.split_at_mut(i + 1);
                let to = (&dbefore[i][..], &mut dz[i][..], &mut dafter[0][..]);
                self.pass.tangent(l, self.rows, (&before[i], &z[i]), to, scratch);
            }
        }
    }

    /// Blocks in the last segment: where r_N is.
    fn end(&self) -> usize {
        self.blocks(self.segments() - 1).len()
    }

    /// y (or its tangent) from the end of the stream, without padding.
    fn output(&mut self, tangent: bool, out: &mut [F]) {
        let (pass, end, last, width) = (self.pass, self.end(), self.last(), self.pass.net.outputs);
        let Work { r, dr, y, scratch: w, .. } = &mut *self.work;
        pass.enter(pass.net.depth, &r[end], w);
        if tangent {
            pass.enter_tangent(pass.net.depth, &r[end], &dr[end], w);
            pass.affine_tangent(last, self.rows, (&w.u, &w.du), y);
        } else {
            pass.affine(last, self.rows, &w.u, y);
        }
        copy_rows(y, padded(width), out, width, width);
    }

    /// Everything backward from ybar, after [`forward`](Self::forward); with `second`, of ⟨ybar, ẏ⟩.
    fn backward(
        &mut self,
        ybar: &[F],
        mut theta_bar: Option<&mut [F]>,
        xbar: Option<&mut [F]>,
        second: bool,
    ) {
        let (pass, rows, width) = (self.pass, self.rows, self.pass.net.outputs);
        copy_rows(ybar, width, &mut self.work.y, padded(width), width);
        self.leave(theta_bar.as_deref_mut(), second);
        for k in (0..self.segments()).rev() {
            if k + 1 < self.segments() {
                let Work { checkpoints, r, dr, .. } = &mut *self.work;
                r[0].copy_from_slice(&checkpoints[k][0]);
                if second {
                    dr[0].copy_from_slice(&checkpoints[k][1]);
                }
                self.segment(k, second);
            }
            for (i, l) in self.blocks(k).enumerate().rev() {
                pass.backward((l, i), rows, self.work, theta_bar.as_deref_mut(), second);
            }
        }
        let Work { x, dx, scratch: w, .. } = &mut *self.work;
        if let Some(to) = theta_bar {
            pass.gradient(0, rows, (x, &w.q), true, (&mut *to, &mut w.gradient));
            if second {
                pass.gradient(0, rows, (dx, &w.s), false, (to, &mut w.gradient));
            }
        }
        if let Some(out) = xbar {
            pass.product(rows, &w.q, &pass.transposes[0], dx, false);
            copy_rows(dx, padded(pass.net.inputs), out, pass.net.inputs, pass.net.inputs);
        }
    }

    /// The output layer backward: cotangents of the stream's end (of h_N) to w.q and w.s.
    fn leave(&mut self, theta_bar: Option<&mut [F]>, second: bool) {
        let (pass, rows, end, last) = (self.pass, self.rows, self.end(), self.last());
        let Work { r, dr, y, scratch: w, .. } = &mut *self.work;
        pass.enter(pass.net.depth, &r[end], w);
        if second {
            pass.enter_tangent(pass.net.depth, &r[end], &dr[end], w);
            if let Some(to) = theta_bar {
                pass.gradient(last, rows, (&w.du, y), false, (to, &mut w.gradient));
            }
            pass.product(rows, y, &pass.transposes[last], &mut w.s, false);
            w.q.fill(F::zero());
        } else {
            if let Some(to) = theta_bar {
                pass.gradient(last, rows, (&w.u, y), true, (to, &mut w.gradient));
            }
            pass.product(rows, y, &pass.transposes[last], &mut w.q, false);
        }
        if pass.net.pre() {
            pass.fold_norm(&r[end], if second { Some(&dr[end]) } else { None }, w);
        }
    }
}

impl Residual {
    /// Runs `work` on every block of the recorded rows.
    fn sweeps<F: Real>(
        &self,
        theta: &[F],
        dtheta: Option<&[F]>,
        tape: &mut ResidualTape<F>,
        mut work: impl FnMut(&[F], Sweep<'_, F>),
    ) {
        let per_block = tape.per_block();
        let ResidualTape { isa, rows, inputs, weights, transposes, tangents, work: memory, .. } = tape;
        let tangent = dtheta.map(|dtheta| (dtheta, &tangents[..]));
        let pass = Pass { net: self, isa: *isa, theta, weights, transposes, tangent };
        for first in (0..*rows).step_by(per_block) {
            let rows = per_block.min(*rows - first);
            let x = &inputs[first * self.inputs..][..rows * self.inputs];
            work(x, Sweep { first, rows, pass, work: &mut *memory });
        }
    }

    fn admit<F: Real>(&self, rows: usize, tape: &ResidualTape<F>) -> Result<()> {
        self.verify()?;
        tape.fits(self)?;
        let need = "no more than the tape was made for";
        Error::setting(rows <= tape.capacity, "rows", rows as f64, need)
    }
}

pub(in crate::nn) fn slice<'a, F, D: Dimension>(
    what: &'static str,
    array: &'a ArrayRef<F, D>,
    shape: &[usize],
) -> Result<&'a [F]> {
    Error::shape(what, shape, array.shape())?;
    array.as_slice().ok_or_else(|| Error::Layout { shape: shape.to_vec() })
}

pub(in crate::nn) fn slice_mut<'a, F, D: Dimension>(
    what: &'static str,
    array: &'a mut ArrayRef<F, D>,
    shape: &[usize],
) -> Result<&'a mut [F]> {
    Error::shape(what, shape, array.shape())?;
    array.as_slice_mut().ok_or_else(|| Error::Layout { shape: shape.to_vec() })
}

/// Rows `first ..` of a row-major array.
pub(in crate::nn) fn part<F>(all: &[F], width: usize, first: usize, rows: usize) -> &[F] {
    &all[first * width..][..rows * width]
}

impl<F: Real> Network<F> for Residual {
    type Tape = ResidualTape<F>;

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
        self.named()
    }

    fn init(&self, seed: u64) -> Array1<F> {
        self.draw(seed)
    }

    fn tape(&self, rows: usize) -> ResidualTape<F> {
        ResidualTape::new(self, rows)
    }

    fn forward(
        &self,
        theta: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        y: &mut ArrayRef2<F>,
        tape: &mut ResidualTape<F>,
    ) -> Result<()> {
        self.admit(x.nrows(), tape)?;
        Network::pack(self, theta, tape)?;
        self.forward_packed(theta, x, y, tape)
    }

    fn pack(&self, theta: &ArrayRef1<F>, tape: &mut ResidualTape<F>) -> Result<()> {
        self.admit(0, tape)?;
        tape.pack(self, slice("theta", theta, &[self.n_params()])?);
        Ok(())
    }

    fn forward_packed(
        &self,
        theta: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        y: &mut ArrayRef2<F>,
        tape: &mut ResidualTape<F>,
    ) -> Result<()> {
        self.admit(x.nrows(), tape)?;
        let theta = slice("theta", theta, &[self.n_params()])?;
        let from = slice("x", x, &[x.nrows(), self.inputs])?;
        let to = slice_mut("y", y, &[x.nrows(), self.outputs])?;
        tape.inputs[..from.len()].copy_from_slice(from);
        tape.rows = x.nrows();
        self.sweeps(theta, None, tape, |x, mut sweep| {
            sweep.forward(x, None);
            let out = &mut to[sweep.first * self.outputs..][..sweep.rows * self.outputs];
            sweep.output(false, out);
        });
        Ok(())
    }

    fn vjp(
        &self,
        theta: &ArrayRef1<F>,
        ybar: &ArrayRef2<F>,
        theta_bar: Option<&mut ArrayRef1<F>>,
        xbar: Option<&mut ArrayRef2<F>>,
        tape: &mut ResidualTape<F>,
    ) -> Result<()> {
        self.admit(tape.rows, tape)?;
        let theta = slice("theta", theta, &[self.n_params()])?;
        let ybar = slice("ybar", ybar, &[tape.rows, self.outputs])?;
        let mut theta_bar = theta_bar.map(|g| slice_mut("theta_bar", g, &[self.n_params()])).transpose()?;
        let mut xbar = xbar.map(|g| slice_mut("xbar", g, &[tape.rows, self.inputs])).transpose()?;
        tape.pack_transposes(self, theta);
        self.sweeps(theta, None, tape, |x, mut sweep| {
            sweep.forward(x, None);
            let (first, rows) = (sweep.first, sweep.rows);
            let out = xbar.as_deref_mut().map(|g| &mut g[first * self.inputs..][..rows * self.inputs]);
            sweep.backward(part(ybar, self.outputs, first, rows), theta_bar.as_deref_mut(), out, false);
        });
        Ok(())
    }

    fn jvp(
        &self,
        theta: &ArrayRef1<F>,
        dtheta: Option<&ArrayRef1<F>>,
        dx: Option<&ArrayRef2<F>>,
        dy: &mut ArrayRef2<F>,
        tape: &mut ResidualTape<F>,
    ) -> Result<()> {
        self.admit(tape.rows, tape)?;
        let theta = slice("theta", theta, &[self.n_params()])?;
        let dtheta = dtheta.map(|d| slice("dtheta", d, &[self.n_params()])).transpose()?;
        let dx = dx.map(|d| slice("dx", d, &[tape.rows, self.inputs])).transpose()?;
        let dy = slice_mut("dy", dy, &[tape.rows, self.outputs])?;
        if dtheta.is_none() && dx.is_none() {
            dy.fill(F::zero());
            return Ok(());
        }
        if let Some(dtheta) = dtheta {
            tape.pack_tangent(self, dtheta);
        }
        tape.work.prepare_tangents();
        self.sweeps(theta, dtheta, tape, |x, mut sweep| {
            let (first, rows) = (sweep.first, sweep.rows);
            sweep.forward(x, dx.map(|dx| part(dx, self.inputs, first, rows)));
            sweep.output(true, &mut dy[first * self.outputs..][..rows * self.outputs]);
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
        tape: &mut ResidualTape<F>,
    ) -> Result<()> {
        self.admit(tape.rows, tape)?;
        let theta = slice("theta", theta, &[self.n_params()])?;
        let ybar = slice("ybar", ybar, &[tape.rows, self.outputs])?;
        let dx = slice("dx", dx, &[tape.rows, self.inputs])?;
        let mut theta_bar = theta_bar.map(|g| slice_mut("theta_bar", g, &[self.n_params()])).transpose()?;
        let mut xbar = xbar.map(|g| slice_mut("xbar", g, &[tape.rows, self.inputs])).transpose()?;
        tape.pack_transposes(self, theta);
        tape.work.prepare_tangents();
        self.sweeps(theta, None, tape, |x, mut sweep| {
            let (first, rows) = (sweep.first, sweep.rows);
            sweep.forward(x, Some(part(dx, self.inputs, first, rows)));
            let out = xbar.as_deref_mut().map(|g| &mut g[first * self.inputs..][..rows * self.inputs]);
            sweep.backward(part(ybar, self.outputs, first, rows), theta_bar.as_deref_mut(), out, true);
        });
        Ok(())
    }

    fn loss_gradient<L>(
        &self,
        theta: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        loss: L,
        theta_bar: &mut ArrayRef1<F>,
        tape: &mut ResidualTape<F>,
    ) -> Result<F>
    where
        L: Fn(usize, &[F], &mut [F]) -> F + Sync,
    {
        self.admit(x.nrows(), tape)?;
        let theta = slice("theta", theta, &[self.n_params()])?;
        let from = slice("x", x, &[x.nrows(), self.inputs])?;
        let theta_bar = slice_mut("theta_bar", theta_bar, &[self.n_params()])?;
        tape.inputs[..from.len()].copy_from_slice(from);
        tape.rows = x.nrows();
        tape.pack(self, theta);
        tape.pack_transposes(self, theta);
        theta_bar.fill(F::zero());
        let Some([mut y, mut ybar]) = tape.flat.take() else { return Ok(F::nan()) };
        let mut total = F::zero();
        self.sweeps(theta, None, tape, |x, mut sweep| {
            sweep.forward(x, None);
            let numbers = sweep.rows * self.outputs;
            sweep.output(false, &mut y[..numbers]);
            total += loss(sweep.first, &y[..numbers], &mut ybar[..numbers]);
            sweep.backward(&ybar[..numbers], Some(&mut *theta_bar), None, false);
        });
        tape.flat = Some([y, ybar]);
        tape.rows = 0;
        Ok(total)
    }
}
