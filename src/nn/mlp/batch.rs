//! Whole batches, as slices of checked length: blocks dealt to lanes, lanes summed.

use super::block::{Block, Scratch};
use super::lanes::{Job, Share};
use super::pass::{Gradient, Pass};
use super::tape::{Lane, MlpTape};
use super::{Layer, Mlp, lane_count};
use crate::Real;
use crate::nn::activation::Record;
use crate::nn::kernel::padded;
use crate::precision::Format;

/// A block in reverse mode.
struct Pull<'a, F> {
    first: usize,
    rows: usize,
    block: &'a Block<F>,
    scratch: &'a mut Scratch<F>,
    gradient: Option<Gradient<'a, F>>,
    xbar: Option<&'a mut [F]>,
}

impl Mlp {
    /// The forward pass of rows of x, recorded.
    pub(super) fn run_forward<F: Real>(&self, theta: &[F], x: &[F], y: &mut [F], tape: &mut MlpTape<F>) {
        let rows = x.len() / self.inputs;
        tape.rows = rows;
        tape.pack(self, theta);
        if !tape.inputs.is_empty() {
            tape.inputs[..x.len()].copy_from_slice(x);
        }
        let record = match tape.order {
            _ if tape.kept.is_empty() => Record::Values,
            Record::Second => self.curvature_record(),
            order => order,
        };
        let (pass, _, share) = tape.share(self, y, self.outputs);
        let block = |Job { first, rows, lane, kept, out }: Job<'_, F>| {
            let block = kept.unwrap_or(&mut lane.block);
            pass.forward(part(x, self.inputs, first, rows), rows, block, record);
            pass.outputs_of(block, out);
        };
        share.run(&block, &|_, _| ());
    }

    /// The forward pass of rows of x with what is packed, not recorded.
    pub(super) fn run_packed<F: Real>(&self, x: &[F], y: &mut [F], tape: &mut MlpTape<F>) {
        tape.rows = x.len() / self.inputs;
        let (pass, _, share) = tape.share(self, y, self.outputs);
        let block = |Job { first, rows, lane, out, .. }: Job<'_, F>| {
            pass.forward(part(x, self.inputs, first, rows), rows, &mut lane.block, Record::Values);
            pass.outputs_of(&lane.block, out);
        };
        share.run(&block, &|_, _| ());
        tape.rows = 0;
    }

    /// Reverse mode of the recorded rows.
    pub(super) fn run_vjp<F: Real>(
        &self,
        theta: &[F],
        ybar: &[F],
        theta_bar: Option<&mut [F]>,
        xbar: Option<&mut [F]>,
        tape: &mut MlpTape<F>,
    ) {
        tape.pack_transposes(self, theta);
        self.pull(
            theta_bar,
            xbar,
            self.gradient_record(),
            tape,
            |pass, Pull { first, rows, block, scratch, gradient, xbar }| {
                pass.backward(part(ybar, self.outputs, first, rows), rows, block, scratch, gradient, xbar);
            },
        );
    }

    /// Forward mode of the recorded rows.
    pub(super) fn run_jvp<F: Real>(
        &self,
        theta: &[F],
        (dtheta, dx): (Option<&[F]>, Option<&[F]>),
        dy: &mut [F],
        tape: &mut MlpTape<F>,
    ) {
        tape.pack_full(self, theta);
        if let Some(dtheta) = dtheta {
            tape.pack_tangent(self, dtheta);
        }
        let enough = tape.order >= Record::First;
        let (pass, inputs, share) = tape.share(self, dy, self.outputs);
        let block = |Job { first, rows, lane, kept, out }: Job<'_, F>| {
            let x = recorded(inputs, self.inputs, first, rows);
            let block = pass.recorded(x, rows, kept.filter(|_| enough), &mut lane.block, Record::First);
            let dx = dx.map(|dx| part(dx, self.inputs, first, rows));
            pass.tangent(dx, dtheta.is_some(), rows, block, &mut lane.scratch);
            pass.tangents_of_outputs(&lane.scratch, out);
        };
        share.run(&block, &|_, _| ());
    }

    /// Reverse over forward of the recorded rows.
    pub(super) fn run_vjp_of_jvp<F: Real>(
        &self,
        theta: &[F],
        (ybar, dtheta, dx): (&[F], Option<&[F]>, Option<&[F]>),
        theta_bar: Option<&mut [F]>,
        xbar: Option<&mut [F]>,
        tape: &mut MlpTape<F>,
    ) {
        tape.pack_full(self, theta);
        tape.pack_full_transposes(self, theta);
        if let Some(dtheta) = dtheta {
            tape.pack_tangent(self, dtheta);
            tape.pack_tangent_transposes(self, dtheta);
        }
        let moves = dtheta.is_some();
        self.pull(
            theta_bar,
            xbar,
            self.curvature_record(),
            tape,
            |pass, Pull { first, rows, block, scratch, mut gradient, mut xbar }| {
                let dx = dx.map(|dx| part(dx, self.inputs, first, rows));
                pass.tangent(dx, moves, rows, block, scratch);
                let ybar = part(ybar, self.outputs, first, rows);
                // The slopes pass through xbar: the cotangent of ȧ_0 stays in the scratch.
                pass.slopes(ybar, rows, block, scratch, xbar.as_deref_mut());
                let flat = pass.bend(moves, rows, block, scratch, gradient.as_mut());
                if let Some(xbar) = xbar {
                    pass.bent_inputs((moves, flat), dx, rows, block, scratch, xbar);
                }
            },
        );
    }

    /// The derivatives that reverse over forward needs.
    fn curvature_record(&self) -> Record {
        if self.activation.is_curved() { Record::Second } else { Record::First }
    }

    /// The derivatives that reverse mode needs. (Values that were rounded would give other slopes.)
    pub(super) fn gradient_record(&self) -> Record {
        let values_do = self.activation.slope_is_of_value() && self.format == Format::Full;
        if values_do { Record::Values } else { Record::First }
    }

    /// Whether the gradient of a layer is gathered transposed: of few outputs, whole groups of which would be padding.
    pub(super) fn gathers_transposed(&self, outputs: usize) -> bool {
        outputs <= 4 && self.format == Format::Full
    }

    /// Numbers in a lane's gradient of a layer.
    pub(super) fn gradient_len(&self, l: &Layer) -> usize {
        let (height, width) = (l.inputs + 1, l.outputs);
        if self.gathers_transposed(width) { width * padded(height) } else { height * padded(width) }
    }

    /// Forward, slopes, a loss of them, and its gradient, block by block.
    pub(super) fn run_slope_gradient<F: Real>(
        &self,
        theta: &[F],
        x: &[F],
        loss: impl Fn(usize, &[F], &mut [F]) -> F + Sync,
        theta_bar: &mut [F],
        tape: &mut MlpTape<F>,
    ) -> F {
        tape.rows = x.len() / self.inputs;
        tape.pack(self, theta);
        tape.pack_full(self, theta);
        tape.pack_full_transposes(self, theta);
        let (pass, _, share) = tape.share(self, &mut [], 0);
        let block = |Job { first, rows, lane, .. }: Job<'_, F>| {
            let Lane { block, scratch, gradient, started, ybar, slope, slope_bar, loss: total, .. } = lane;
            pass.forward(part(x, self.inputs, first, rows), rows, block, self.curvature_record());
            let (slope, slope_bar) = (&mut slope[..rows * self.inputs], &mut slope_bar[..rows * self.inputs]);
            ybar.fill(F::one());
            pass.slopes(&ybar[..rows * self.outputs], rows, block, scratch, Some(slope));
            *total += loss(first, slope, slope_bar);
            pass.tangent(Some(slope_bar), false, rows, block, scratch);
            let add = std::mem::replace(started, true);
            pass.bend(false, rows, block, scratch, Some(&mut Gradient { layers: gradient, add }));
        };
        let sum = share.run(&block, &|left, right| left.absorb(right));
        let total = sum.as_ref().map_or(F::zero(), |lane| lane.loss);
        self.add_gradient(sum, theta_bar);
        // The lanes' records cover their last blocks only.
        tape.rows = 0;
        total
    }

    /// Runs `sweep` on every recorded block and adds the gradients up.
    fn pull<F: Real>(
        &self,
        theta_bar: Option<&mut [F]>,
        xbar: Option<&mut [F]>,
        record: Record,
        tape: &mut MlpTape<F>,
        sweep: impl Fn(&Pass<'_, F>, Pull<'_, F>) + Sync,
    ) {
        let (want_x, want_theta, enough) = (xbar.is_some(), theta_bar.is_some(), tape.order >= record);
        let width = if want_x { self.inputs } else { 0 };
        let (pass, inputs, share) = tape.share(self, xbar.unwrap_or_default(), width);
        let block = |Job { first, rows, lane, kept, out }: Job<'_, F>| {
            let x = recorded(inputs, self.inputs, first, rows);
            let block = pass.recorded(x, rows, kept.filter(|_| enough), &mut lane.block, record);
            let add = std::mem::replace(&mut lane.started, true);
            let gradient = want_theta.then_some(Gradient { layers: &mut lane.gradient, add });
            let xbar = want_x.then_some(out);
            sweep(&pass, Pull { first, rows, block, scratch: &mut lane.scratch, gradient, xbar });
        };
        if let Some(theta_bar) = theta_bar {
            let sum = share.run(&block, &|left, right| left.absorb(right));
            self.add_gradient(sum, theta_bar);
        } else {
            share.run(&block, &|_, _| ());
        }
    }

    /// Forward, loss and reverse, block by block.
    pub(super) fn run_loss_gradient<F: Real>(
        &self,
        theta: &[F],
        x: &[F],
        loss: impl Fn(usize, &[F], &mut [F]) -> F + Sync,
        theta_bar: &mut [F],
        tape: &mut MlpTape<F>,
    ) -> F {
        tape.rows = x.len() / self.inputs;
        tape.pack(self, theta);
        tape.pack_transposes(self, theta);
        let (pass, _, share) = tape.share(self, &mut [], 0);
        let block = |Job { first, rows, lane, .. }: Job<'_, F>| {
            let Lane { block, scratch, gradient, started, y, ybar, loss: total, .. } = lane;
            pass.forward(part(x, self.inputs, first, rows), rows, block, self.gradient_record());
            let (y, ybar) = (&mut y[..rows * self.outputs], &mut ybar[..rows * self.outputs]);
            pass.outputs_of(block, y);
            *total += loss(first, y, ybar);
            let add = std::mem::replace(started, true);
            pass.backward(ybar, rows, block, scratch, Some(Gradient { layers: gradient, add }), None);
        };
        let sum = share.run(&block, &|left, right| left.absorb(right));
        theta_bar.fill(F::zero());
        let total = sum.as_ref().map_or(F::zero(), |lane| lane.loss);
        self.add_gradient(sum, theta_bar);
        // The lanes' records cover their last blocks only.
        tape.rows = 0;
        total
    }

    /// Adds a lane's gradient, without its padding, to theta_bar.
    fn add_gradient<F: Real>(&self, lane: Option<&mut Lane<F>>, theta_bar: &mut [F]) {
        let Some(lane) = lane.filter(|lane| lane.started) else { return };
        for (l, gradient) in self.layers().zip(&lane.gradient) {
            if self.gathers_transposed(l.outputs) {
                for (j, row) in gradient.chunks_exact(padded(l.inputs + 1)).enumerate() {
                    let column = theta_bar[l.start + j..l.end].iter_mut().step_by(l.outputs);
                    column.zip(row).for_each(|(to, &from)| *to += from);
                }
                continue;
            }
            let rows = gradient.chunks_exact(padded(l.outputs));
            for (to, from) in theta_bar[l.start..l.end].chunks_exact_mut(l.outputs).zip(rows) {
                to.iter_mut().zip(from).for_each(|(to, &from)| *to += from);
            }
        }
    }
}

impl<F: Real> MlpTape<F> {
    /// The parts of the tape for a pass over its rows, with `out` (rows × width) as the result.
    pub(super) fn share<'a>(
        &'a mut self,
        net: &'a Mlp,
        out: &'a mut [F],
        width: usize,
    ) -> (Pass<'a, F>, &'a [F], Share<'a, F>) {
        let MlpTape {
            weights, transposes, tangents, tangent_transposes, halves, inputs, kept, lanes, ..
        } = self;
        let (rows, per_block) = (self.rows, self.per_block);
        let lanes = &mut lanes[..lane_count(net, rows, per_block)];
        for lane in lanes.iter_mut() {
            (lane.started, lane.loss) = (false, F::zero());
        }
        let blocks = 0..rows.div_ceil(per_block);
        let halves = halves.as_ref();
        let pass = Pass { net, isa: self.isa, weights, transposes, tangents, tangent_transposes, halves };
        (pass, inputs, Share { lanes, kept, out, blocks, per_block, rows, width })
    }
}

impl<F: Real> Pass<'_, F> {
    /// The record of a block: the one that was kept, or made again from its x.
    pub(super) fn recorded<'b>(
        &self,
        x: &[F],
        rows: usize,
        kept: Option<&'b mut Block<F>>,
        spare: &'b mut Block<F>,
        record: Record,
    ) -> &'b Block<F> {
        match kept {
            Some(block) => block,
            None => {
                self.forward(x, rows, spare, record);
                spare
            }
        }
    }
}

/// Rows `first ..` of a row-major array.
fn part<F>(all: &[F], width: usize, first: usize, rows: usize) -> &[F] {
    &all[first * width..][..rows * width]
}

/// The recorded rows of x; empty if the blocks' records are kept instead.
pub(super) fn recorded<F>(inputs: &[F], width: usize, first: usize, rows: usize) -> &[F] {
    if inputs.is_empty() { inputs } else { part(inputs, width, first, rows) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::kernel::Isa;
    use crate::nn::{Activation, TimeFeatures};

    /// Everything the kernels compute, by one instruction set.
    fn everything<F: Real>(net: &Mlp, isa: Isa) -> Vec<f64> {
        let rows = 70;
        let numbers = |n: usize, seed: usize| -> Vec<F> {
            (0..n).map(|i| F::of(((i * 5 + seed) as f64 * 0.61).sin())).collect()
        };
        let theta = net.draw::<F>(1).to_vec();
        let (x, dx, ybar) =
            (numbers(rows * net.inputs, 1), numbers(rows * net.inputs, 2), numbers(rows * net.outputs, 3));
        let (mut y, mut dy, mut xbar) = (ybar.clone(), ybar.clone(), x.clone());
        let (mut first, mut second, mut fused) = (theta.clone(), theta.clone(), theta.clone());
        let mut tape = MlpTape::new(net, rows, isa, 0);
        net.run_forward(&theta, &x, &mut y, &mut tape);
        net.run_vjp(&theta, &ybar, Some(&mut first), None, &mut tape);
        net.run_jvp(&theta, (Some(&theta), Some(&dx)), &mut dy, &mut tape);
        net.run_vjp_of_jvp(
            &theta,
            (&ybar, Some(&theta), Some(&dx)),
            Some(&mut second),
            Some(&mut xbar),
            &mut tape,
        );
        let loss = |_: usize, y: &[F], ybar: &mut [F]| {
            ybar.copy_from_slice(y);
            F::zero()
        };
        net.run_loss_gradient(&theta, &x, loss, &mut fused, &mut tape);
        let steep = |_: usize, v: &[F], vbar: &mut [F]| {
            vbar.copy_from_slice(v);
            F::zero()
        };
        net.run_slope_gradient(&theta, &x, steep, &mut fused, &mut tape);
        [y, dy, xbar, first, second, fused].concat().into_iter().map(Real::f64).collect()
    }

    #[test]
    fn all_instruction_sets_agree_with_the_portable_one() {
        for activation in Activation::ALL {
            let time = TimeFeatures::Sinusoidal { pairs: 2, max_freq: 4.0 };
            let net = Mlp::velocity(3, &[70, 21]).time(time).activation(activation);
            let want = (everything::<f32>(&net, Isa::Portable), everything::<f64>(&net, Isa::Portable));
            for &isa in Isa::available() {
                let got = (everything::<f32>(&net, isa), everything::<f64>(&net, isa));
                let near = |got: &[f64], want: &[f64], limit: f64| {
                    let scale = want.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
                    let worst = got.iter().zip(want).map(|(a, b)| (a - b).abs() / scale).fold(0.0, f64::max);
                    assert!(worst < limit, "{activation:?} by {isa:?}: {worst}");
                };
                near(&got.0, &want.0, 3e-5);
                near(&got.1, &want.1, 1e-13);
            }
        }
    }
}
