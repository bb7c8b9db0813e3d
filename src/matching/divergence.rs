//! Velocities that know their divergence.

use std::fmt;

use ndarray::{Array2, ArrayRef1, ArrayRef2, s};

use crate::nn::Network;
use crate::rng::Rng;
use crate::{Error, Real, Result};

/// How the divergence `Σᵢ ∂vᵢ/∂xᵢ` of a network is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Divergence {
    /// An [`Mlp`](crate::nn::Mlp)'s in closed form: with two hidden layers one more product an evaluation, in any dimension. One
    /// tangent for each of the `d` columns for other networks.
    #[default]
    Exact,
    /// Hutchinson's estimate `εᵀ (∂v/∂x) ε` by probes of independent signs (Rademacher), which stay the same for a whole
    /// solve: unbiased for the log density, at one tangent a probe (M. F. Hutchinson, Commun. Stat. Simul. 18, 1989).
    Hutchinson {
        /// Number of probes.
        probes: usize,
        /// Their seed.
        seed: u64,
    },
}

/// A velocity together with its divergence.
pub trait VelocityDivergence<F: Real> {
    /// Checks that it can move `rows` rows of `dim` numbers, and gives the number of columns of divergences.
    ///
    /// # Errors
    /// Shapes or settings that do not fit.
    fn prepare(&mut self, rows: usize, dim: usize) -> Result<usize>;

    /// Writes velocities and divergences at time `t`.
    ///
    /// # Errors
    /// What the network refuses.
    fn eval(&mut self, t: F, x: &Array2<F>, v: &mut Array2<F>, div: &mut Array2<F>) -> Result<()>;
}

impl<F: Real, C: FnMut(F, &Array2<F>, &mut Array2<F>, &mut Array2<F>)> VelocityDivergence<F> for C {
    fn prepare(&mut self, _rows: usize, _dim: usize) -> Result<usize> {
        Ok(1)
    }

    fn eval(&mut self, t: F, x: &Array2<F>, v: &mut Array2<F>, div: &mut Array2<F>) -> Result<()> {
        self(t, x, v, div);
        Ok(())
    }
}

/// A velocity network with its divergence.
pub struct NetworkDivergence<'a, F: Real, N: Network<F>> {
    net: &'a N,
    theta: &'a ArrayRef1<F>,
    pub(super) divergence: Divergence,
    pub(super) condition: Option<&'a ArrayRef2<F>>,
    work: Option<Work<F, N::Tape>>,
}

struct Work<F, T> {
    /// Rows `[x | t | condition]`, and a tangent of them.
    input: Array2<F>,
    direction: Array2<F>,
    tangent: Array2<F>,
    /// Rows of signs, one block of rows for each probe.
    probes: Vec<Array2<F>>,
    tape: T,
}

impl<'a, F: Real, N: Network<F>> NetworkDivergence<'a, F, N> {
    pub(super) fn new(net: &'a N, theta: &'a ArrayRef1<F>) -> Self {
        NetworkDivergence { net, theta, divergence: Divergence::Exact, condition: None, work: None }
    }

    fn check(&self, rows: usize, dim: usize) -> Result<()> {
        self.net.check()?;
        Error::shape("theta", &[self.net.n_params()], self.theta.shape())?;
        let columns = self.condition.map_or(0, |c| c.ncols());
        if let Some(c) = self.condition {
            Error::shape("the condition", &[rows, columns], c.shape())?;
        }
        Error::shape("x", &[rows, self.net.outputs()], &[rows, dim])?;
        Error::shape("a row [x | t | condition]", &[self.net.inputs()], &[dim + 1 + columns])?;
        if let Divergence::Hutchinson { probes, .. } = self.divergence {
            Error::setting(probes > 0, "the number of probes", 0.0, "at least 1")?;
        }
        Ok(())
    }
}

impl<F: Real, N: Network<F>> VelocityDivergence<F> for NetworkDivergence<'_, F, N> {
    fn prepare(&mut self, rows: usize, dim: usize) -> Result<usize> {
        self.check(rows, dim)?;
        let mut input = Array2::zeros((rows, self.net.inputs()));
        if let Some(condition) = self.condition {
            input.slice_mut(s![.., dim + 1..]).assign(condition);
        }
        let probes = match self.divergence {
            Divergence::Exact => Vec::new(),
            Divergence::Hutchinson { probes, seed } => {
                (0..probes).map(|p| signs((rows, dim), seed, p as u64)).collect()
            }
        };
        let columns = probes.len().max(1);
        self.work = Some(Work {
            direction: Array2::zeros(input.dim()),
            input,
            tangent: Array2::zeros((rows, dim)),
            probes,
            tape: self.net.tape(rows),
        });
        Ok(columns)
    }

    fn eval(&mut self, t: F, x: &Array2<F>, v: &mut Array2<F>, div: &mut Array2<F>) -> Result<()> {
        let d = x.ncols();
        let Some(Work { input, direction, tangent, probes, tape }) = &mut self.work else {
            return Err(Error::Empty { what: "the workspace" });
        };
        input.slice_mut(s![.., ..d]).assign(x);
        input.column_mut(d).fill(t);
        self.net.forward(self.theta, input, v, tape)?;
        for (p, signs) in probes.iter().enumerate() {
            direction.slice_mut(s![.., ..d]).assign(signs);
            self.net.jvp(self.theta, None, Some(direction), tangent, tape)?;
            for ((div, row), signs) in div.column_mut(p).iter_mut().zip(tangent.rows()).zip(signs.rows()) {
                *div = row.dot(&signs);
            }
        }
        if probes.is_empty() {
            if let Some(div) = div.as_slice_mut()
                && self.net.divergence(self.theta, div, tape)?
            {
                return Ok(());
            }
            div.fill(F::zero());
            for k in 0..d {
                direction.column_mut(k).fill(F::one());
                self.net.jvp(self.theta, None, Some(direction), tangent, tape)?;
                direction.column_mut(k).fill(F::zero());
                div.column_mut(0).zip_mut_with(&tangent.column(k), |div, &t| *div += t);
            }
        }
        Ok(())
    }
}

/// Rows of independent signs.
fn signs<F: Real>(shape: (usize, usize), seed: u64, probe: u64) -> Array2<F> {
    let mut rng = Rng::new(seed, probe);
    Array2::from_shape_simple_fn(shape, || if rng.below(2) == 0 { F::one() } else { -F::one() })
}

impl<F: Real, N: Network<F>> fmt::Debug for NetworkDivergence<'_, F, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkDivergence").field("divergence", &self.divergence).finish_non_exhaustive()
    }
}
