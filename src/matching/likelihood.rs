//! The density of a flow: the instantaneous change of variables.

use std::fmt;

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, Axis, s};

use super::divergence::{Divergence, NetworkDivergence, VelocityDivergence};
use crate::integrate::Integrator;
use crate::nn::Network;
use crate::state::check_rows;
use crate::{Error, Flow, Real, Result, VectorField};

/// The density that the flow of a velocity gives to standard normal noise: a continuous normalising flow.
///
/// ```text
/// dx/dt = v(t, x),   d log p(x(t))/dt = -div v(t, x),   log p₁(x₁) = log N(x₀; 0, I) - ∫₀¹ div v dt
/// ```
///
/// Any trained velocity network, any integrator with an error estimate (or fixed steps, see [`steps`](Self::steps)). The
/// divergence is exact (`d` tangents an evaluation) or Hutchinson's estimate by probes that are fixed for the solve.
/// References: Chen, Rubanova, Bettencourt, Duvenaud, *Neural ordinary differential equations*, 2018, theorem 1;
/// Grathwohl et al., *FFJORD*, 2019, equation 8.
///
/// ```
/// use flowfield::{integrate::Tsit5, matching::Likelihood, nn::{Mlp, Network}};
/// use ndarray::array;
/// let net = Mlp::velocity(2, &[16, 16]);
/// let theta = net.init(0);
/// let mut density = Likelihood::new(&net, &theta).tol(1e-8);
/// let x = array![[0.3_f64, -1.0], [2.0, 0.1]];
/// let found = density.encode(&x, Tsit5::new())?;
/// let back = density.decode(&found.noise, Tsit5::new())?;           // the way back, and the same density
/// assert!((&back.x - &x).iter().all(|d| d.abs() < 1e-6));
/// assert!((&back.log_prob - &found.log_prob).iter().all(|d| d.abs() < 1e-6));
/// # Ok::<(), flowfield::Error>(())
/// ```
pub struct Likelihood<D, F: Real> {
    velocity: D,
    tol: F,
    steps: Option<usize>,
}

/// Rows followed through a flow in either direction.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Followed<F> {
    /// The rows at time 0.
    pub noise: Array2<F>,
    /// The rows at time 1.
    pub x: Array2<F>,
    /// `log p₁(x)` in nats.
    pub log_prob: Array1<F>,
    /// Its standard error over the probes; zero for the exact divergence, NaN for a single probe.
    pub standard_error: Array1<F>,
    /// Evaluations of the velocity.
    pub evals: u64,
}

impl<'a, F: Real, N: Network<F>> Likelihood<NetworkDivergence<'a, F, N>, F> {
    /// The density of a velocity network `v(theta, [x | t | condition])`, with the exact divergence and tolerance 1e-5.
    pub fn new(net: &'a N, theta: &'a ArrayRef1<F>) -> Self {
        Likelihood { velocity: NetworkDivergence::new(net, theta), tol: F::of(1e-5), steps: None }
    }

    /// Exact, or estimated by probes.
    #[must_use]
    pub fn divergence(mut self, divergence: Divergence) -> Self {
        self.velocity.divergence = divergence;
        self
    }

    /// Conditions each row on the same row of `rows`.
    #[must_use]
    pub fn condition(mut self, rows: &'a ArrayRef2<F>) -> Self {
        self.velocity.condition = Some(rows);
        self
    }
}

impl<D: VelocityDivergence<F>, F: Real> Likelihood<D, F> {
    /// The density of a velocity that knows its divergence: a closure `(t, &x, &mut v, &mut div)`, `div` a row for each of
    /// `x` and a single column.
    pub fn of(velocity: D) -> Self {
        Likelihood { velocity, tol: F::of(1e-5), steps: None }
    }

    /// Relative and absolute tolerance of the solve, in the root mean square over all rows.
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.tol = F::of(tol);
        self
    }

    /// Takes `n` fixed steps instead of adaptive ones.
    #[must_use]
    pub fn steps(mut self, n: usize) -> Self {
        self.steps = Some(n);
        self
    }

    /// `log p₁(x)` of each row, in nats.
    ///
    /// # Errors
    /// Rows that do not fit the network or are not finite; what the solve refuses.
    pub fn log_prob(&mut self, x: &Array2<F>, method: impl Integrator<Array2<F>>) -> Result<Array1<F>> {
        Ok(self.encode(x, method)?.log_prob)
    }

    /// Follows rows from time 1 back to the noise they come from.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn encode(&mut self, x: &Array2<F>, method: impl Integrator<Array2<F>>) -> Result<Followed<F>> {
        let (noise, change, evals) = self.follow(x, (F::one(), F::zero()), method)?;
        Ok(Followed::new(noise, x.clone(), change, evals))
    }

    /// Follows noise to time 1.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn decode(&mut self, noise: &Array2<F>, method: impl Integrator<Array2<F>>) -> Result<Followed<F>> {
        let (x, change, evals) = self.follow(noise, (F::zero(), F::one()), method)?;
        Ok(Followed::new(noise.clone(), x, -change, evals))
    }

    /// Draws `n` rows and gives their `log p₁` with them.
    ///
    /// # Errors
    /// As [`log_prob`](Self::log_prob).
    pub fn sample_with_log_prob(
        &mut self,
        n: usize,
        dim: usize,
        seed: u64,
        method: impl Integrator<Array2<F>>,
    ) -> Result<Followed<F>> {
        self.decode(&crate::dataset::normal((n, dim), seed), method)
    }

    /// The rows at the end of the span, and the integrals of the divergence over it (a column for each probe).
    fn follow(
        &mut self,
        x: &Array2<F>,
        (t0, t1): (F, F),
        method: impl Integrator<Array2<F>>,
    ) -> Result<(Array2<F>, Array2<F>, u64)> {
        let (rows, d) = x.dim();
        if rows == 0 || d == 0 {
            return Err(Error::Empty { what: "the set of rows" });
        }
        check_rows("x", x)?;
        let columns = self.velocity.prepare(rows, d)?;
        let mut state = Array2::zeros((rows, d + columns));
        state.slice_mut(s![.., ..d]).assign(x);
        let field = Augmented {
            velocity: &mut self.velocity,
            x: x.as_standard_layout().into_owned(),
            v: Array2::zeros((rows, d)),
            div: Array2::zeros((rows, columns)),
            failed: None,
        };
        let mut flow = Flow::new(field, method).tol(self.tol).save_last();
        if let Some(n) = self.steps {
            Error::setting(n > 0, "the number of steps", 0.0, "at least 1")?;
            flow = flow.fixed_step(F::of(1.0 / n as f64));
        }
        let outcome = flow.solve(t0, t1, state);
        if let Some(error) = flow.field_mut().failed.take() {
            return Err(error);
        }
        let sol = outcome?;
        let (end, change) = sol.y_end().view().split_at(Axis(1), d);
        Ok((end.to_owned(), change.to_owned(), sol.stats.evals))
    }
}

impl<F: Real> Followed<F> {
    /// `change`: minus the integrals of the divergence from time 0 to 1, a column for each probe.
    fn new(noise: Array2<F>, x: Array2<F>, change: Array2<F>, evals: u64) -> Self {
        let (d, probes) = (noise.ncols() as f64, change.ncols());
        let base = -0.5 * d * std::f64::consts::TAU.ln();
        let mut log_prob = Array1::zeros(noise.nrows());
        let mut standard_error = Array1::zeros(noise.nrows());
        for (r, (z, change)) in noise.rows().into_iter().zip(change.rows()).enumerate() {
            let mean = change.iter().map(|c| c.f64()).sum::<f64>() / probes as f64;
            let square: f64 = z.iter().map(|z| z.f64() * z.f64()).sum();
            log_prob[r] = F::of(base - 0.5 * square + mean);
            let spread: f64 = change.iter().map(|c| (c.f64() - mean).powi(2)).sum();
            standard_error[r] = F::of((spread / (probes * probes.saturating_sub(1)) as f64).sqrt());
        }
        Followed { noise, x, log_prob, standard_error, evals }
    }
}

/// `[x | ∫ div v]` as one state.
struct Augmented<'a, D, F> {
    velocity: &'a mut D,
    x: Array2<F>,
    v: Array2<F>,
    div: Array2<F>,
    failed: Option<Error>,
}

impl<D: VelocityDivergence<F>, F: Real> VectorField<Array2<F>> for Augmented<'_, D, F> {
    fn eval(&mut self, t: F, y: &Array2<F>, dy: &mut Array2<F>) {
        let d = self.x.ncols();
        self.x.assign(&y.slice(s![.., ..d]));
        if let Err(error) = self.velocity.eval(t, &self.x, &mut self.v, &mut self.div) {
            // The solve ends with a field that is not finite; this is why.
            self.failed = Some(error);
            return dy.fill(F::nan());
        }
        dy.slice_mut(s![.., ..d]).assign(&self.v);
        dy.slice_mut(s![.., d..]).assign(&self.div);
    }
}

/// Mean bits per dimension of rows with these log densities (nats): `-(log p + d ln w) / (d ln 2)`, where `width` is the width
/// of a level in units of `x`. For levels `0 .. L` dequantised to `x = (level + u) / L`: `w = 1 / L`.
pub fn bits_per_dim<F: Real>(log_prob: &ArrayRef1<F>, dim: usize, width: f64) -> f64 {
    let mean = log_prob.iter().map(|l| l.f64()).sum::<f64>() / log_prob.len() as f64;
    -(mean / dim as f64 + width.ln()) / std::f64::consts::LN_2
}

impl<D, F: Real> fmt::Debug for Likelihood<D, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Likelihood")
            .field("tol", &self.tol)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}
