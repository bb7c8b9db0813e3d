//! The gradient of a scalar network, as a network.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, s};

use super::{Network, Parameter};
use crate::{Error, Real, Result};

/// The velocity `v = ∇_x D(theta, [x | t | condition])` of a scalar network D: a velocity network whose field is a
/// gradient at every time, with the parameters of D.
///
/// Trained by squares on straight paths with [`still`](Self::still), it is the bridge from rectified flow to a GAN's
/// critic with a gradient penalty; with a time, it is what action matching learns. Optimal transport maps are
/// gradients, so a reflow among gradients moves towards one (Liu, *Rectified flow: a marginal preserving approach to
/// optimal transport*, 2022, section 4).
///
/// [`jvp`](Network::jvp) takes no tangent in theta and [`vjp_of_jvp`](Network::vjp_of_jvp) is refused: they would need
/// third derivatives of D.
///
/// ```
/// use flowfield::{Flow, dataset::{moons, normal}, integrate::{Adam, Rk4}, matching::Matching, nn::{Mlp, Network, Potential}};
/// let data = moons::<f32>(500, 0.05, 0);
/// let v = Potential::new(Mlp::new(3, &[32, 32], 1), 2);         // D(x, t) on rows [x | t]
/// let mut theta = v.init(0);
/// Flow::new(Matching::new(&v, &data, 64), Adam::default()).steps(50, 2e-3, &mut theta)?;
/// let mut x = normal((10, 2), 1);
/// Flow::new(v.field(&theta), Rk4::new()).steps(10, 0.1, &mut x)?;
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Potential<N> {
    net: N,
    dim: usize,
    still: bool,
}

/// Workspace of a [`Potential`].
#[derive(Debug)]
pub struct PotentialTape<F, T> {
    inner: T,
    ones: Array2<F>,
    s: Array2<F>,
    /// Rows as D sees them: inputs, tangents, slopes.
    input: Array2<F>,
    tangent: Array2<F>,
    slope: Array2<F>,
    y: Array2<F>,
    ybar: Array2<F>,
    /// Rows recorded.
    rows: usize,
}

impl<N> Potential<N> {
    /// The gradient, in the first `dim` columns, of a network with one output.
    pub fn new(net: N, dim: usize) -> Self {
        Potential { net, dim, still: false }
    }

    /// D does not see the time: its input is `[x | condition]`, while the velocity's still is `[x | t | condition]`.
    #[must_use]
    pub fn still(mut self) -> Self {
        self.still = true;
        self
    }

    /// The scalar network D.
    pub fn scalar(&self) -> &N {
        &self.net
    }

    /// Copies rows of the velocity's input (or tangents of it) to D's.
    fn narrow<F: Real>(&self, x: &ArrayRef2<F>, to: &mut ArrayRef2<F>) {
        let d = self.dim;
        to.slice_mut(s![.., ..d]).assign(&x.slice(s![.., ..d]));
        let skip = usize::from(self.still);
        to.slice_mut(s![.., d..]).assign(&x.slice(s![.., d + skip..]));
    }

    /// The way back, for cotangents.
    fn widen<F: Real>(&self, from: &ArrayRef2<F>, xbar: &mut ArrayRef2<F>) {
        let d = self.dim;
        xbar.fill(F::zero());
        xbar.slice_mut(s![.., ..d]).assign(&from.slice(s![.., ..d]));
        let skip = usize::from(self.still);
        xbar.slice_mut(s![.., d + skip..]).assign(&from.slice(s![.., d..]));
    }
}

impl<F: Real, N: Network<F>> Network<F> for Potential<N> {
    type Tape = PotentialTape<F, N::Tape>;

    fn inputs(&self) -> usize {
        self.net.inputs() + usize::from(self.still)
    }

    fn outputs(&self) -> usize {
        self.dim
    }

    fn n_params(&self) -> usize {
        self.net.n_params()
    }

    fn check(&self) -> Result<()> {
        self.net.check()?;
        Error::shape("the potential's output", &[1], &[self.net.outputs()])?;
        let fits = self.dim > 0 && self.dim <= self.net.inputs();
        let need = "at least 1 and at most the inputs of the scalar network";
        Error::setting(fits, "the potential's dimension", self.dim as f64, need)
    }

    fn layout(&self) -> Vec<Parameter> {
        self.net.layout()
    }

    fn describe(&self) -> String {
        format!("the gradient of {}", self.net.describe())
    }

    fn init(&self, seed: u64) -> Array1<F> {
        self.net.init(seed)
    }

    fn tape(&self, rows: usize) -> Self::Tape {
        let zeros = |columns| Array2::zeros((rows, columns));
        let width = self.net.inputs();
        PotentialTape {
            inner: self.net.tape(rows),
            ones: Array2::ones((rows, 1)),
            s: zeros(1),
            input: zeros(width),
            tangent: zeros(width),
            slope: zeros(width),
            y: zeros(self.dim),
            ybar: zeros(self.dim),
            rows: 0,
        }
    }

    fn forward(
        &self,
        theta: &ArrayRef1<F>,
        x: &ArrayRef2<F>,
        y: &mut ArrayRef2<F>,
        tape: &mut Self::Tape,
    ) -> Result<()> {
        self.check_rows(x, tape)?;
        Error::shape("y", &[x.nrows(), self.dim], y.shape())?;
        let rows = s![..x.nrows(), ..];
        tape.rows = x.nrows();
        self.narrow(x, &mut tape.input.slice_mut(rows));
        self.net.forward(theta, &tape.input.slice(rows), &mut tape.s.slice_mut(rows), &mut tape.inner)?;
        let slope = &mut tape.slope.slice_mut(rows);
        self.net.vjp(theta, &tape.ones.slice(rows), None, Some(slope), &mut tape.inner)?;
        y.assign(&slope.slice(s![.., ..self.dim]));
        Ok(())
    }

    fn vjp(
        &self,
        theta: &ArrayRef1<F>,
        ybar: &ArrayRef2<F>,
        theta_bar: Option<&mut ArrayRef1<F>>,
        xbar: Option<&mut ArrayRef2<F>>,
        tape: &mut Self::Tape,
    ) -> Result<()> {
        Error::shape("ybar", &[tape.rows, self.dim], ybar.shape())?;
        let rows = s![..tape.rows, ..];
        tape.tangent.slice_mut(s![..tape.rows, ..self.dim]).assign(ybar);
        tape.tangent.slice_mut(s![..tape.rows, self.dim..]).fill(F::zero());
        // <ybar, ∇D> is the derivative of D along ybar.
        let (ones, tangent) = (&tape.ones.slice(rows), &tape.tangent.slice(rows));
        let slope = &mut tape.slope.slice_mut(rows);
        let wanted = xbar.is_some();
        let into = wanted.then_some(&mut **slope);
        self.net.vjp_of_jvp(theta, ones, tangent, theta_bar, into, &mut tape.inner)?;
        if let Some(xbar) = xbar {
            self.widen(slope, xbar);
        }
        Ok(())
    }

    fn jvp(
        &self,
        theta: &ArrayRef1<F>,
        dtheta: Option<&ArrayRef1<F>>,
        dx: Option<&ArrayRef2<F>>,
        dy: &mut ArrayRef2<F>,
        tape: &mut Self::Tape,
    ) -> Result<()> {
        if dtheta.is_some() {
            return Err(too_deep("a tangent in theta"));
        }
        let Some(dx) = dx else {
            dy.fill(F::zero());
            return Ok(());
        };
        Error::shape("dx", &[tape.rows, Network::<F>::inputs(self)], dx.shape())?;
        Error::shape("dy", &[tape.rows, self.dim], dy.shape())?;
        let rows = s![..tape.rows, ..];
        self.narrow(dx, &mut tape.tangent.slice_mut(rows));
        // The Hessian is symmetric: its product with dx is the gradient of the derivative along dx.
        let slope = &mut tape.slope.slice_mut(rows);
        let (ones, tangent) = (&tape.ones.slice(rows), &tape.tangent.slice(rows));
        self.net.vjp_of_jvp(theta, ones, tangent, None, Some(slope), &mut tape.inner)?;
        dy.assign(&slope.slice(s![.., ..self.dim]));
        Ok(())
    }

    fn vjp_of_jvp(
        &self,
        _theta: &ArrayRef1<F>,
        _ybar: &ArrayRef2<F>,
        _dx: &ArrayRef2<F>,
        _theta_bar: Option<&mut ArrayRef1<F>>,
        _xbar: Option<&mut ArrayRef2<F>>,
        _tape: &mut Self::Tape,
    ) -> Result<()> {
        Err(too_deep("a second derivative"))
    }

    fn loss_gradient<L>(
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
        self.check_rows(x, tape)?;
        let (n, width) = (x.nrows(), self.dim);
        let (mut y, mut ybar) = (std::mem::take(&mut tape.y), std::mem::take(&mut tape.ybar));
        let outcome = self.forward(theta, x, &mut y.slice_mut(s![..n, ..]), tape).and_then(|()| {
            let (Some(v), Some(vbar)) = (y.as_slice(), ybar.as_slice_mut()) else { return Ok(F::nan()) };
            let total = loss(0, &v[..n * width], &mut vbar[..n * width]);
            theta_bar.fill(F::zero());
            self.vjp(theta, &ybar.slice(s![..n, ..]), Some(theta_bar), None, tape)?;
            Ok(total)
        });
        (tape.y, tape.ybar) = (y, ybar);
        outcome
    }
}

impl<N> Potential<N> {
    fn check_rows<F: Real>(&self, x: &ArrayRef2<F>, tape: &PotentialTape<F, N::Tape>) -> Result<()>
    where
        N: Network<F>,
    {
        Network::<F>::check(self)?;
        Error::shape("x", &[x.nrows(), Network::<F>::inputs(self)], x.shape())?;
        let fits = x.nrows() <= tape.ones.nrows();
        Error::setting(fits, "rows", x.nrows() as f64, "at most the rows the tape was made for")
    }
}

fn too_deep(what: &'static str) -> Error {
    Error::Unsupported {
        what,
        with: "the gradient of a potential, of which only first derivatives are at hand",
        instead: "take finite differences, or a velocity network without a potential",
    }
}
