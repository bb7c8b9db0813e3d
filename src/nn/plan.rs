//! A network with its parameters, compiled for a number of rows.

use std::fmt;

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, s};

use super::Network;
use super::velocity::present;
use crate::{Error, Real, Result, VectorField};

/// A network and a batch shape, compiled once: the weights in the order in which the products read them, the biases as one more
/// row of them, the activations applied to each block of rows while it is in cache, and a workspace that stays.
///
/// Nothing is packed, compared or allocated between evaluations, which is most of the work where there are few rows. The
/// parameters are copied: train on, then [`repack`](Self::repack). A plan of a velocity network is a field over rows,
/// dx/dt = g(theta, [x | t]), like [`Network::field`], which borrows its theta and knows conditions.
///
/// ```
/// use flowfield::{Flow, dataset::normal, integrate::Heun, nn::{Mlp, Network, Plan}};
/// let net = Mlp::velocity(2, &[32, 32]);
/// let mut theta = net.init(0);
/// let mut sampler = Flow::new(Plan::compile(&net, &theta, 100)?, Heun::new());
/// sampler.steps(10, 0.1, &mut normal::<f32>((100, 2), 1))?;
/// theta *= 0.5;                                                   // .. a step of training
/// sampler.field_mut().repack(&theta)?;
/// let (x, mut y) = (normal::<f32>((8, 3), 2), normal((8, 2), 3));
/// sampler.field_mut().forward(&x, &mut y)?;                       // y = g(theta, x)
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct Plan<'a, F: Real, N: Network<F>> {
    net: &'a N,
    theta: Array1<F>,
    /// Rows [x | t].
    input: Array2<F>,
    tape: N::Tape,
}

impl<'a, F: Real, N: Network<F>> Plan<'a, F, N> {
    /// The network with these parameters for up to `rows` rows at a time.
    ///
    /// # Errors
    /// An unusable network, a theta of another length, no rows.
    pub fn compile(net: &'a N, theta: &ArrayRef1<F>, rows: usize) -> Result<Self> {
        net.check()?;
        Error::setting(rows > 0, "rows of a plan", rows as f64, "compile it for at least one row")?;
        Error::shape("theta", &[net.n_params()], theta.shape())?;
        let theta = theta.as_standard_layout().into_owned();
        let mut tape = net.lean_tape(rows);
        net.pack(&theta, &mut tape)?;
        Ok(Plan { net, theta, input: Array2::zeros((rows, net.inputs())), tape })
    }

    /// Takes other parameters of the same network.
    ///
    /// # Errors
    /// A theta of another length.
    pub fn repack(&mut self, theta: &ArrayRef1<F>) -> Result<()> {
        Error::shape("theta", &[self.net.n_params()], theta.shape())?;
        self.theta.assign(theta);
        self.net.pack(&self.theta, &mut self.tape)
    }

    /// `y = g(theta, x)`, x being rows × inputs and y rows × outputs.
    ///
    /// # Errors
    /// More rows than the plan is for, and shapes that do not fit.
    pub fn forward(&mut self, x: &ArrayRef2<F>, y: &mut ArrayRef2<F>) -> Result<()> {
        self.net.forward_packed(&self.theta, x, y, &mut self.tape)
    }

    /// Rows that fit.
    pub fn rows(&self) -> usize {
        self.input.nrows()
    }

    fn velocity(&mut self, t: F, x: &Array2<F>, dx: &mut Array2<F>) -> Result<()> {
        let shape = || x.shape().to_vec();
        let from = x.as_slice().ok_or_else(|| Error::Layout { shape: shape() })?;
        let mut input = self.input.slice_mut(s![..x.nrows(), ..]);
        if let Some(to) = input.as_slice_mut() {
            present(t, (from, x.ncols()), (to, self.net.inputs()));
        }
        self.net.forward_packed(&self.theta, &input, dx, &mut self.tape)
    }
}

impl<F: Real, N: Network<F>> VectorField<Array2<F>> for Plan<'_, F, N> {
    /// What [`check`](Self::check) would refuse gives NaN.
    fn eval(&mut self, t: F, x: &Array2<F>, dx: &mut Array2<F>) {
        if self.check(x).and_then(|()| self.velocity(t, x, dx)).is_err() {
            dx.fill(F::nan());
        }
    }

    /// More rows than the plan is for, and columns that are not those of a velocity network without condition, are errors.
    fn check(&self, x: &Array2<F>) -> Result<()> {
        let need = "at most the rows that the plan was compiled for";
        Error::setting(x.nrows() <= self.rows(), "rows", x.nrows() as f64, need)?;
        let (rows, inputs) = (x.nrows(), self.net.inputs());
        Error::shape("[x | t]", &[rows, inputs], &[rows, x.ncols() + 1])?;
        Error::shape("x", &[rows, self.net.outputs()], x.shape())
    }
}

impl<F: Real, N: Network<F>> fmt::Debug for Plan<'_, F, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("rows", &self.rows())
            .field("parameters", &self.theta.len())
            .finish_non_exhaustive()
    }
}
