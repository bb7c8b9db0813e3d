//! A trained velocity network as a vector field over rows.

use ndarray::{Array2, ArrayRef1, ArrayRef2, Axis, s};

use super::Network;
use super::kernel::copy_rows;
use crate::{Error, Real, Result, VectorField};

/// The field dx/dt = v(theta, [x | t | condition]) on rows x of an `Array2`, made by
/// [`Network::field`].
///
/// ```
/// use flowfield::{VectorField, nn::{Mlp, Network}};
/// use ndarray::Array2;
/// let net = Mlp::velocity(2, &[16]);
/// let theta = net.init(0);
/// let mut v = net.field(&theta);
/// let x = Array2::<f32>::zeros((5, 2));
/// let mut dx = x.clone();
/// v.check(&x)?;
/// v.eval(0.5, &x, &mut dx);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug)]
pub struct VelocityField<'a, F: Real, N: Network<F>> {
    net: &'a N,
    theta: &'a ArrayRef1<F>,
    condition: Option<&'a ArrayRef2<F>>,
    guidance: Option<F>,
    scratch: Option<Scratch<F, N::Tape>>,
}

#[derive(Debug)]
struct Scratch<F, T> {
    input: Array2<F>,
    /// Conditional velocities, then unconditional ones, where they are mixed.
    both: Array2<F>,
    tape: T,
}

impl<'a, F: Real, N: Network<F>> VelocityField<'a, F, N> {
    pub(super) fn new(net: &'a N, theta: &'a ArrayRef1<F>) -> Self {
        VelocityField { net, theta, condition: None, guidance: None, scratch: None }
    }

    /// Conditions each row of x on the same row of `rows`; see [`one_hot`] for labels.
    #[must_use]
    pub fn condition(mut self, rows: &'a ArrayRef2<F>) -> Self {
        self.condition = Some(rows);
        self.scratch = None;
        self
    }

    /// Classifier-free guidance with weight w: `v = v(x, t, 0) + w (v(x, t, c) - v(x, t, 0))`, for a network that was trained
    /// with [`condition_dropout`](crate::matching::Matching::condition_dropout). w = 1 is the plain conditional
    /// velocity, w = 0 the unconditional one; larger weights give samples more typical of their condition (Ho and
    /// Salimans, *Classifier-free diffusion guidance*, 2022, whose w is ours less one). Two rows are evaluated for each.
    #[must_use]
    pub fn guidance(mut self, weight: F) -> Self {
        self.guidance = Some(weight);
        self.scratch = None;
        self
    }

    fn run(&mut self, t: F, x: &Array2<F>, dx: &mut Array2<F>) -> Result<()> {
        let (inputs, dim) = (self.net.inputs(), x.ncols());
        let copies = 1 + usize::from(self.guidance.is_some());
        if self.scratch.as_ref().is_none_or(|s| s.input.nrows() != copies * x.nrows()) {
            self.scratch = Some(self.scratch(x.nrows(), dim)?);
        }
        let Some(Scratch { input, both, tape }) = &mut self.scratch else { return Ok(()) };
        let x = x.as_standard_layout();
        if let (Some(x), Some(input)) = (x.as_slice(), input.as_slice_mut()) {
            for part in input.chunks_exact_mut(x.len() / dim * inputs) {
                present(t, (x, dim), (part, inputs));
            }
        }
        let Some(weight) = self.guidance else {
            return self.net.forward_packed(self.theta, input, dx, tape);
        };
        self.net.forward_packed(self.theta, input, both, tape)?;
        let (with, without) = both.view().split_at(Axis(0), x.nrows());
        dx.assign(&without);
        dx.zip_mut_with(&with, |v, &c| *v += weight * (c - *v));
        Ok(())
    }

    /// Scratch for a number of rows, with the condition in place and theta packed.
    fn scratch(&self, rows: usize, dim: usize) -> Result<Scratch<F, N::Tape>> {
        let all = if self.guidance.is_some() { 2 * rows } else { rows };
        let mut input = Array2::zeros((all, self.net.inputs()));
        if let Some(condition) = self.condition {
            input.slice_mut(s![..rows, dim + 1..]).assign(condition);
        }
        let both = Array2::zeros((if all > rows { all } else { 0 }, dim));
        let mut tape = self.net.lean_tape(all);
        self.net.pack(self.theta, &mut tape)?;
        Ok(Scratch { input, both, tape })
    }
}

/// Writes x and t into the rows [x | t | ..] of a network's input.
pub(super) fn present<F: Real>(t: F, (x, dim): (&[F], usize), (input, inputs): (&mut [F], usize)) {
    copy_rows(x, dim, input, inputs, dim);
    input.chunks_exact_mut(inputs).take(x.len() / dim).for_each(|row| row[dim] = t);
}

impl<F: Real, N: Network<F>> VectorField<Array2<F>> for VelocityField<'_, F, N> {
    /// Writes the velocities at time `t` of the rows of `x` to `dx`.
    ///
    /// Allocates at the first call for a number of rows. What [`check`](Self::check) would refuse gives NaN.
    fn eval(&mut self, t: F, x: &Array2<F>, dx: &mut Array2<F>) {
        if self.check(x).and_then(|()| self.run(t, x, dx)).is_err() {
            dx.fill(F::nan());
        }
    }

    /// Zero-width layers, a theta of another length, and rows that do not fill the network's inputs
    /// together with the time and the condition are errors.
    fn check(&self, x: &Array2<F>) -> Result<()> {
        self.net.check()?;
        Error::shape("theta", &[self.net.n_params()], self.theta.shape())?;
        if self.theta.as_slice().is_none() {
            return Err(Error::Layout { shape: self.theta.shape().to_vec() });
        }
        let condition = self.condition.map_or(0, |c| c.ncols());
        if let Some(c) = self.condition {
            Error::shape("condition", &[x.nrows(), condition], c.shape())?;
        }
        if let Some(weight) = self.guidance {
            let need = "it must be finite, and there must be a condition";
            let good = weight.is_finite() && self.condition.is_some();
            Error::setting(good, "the weight of guidance", weight.f64(), need)?;
        }
        Error::shape(
            "[x | t | condition]",
            &[x.nrows(), self.net.inputs()],
            &[x.nrows(), x.ncols() + 1 + condition],
        )?;
        Error::shape("x", &[x.nrows(), self.net.outputs()], x.shape())
    }
}

/// One row per label, with a one in the label's column and zeros elsewhere: a condition on classes.
///
/// ```
/// let rows = flowfield::nn::one_hot::<f32>(&[1, 0], 3)?;
/// assert_eq!(rows, ndarray::array![[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]);
/// # Ok::<(), flowfield::Error>(())
/// ```
///
/// # Errors
/// A label that is not below `classes`.
pub fn one_hot<F: Real>(labels: &[usize], classes: usize) -> Result<Array2<F>> {
    let mut rows = Array2::zeros((labels.len(), classes));
    for (mut row, &label) in rows.outer_iter_mut().zip(labels) {
        let need = "below the number of classes";
        let cell = row.get_mut(label).ok_or(Error::Setting { what: "label", value: label as f64, need })?;
        *cell = F::one();
    }
    Ok(rows)
}
