//! Kernel sums and their gradients.

use ndarray::{Array1, Array2, Axis};

use super::RadialKernel;
use super::check_points;
use super::engine::{KernelSums, Targets, reduce};
use crate::{Error, Real, Result};

/// Kernel sums over a cloud of targets, with reusable memory: nothing is allocated while shapes stay the same.
///
/// ```text
/// S_i = Σ_j k(x_i, y_j) s_j,      G_i = Σ_j w_j ∇_x k(x_i, y_j)
/// ```
///
/// Pairs are computed in the number type, `f32` or `f64`; sums beyond 1024 (`f64`: 512) targets in `f64`.
///
/// ```
/// use flowfield::pairs::{KernelSum, RadialKernel};
/// use ndarray::{Array2, array};
/// let y = array![[0.0, 0.0], [2.0, 0.0]];
/// let mut sum = KernelSum::new(RadialKernel::Gaussian { width: 1.0 })?;
/// sum.targets(&y)?.payload(&array![[1.0], [10.0]])?;
/// let x = array![[0.0, 0.0]];
/// let (mut sums, mut gradients) = (Array2::zeros((1, 1)), Array2::zeros((1, 2)));
/// sum.both(&x, &mut sums, &mut gradients)?;
/// let k = (-2.0_f64).exp();
/// assert!((sums[[0, 0]] - (1.0 + 10.0 * k)).abs() < 1e-14);
/// // ∇_x k = -(x - y) k / σ², and every weight is one.
/// assert!((gradients[[0, 0]] - 2.0 * k).abs() < 1e-14);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct KernelSum<F: Real> {
    kernel: RadialKernel,
    targets: Targets<F>,
    sums: Vec<f64>,
}

impl<F: Real> KernelSum<F> {
    /// Sums of this kernel, as yet over no targets.
    ///
    /// # Errors
    /// [`Error::Setting`] for a width that is not positive.
    pub fn new(kernel: RadialKernel) -> Result<Self> {
        kernel.check()?;
        Ok(KernelSum { kernel, targets: Targets::new(), sums: Vec::new() })
    }

    /// Another kernel for the same targets.
    ///
    /// # Errors
    /// [`Error::Setting`] for a width that is not positive.
    pub fn kernel(&mut self, kernel: RadialKernel) -> Result<&mut Self> {
        kernel.check()?;
        self.kernel = kernel;
        Ok(self)
    }

    /// The targets `y` (m × d), each of weight one, and nothing to be summed.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::NotFinite`].
    pub fn targets(&mut self, y: &Array2<F>) -> Result<&mut Self> {
        check_points("the target points", y)?;
        self.targets.points.fill(y.view());
        self.targets.weights.column(y.nrows())[..y.nrows()].fill(F::one());
        Ok(self)
    }

    /// What the gradients are weighted with, `w` (m).
    ///
    /// # Errors
    /// [`Error::Shape`] where there is not one for each target.
    pub fn weights(&mut self, w: &Array1<F>) -> Result<&mut Self> {
        Error::shape("the weights", &[self.targets.points.rows], w.shape())?;
        self.targets.weights.fill(w.view().insert_axis(Axis(1)));
        Ok(self)
    }

    /// What is summed, `s` (m × p).
    ///
    /// # Errors
    /// [`Error::Shape`] where there is not one row for each target.
    pub fn payload(&mut self, s: &Array2<F>) -> Result<&mut Self> {
        Error::shape("what is to be summed", &[self.targets.points.rows, s.ncols()], s.shape())?;
        self.targets.payload.fill(s.view());
        Ok(self)
    }

    /// Writes `Σ_j k(x_i, y_j) s_j` into `sums` (n × p) for the rows of `x` (n × d).
    ///
    /// # Errors
    /// [`Error::Shape`]; [`Error::Empty`] without targets.
    pub fn sums(&mut self, x: &Array2<F>, sums: &mut Array2<F>) -> Result<()> {
        self.run(x, Some(sums), None)
    }

    /// Writes `Σ_j w_j ∇_x k(x_i, y_j)` into `gradients` (n × d) for the rows of `x` (n × d).
    ///
    /// # Errors
    /// [`Error::Shape`]; [`Error::Empty`] without targets.
    pub fn gradients(&mut self, x: &Array2<F>, gradients: &mut Array2<F>) -> Result<()> {
        self.run(x, None, Some(gradients))
    }

    /// Both, for one evaluation of the kernel.
    ///
    /// # Errors
    /// [`Error::Shape`]; [`Error::Empty`] without targets.
    pub fn both(&mut self, x: &Array2<F>, sums: &mut Array2<F>, gradients: &mut Array2<F>) -> Result<()> {
        self.run(x, Some(sums), Some(gradients))
    }

    fn run(
        &mut self,
        x: &Array2<F>,
        sums: Option<&mut Array2<F>>,
        gradients: Option<&mut Array2<F>>,
    ) -> Result<()> {
        let (n, d, p) = (x.nrows(), self.targets.points.columns, self.targets.payload.columns);
        if self.targets.points.rows == 0 {
            return Err(Error::Empty { what: "the cloud of targets" });
        }
        Error::shape("the source points", &[n, d], x.shape())?;
        if let Some(sums) = &sums {
            Error::shape(
                "what is summed",
                &[self.targets.points.rows, p],
                &[self.targets.payload.rows, sums.ncols()],
            )?;
            Error::shape("the sums", &[n, p], sums.shape())?;
        }
        if let Some(gradients) = &gradients {
            Error::shape("the gradients", &[n, d], gradients.shape())?;
        }
        let how = KernelSums {
            targets: &self.targets,
            kernel: self.kernel,
            sums: sums.is_some(),
            gradients: gradients.is_some(),
        };
        let (p, d) = (if sums.is_some() { p } else { 0 }, if gradients.is_some() { d } else { 0 });
        let width = p + d;
        if n * width == 0 {
            return Ok(());
        }
        self.sums.clear();
        self.sums.resize(n * width, 0.0);
        let rows = x.as_standard_layout();
        reduce(&how, rows.as_slice().unwrap_or_default(), &self.targets, &mut self.sums);
        let (value, slope) = self.kernel.factors();
        for (at, out, factor) in [(0, sums, value), (p, gradients, slope)] {
            let Some(out) = out else { continue };
            for (mut out, sums) in out.rows_mut().into_iter().zip(self.sums.chunks_exact(width)) {
                out.iter_mut().zip(&sums[at..]).for_each(|(o, s)| *o = F::of(factor * s));
            }
        }
        Ok(())
    }
}
