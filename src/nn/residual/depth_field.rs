//! Depth as time: the field whose Euler steps are the blocks.

use ndarray::{Array2, ArrayRef1};

use super::Residual;
use super::block::Pass;
use super::tape::ResidualTape;
use crate::nn::Network;
use crate::nn::kernel::{copy_rows, padded};
use crate::{Error, Real, Result, VectorField};

/// The field dh/dt = N ε f(h; θ(t)) for t in [0, 1] on rows h of the stream, whose N Euler steps are the network's blocks.
///
/// θ(t) is that of block ⌊N t⌋, or with [`interpolated`](Self::interpolated) the straight line between neighbours. With weights smooth in
/// depth, every integrator follows it with its own order; the residual network is the explicit Euler of it. Not for
/// [`Post`](super::NormPlacement::Post) and [`Deep`](super::NormPlacement::Deep), whose blocks project.
///
/// ```
/// use flowfield::{Flow, integrate::Rk4, nn::{DepthStep, Network, Residual}};
/// use ndarray::Array2;
/// let net = Residual::new(4, 4, 8, 4).step(DepthStep::InverseDepth);
/// let theta = net.init(0);
/// let mut h = Array2::<f64>::ones((3, 4));
/// Flow::new(net.depth_field(&theta), Rk4::new()).steps(8, 1.0 / 8.0, &mut h)?;
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug)]
pub struct DepthField<'a, F: Real> {
    net: &'a Residual,
    theta: &'a ArrayRef1<F>,
    interpolated: bool,
    tape: Option<ResidualTape<F>>,
    /// A network of one block, and its parameters.
    one: Residual,
    block: Vec<F>,
}

impl Residual {
    /// The blocks as a field in depth; see [`DepthField`].
    pub fn depth_field<'a, F: Real>(&'a self, theta: &'a ArrayRef1<F>) -> DepthField<'a, F> {
        let one = one_block(self);
        let block = vec![F::zero(); one.n_params()];
        DepthField { net: self, theta, interpolated: false, tape: None, one, block }
    }
}

impl<F: Real> DepthField<'_, F> {
    /// Takes the weights at t from the line between the two blocks around it.
    #[must_use]
    pub fn interpolated(mut self) -> Self {
        self.interpolated = true;
        self
    }

    /// Writes the parameters at t where those of the one block are.
    fn blend(&mut self, t: F, theta: &[F]) {
        let depth = self.net.depth;
        // Euler's own times k/N, rounded, must not fall into block k - 1.
        let at = (t.f64() * depth as f64).clamp(0.0, depth as f64);
        let lower = ((at + 1e-6).floor() as usize).min(depth - 1);
        let upper = (lower + 1).min(depth - 1);
        let part = if self.interpolated { F::of((at - lower as f64).clamp(0.0, 1.0)) } else { F::zero() };
        let (a, b) = (&theta[self.net.block_range(lower)], &theta[self.net.block_range(upper)]);
        let to = &mut self.block[self.one.block_range(0)];
        to.iter_mut().zip(a.iter().zip(b)).for_each(|(to, (&a, &b))| *to = a + part * (b - a));
    }

    fn run(&mut self, t: F, h: &Array2<F>, dh: &mut Array2<F>) -> Option<()> {
        let (theta, width) = (self.theta.as_slice()?, self.net.width);
        self.blend(t, theta);
        if self.tape.as_ref().is_none_or(|tape| tape.capacity != h.nrows()) {
            self.tape = Some(ResidualTape::new(&self.one, h.nrows()));
        }
        let tape = self.tape.as_mut()?;
        let per_block = tape.per_block();
        let ResidualTape { isa, weights, transposes, work, .. } = tape;
        let (net, theta) = (&self.one, &self.block[..]);
        [1, 2].into_iter().for_each(|index| weights[index].fill(net.affine(index).weights(theta)));
        let pass = Pass { net, isa: *isa, theta, weights, transposes, tangent: None };
        let scale = F::of(self.net.depth as f64 * self.net.epsilon());
        let blocks = h.as_slice()?.chunks(per_block * width);
        for (from, to) in blocks.zip(dh.as_slice_mut()?.chunks_mut(per_block * width)) {
            copy_rows(from, width, &mut work.r[0], padded(width), width);
            let (before, after) = work.r.split_at_mut(1);
            let into = (&mut work.z[0][..], &mut after[0][..]);
            pass.branch_value(0, from.len() / width, &before[0], into, &mut work.scratch);
            copy_rows(&after[0], padded(width), to, width, width);
            to.iter_mut().for_each(|slope| *slope *= scale);
        }
        Some(())
    }
}

/// The architecture of one block.
fn one_block(net: &Residual) -> Residual {
    Residual { inputs: net.width, outputs: net.width, depth: 1, recompute: false, ..net.clone() }
}

impl<F: Real> VectorField<Array2<F>> for DepthField<'_, F> {
    fn eval(&mut self, t: F, h: &Array2<F>, dh: &mut Array2<F>) {
        if self.check(h).is_err() || self.run(t, h, dh).is_none() {
            dh.fill(F::nan());
        }
    }

    fn check(&self, h: &Array2<F>) -> Result<()> {
        Network::<F>::check(self.net)?;
        if self.net.post() {
            return Err(Error::Unsupported {
                what: "a depth field",
                with: "norms after the sum, which project",
                instead: "take NormPlacement::None, Pre or Sub, or run the network itself",
            });
        }
        Error::shape("theta", &[self.net.n_params()], self.theta.shape())?;
        Error::shape("h", &[h.nrows(), self.net.width], h.shape())
    }
}
