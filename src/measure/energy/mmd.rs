//! Maximum mean discrepancy to a sample.

use ndarray::{Array1, Array2};

use super::{Cloud, Energy};
use crate::pairs::{KernelSum, RadialKernel};
use crate::state::check_rows;
use crate::{Error, Real, Result};

/// `F = ½ MMD²(μ, ν) = ½ ∬ k d(μ - ν) d(μ - ν)` to a sample ν, the energy of the MMD flow
///
/// ```text
/// x_i' = -Σ_j w_j ∇₁k(x_i, x_j) + (1/m) Σ_j ∇₁k(x_i, y_j)
/// ```
///
/// With the energy kernel `-|x - y|` it is half the energy distance (up to a factor). With a Gaussian kernel the flow stalls
/// where particles have left the kernel's reach; noise injection ([`Injected`](crate::measure::Injected)) helps. Arbel,
/// Korba, Salim and Gretton, *Maximum mean discrepancy gradient flow*, NeurIPS 2019.
///
/// ```
/// use flowfield::{Flow, dataset::{moons, normal}, integrate::Euler, measure::{Descent, Mmd}, pairs::RadialKernel};
/// let (mut x, y) = (normal::<f32>((200, 2), 0), moons(300, 0.05, 1));
/// let flow = Descent(Mmd::new(RadialKernel::Energy, &y)?);
/// let certificate = Flow::new(flow, Euler::new()).steps_certified(50, 0.1, &mut x)?;
/// assert!(certificate.energy_end() < 0.1 * certificate.energy[0].1);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Mmd<F: Real> {
    target: KernelSum<F>,
    own: KernelSum<F>,
    y: Array2<F>,
    /// `½ ∬ k dν dν`, once asked for.
    constant: Option<f64>,
    w: Array1<F>,
    rows: Array2<F>,
    column: Array2<F>,
}

impl<F: Real> Mmd<F> {
    /// To the rows of `y` (m × d), equally weighted.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::NotFinite`], and [`Error::Setting`] for a width that is not positive.
    pub fn new(kernel: RadialKernel, y: &Array2<F>) -> Result<Self> {
        if y.is_empty() {
            return Err(Error::Empty { what: "the target sample" });
        }
        check_rows("the target sample", y)?;
        let (mut target, own) = (KernelSum::new(kernel)?, KernelSum::new(kernel)?);
        let w = Array1::from_elem(y.nrows(), F::of(1.0 / y.nrows() as f64));
        target.targets(y)?.weights(&w)?.payload(&w.clone().insert_axis(ndarray::Axis(1)))?;
        let none = Array2::zeros((0, 0));
        Ok(Mmd {
            target,
            own,
            y: y.clone(),
            constant: None,
            w: Array1::zeros(0),
            rows: none.clone(),
            column: none,
        })
    }

    /// Hands the cloud to the sums over itself.
    fn enter(&mut self, cloud: &Cloud<'_, F>) -> Result<()> {
        cloud.weights_into(&mut self.w);
        self.own.targets(cloud.x)?.weights(&self.w)?;
        Ok(())
    }

    /// Writes `Σ_j w_j k(·, x_j) - (1/m) Σ_j k(·, y_j)` at the particles.
    fn witness(&mut self, cloud: &Cloud<'_, F>) -> Result<(Vec<f64>, Vec<f64>)> {
        self.enter(cloud)?;
        let n = cloud.len();
        let w = self.w.clone().insert_axis(ndarray::Axis(1));
        self.own.payload(&w)?;
        self.column = Array2::zeros((n, 1));
        self.own.sums(cloud.x, &mut self.column)?;
        let own: Vec<f64> = self.column.iter().map(|v| v.f64()).collect();
        self.target.sums(cloud.x, &mut self.column)?;
        Ok((own, self.column.iter().map(|v| v.f64()).collect()))
    }

    fn constant(&mut self) -> Result<f64> {
        if let Some(c) = self.constant {
            return Ok(c);
        }
        let mut sums = Array2::zeros((self.y.nrows(), 1));
        self.target.sums(&self.y, &mut sums)?;
        let c = 0.5 * sums.iter().map(|v| v.f64()).sum::<f64>() / self.y.nrows() as f64;
        self.constant = Some(c);
        Ok(c)
    }

    fn slopes(&mut self, cloud: &Cloud<'_, F>, at: &Array2<F>, g: &mut Array2<F>) -> Result<()> {
        self.enter(cloud)?;
        if self.rows.dim() != at.dim() {
            self.rows = Array2::zeros(at.dim());
        }
        self.own.gradients(at, &mut self.rows)?;
        *g += &self.rows;
        self.target.gradients(at, &mut self.rows)?;
        *g -= &self.rows;
        Ok(())
    }
}

impl<F: Real> Energy<F> for Mmd<F> {
    fn value(&mut self, cloud: &Cloud<'_, F>) -> f64 {
        let (Ok(constant), Ok((own, other))) = (self.constant(), self.witness(cloud)) else {
            return f64::NAN;
        };
        let pairs = own.iter().zip(&other).enumerate();
        constant + pairs.map(|(i, (own, other))| cloud.weight(i) * (0.5 * own - other)).sum::<f64>()
    }

    fn gradient(&mut self, cloud: &Cloud<'_, F>, g: &mut Array2<F>) {
        if self.slopes(cloud, cloud.x, g).is_err() {
            g.fill(F::nan());
        }
    }

    fn gradient_at(&mut self, cloud: &Cloud<'_, F>, at: &Array2<F>, g: &mut Array2<F>) -> bool {
        if self.slopes(cloud, at, g).is_err() {
            g.fill(F::nan());
        }
        true
    }

    fn variation(&mut self, cloud: &Cloud<'_, F>, out: &mut [f64]) -> bool {
        match self.witness(cloud) {
            Ok((own, other)) => {
                out.iter_mut().zip(own.iter().zip(other)).for_each(|(o, (a, b))| *o += a - b);
            }
            Err(_) => out.fill(f64::NAN),
        }
        true
    }

    fn check(&self, cloud: &Cloud<'_, F>) -> Result<()> {
        Error::shape("the particles", &[cloud.len(), self.y.ncols()], cloud.x.shape())
    }
}
