//! A field in parameter space: minus the gradient of the distance between a solution and data.

use std::fmt;

use ndarray::Array1;

use super::discrete::DiscreteAdjoint;
use super::pull::Reversible;
use super::{Checkpoints, Parametric};
use crate::parameter_flow::ParameterFlow;
use crate::{Error, Flow, Real, Result, State, VectorField};

/// Training through a solve, as a flow in parameter space: minus the gradient of
///
/// ```text
/// L(θ) = mean over times and components of (y(tₖ; θ) - dataₖ)²
/// ```
///
/// by the discrete adjoint of the solve. A neural ODE trains by any optimiser:
///
/// ```
/// use flowfield::sensitivity::{Fit, NeuralField};
/// use flowfield::{Flow, integrate::{Adam, Tsit5}, nn::{Mlp, Network}};
/// use ndarray::array;
/// let net = Mlp::new(2, &[16], 2);
/// let mut theta = net.init(0);
/// let model = Flow::new(NeuralField::new(&net, &theta), Tsit5::new()).tol(1e-5);
/// let (y0, data) = (array![[1.0, 0.0]], [array![[0.5, 0.8]], array![[-0.4, 0.9]]]);
/// let mut training = Flow::new(Fit::new(model, 0.0, y0, &[1.0, 2.0], &data), Adam::default());
/// training.steps(200, 0.01, &mut theta)?;
/// assert!(training.field().loss() < 0.05);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct Fit<'a, V, I, S: State> {
    model: Flow<'a, V, I, S>,
    t0: S::Elem,
    y0: S,
    times: Vec<S::Elem>,
    data: Vec<S>,
    adjoint: DiscreteAdjoint<S>,
    losses: [S::Elem; 1],
    failed: Option<Error>,
}

impl<'a, V: Parametric<S>, I: Reversible<S>, S: State> Fit<'a, V, I, S> {
    /// Fits `model`, started from `y0` at `t0`, to `data` at `times`.
    pub fn new(model: Flow<'a, V, I, S>, t0: S::Elem, y0: S, times: &[S::Elem], data: &[S]) -> Self {
        Fit {
            model,
            t0,
            y0,
            times: times.to_vec(),
            data: data.to_vec(),
            adjoint: DiscreteAdjoint::new(),
            losses: [S::Elem::of(f64::NAN)],
            failed: None,
        }
    }

    /// Which states of the solve are kept (default: all).
    #[must_use]
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.adjoint = DiscreteAdjoint::new().checkpoints(checkpoints);
        self
    }

    /// The loss at the last evaluation.
    pub fn loss(&self) -> S::Elem {
        self.losses[0]
    }

    /// The model, with the parameters of the last evaluation.
    pub fn model(&mut self) -> &mut Flow<'a, V, I, S> {
        &mut self.model
    }

    /// Why the last evaluation was not finite, if it was the solve.
    pub fn failure(&self) -> Option<&Error> {
        self.failed.as_ref()
    }
}

impl<V: Parametric<S>, I: Reversible<S>, S: State> VectorField<Array1<S::Elem>> for Fit<'_, V, I, S> {
    /// A solve that fails gives NaN; [`failure`](Fit::failure) says why.
    fn eval(&mut self, _t: S::Elem, theta: &Array1<S::Elem>, dtheta: &mut Array1<S::Elem>) {
        self.model.parts().0.set_params(theta.as_slice());
        let numbers = self.data.len() * self.y0.as_slice().len();
        let scale = S::Elem::of(1.0 / numbers as f64);
        let data = &self.data;
        let loss = |k: usize, _t: S::Elem, y: &S, ybar: &mut S| {
            let mut sum = S::Elem::of(0.0);
            let pairs = y.as_slice().iter().zip(data[k].as_slice());
            for (b, (&y, &d)) in ybar.as_mut_slice().iter_mut().zip(pairs) {
                sum += (y - d) * (y - d);
                *b = S::Elem::of(2.0) * scale * (y - d);
            }
            sum * scale
        };
        match self.adjoint.gradient(&mut self.model, self.t0, &self.times, &self.y0, loss) {
            Ok(gradient) => {
                self.losses = [gradient.loss];
                dtheta.zip_mut_with(&gradient.theta, |d, &g| *d = -g);
            }
            Err(error) => {
                self.failed = Some(error);
                dtheta.fill(S::Elem::of(f64::NAN));
            }
        }
    }

    fn loss(&self) -> Option<S::Elem> {
        Some(self.losses[0])
    }

    fn check(&self, theta: &Array1<S::Elem>) -> Result<()> {
        if self.data.is_empty() {
            return Err(Error::Empty { what: "the data" });
        }
        Error::shape("the data, one state for each time", &[self.times.len()], &[self.data.len()])?;
        for state in &self.data {
            Error::shape("a state of the data", &self.y0.shape(), &state.shape())?;
        }
        let field = self.model.field();
        Error::shape("theta", &[field.params().len()], theta.shape())?;
        field.check(&self.y0)
    }
}

impl<V: Parametric<S>, I: Reversible<S>, S: State> ParameterFlow<S::Elem> for Fit<'_, V, I, S> {
    fn losses(&self) -> &[S::Elem] {
        &self.losses
    }
}

impl<V, I, S: State> fmt::Debug for Fit<'_, V, I, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fit")
            .field("times", &self.times)
            .field("losses", &self.losses)
            .finish_non_exhaustive()
    }
}
