//! Stein variational gradient descent.

use std::cell::RefCell;

use ndarray::Array2;

use super::kernel_matrix::KernelMatrix;
use crate::measure::target::{Target, check_score};
use crate::pairs::{KernelSum, RadialKernel};
use crate::{Error, Real, Result, State, VectorField};

/// How wide a Stein kernel is.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Bandwidth {
    /// h = median of the squared distances of all pairs (each particle with itself included) over log(n + 1), at every
    /// evaluation. Above 4096 particles, of every k-th particle.
    Median,
    /// This h, a squared length.
    Fixed(f64),
}

/// The kernel of [`Svgd`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum SteinKernel {
    /// `exp(-r² / h)`.
    Rbf(Bandwidth),
    /// `(1 + r² / h)^(-1/2)`.
    InverseMultiquadric(Bandwidth),
}

impl SteinKernel {
    fn bandwidth(self) -> Bandwidth {
        match self {
            SteinKernel::Rbf(b) | SteinKernel::InverseMultiquadric(b) => b,
        }
    }
}

/// Particles that keep apart while they climb a density's score:
///
/// ```text
/// x_i' = (1/n) Σ_j [k(x_j, x_i) ∇log π(x_j) + ∇_{x_j} k(x_j, x_i)]
/// ```
///
/// the steepest descent of KL(· | π) over fields of a kernel's space, as a field for every integrator: Euler's steps are the
/// published algorithm, [`Adam`](crate::integrate::Adam) the usual practice. Minibatch scores: [`Target::redraw`]. With few
/// particles in many dimensions (n below d) the variance is underestimated. Liu and Wang, NIPS 2016.
///
/// O(n² d). Up to 4096 particles the kernel matrix is stored and multiplied; beyond, pairs are recomputed on the fly.
///
/// ```
/// use flowfield::{Flow, dataset::normal, integrate::Euler, measure::{GaussianMixture, Svgd}};
/// use ndarray::array;
/// let target = GaussianMixture::new(array![[-2.0], [2.0]], 1.0)?.weights(&[1.0, 2.0])?;
/// let mut x = normal::<f64>((100, 1), 0) - 10.0;
/// Flow::new(Svgd::new(target), Euler::new()).steps(2000, 1.0, &mut x)?;
/// assert!((x.mean().unwrap() - 2.0 / 3.0).abs() < 0.1);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug)]
pub struct Svgd<T, F: Real> {
    target: RefCell<T>,
    kernel: SteinKernel,
    work: Option<KernelMatrix<F>>,
    /// Most particles whose kernel matrix is stored.
    dense: usize,
}

/// Particles up to which the kernel matrix is stored.
const DENSE: usize = 4096;
impl<T, F: Real> Svgd<T, F> {
    /// To this density, with the RBF kernel of median bandwidth.
    pub fn new(target: T) -> Self {
        Svgd {
            target: RefCell::new(target),
            kernel: SteinKernel::Rbf(Bandwidth::Median),
            work: None,
            dense: DENSE,
        }
    }

    /// Another kernel.
    #[must_use]
    pub fn kernel(mut self, kernel: SteinKernel) -> Self {
        self.kernel = kernel;
        self
    }

    fn field(&mut self, x: &Array2<F>, dx: &mut Array2<F>) -> Result<()>
    where
        T: Target<F>,
    {
        let (n, d) = x.dim();
        if n > self.dense {
            return self.on_the_fly(x, dx);
        }
        let fits = self.work.as_ref().is_some_and(|w| w.score.dim() == (n, d));
        if !fits {
            self.work = Some(KernelMatrix::new(n, d));
        }
        let Some(work) = &mut self.work else { return Ok(()) };
        self.target.get_mut().score(x, &mut work.score);
        work.distances(x);
        let h = match self.kernel.bandwidth() {
            Bandwidth::Median => work.median() / ((n + 1) as f64).ln(),
            Bandwidth::Fixed(h) => h,
        };
        work.multiply(self.kernel, h);
        work.combine(self.kernel, h, State::as_mut_slice(dx));
        Ok(())
    }

    /// Without a kernel matrix: pairs as they come.
    fn on_the_fly(&mut self, x: &Array2<F>, dx: &mut Array2<F>) -> Result<()>
    where
        T: Target<F>,
    {
        let n = x.nrows();
        let mut score = x.clone();
        self.target.get_mut().score(x, &mut score);
        let h = match self.kernel.bandwidth() {
            Bandwidth::Median => {
                let some =
                    x.select(ndarray::Axis(0), &(0..n).step_by(n.div_ceil(DENSE / 2)).collect::<Vec<_>>());
                let mut work = KernelMatrix::new(some.nrows(), some.ncols());
                work.distances(&some);
                work.median() / ((n + 1) as f64).ln()
            }
            Bandwidth::Fixed(h) => h,
        };
        let radial = match self.kernel {
            SteinKernel::Rbf(_) => RadialKernel::Gaussian { width: (0.5 * h).sqrt() },
            SteinKernel::InverseMultiquadric(_) => RadialKernel::InverseMultiquadric { width: h.sqrt() },
        };
        let mut sum = KernelSum::new(radial)?;
        sum.targets(x)?.payload(&score)?;
        let mut gradients = x.clone();
        sum.both(x, dx, &mut gradients)?;
        // The kernel's slope in its other argument has the other sign.
        *dx -= &gradients;
        dx.mapv_inplace(|v| v / F::of(n as f64));
        Ok(())
    }
}

impl<F: Real, T: Target<F>> VectorField<Array2<F>> for Svgd<T, F> {
    fn eval(&mut self, _t: F, x: &Array2<F>, dx: &mut Array2<F>) {
        // Particles that coincide have no median distance: the driver sees that as divergence.
        if self.field(x, dx).is_err() {
            dx.fill(F::nan());
        }
    }

    fn redraw(&mut self) -> bool {
        self.target.get_mut().redraw()
    }

    fn check(&self, x: &Array2<F>) -> Result<()> {
        check_score(&mut *self.target.borrow_mut(), x)?;
        match self.kernel.bandwidth() {
            Bandwidth::Fixed(h) => {
                Error::setting(h > 0.0 && h.is_finite(), "the bandwidth", h, "it must be positive and finite")
            }
            Bandwidth::Median => {
                let apart = x.nrows() == 1 || x.rows().into_iter().skip(1).any(|r| r != x.row(0));
                let need = "all particles coincide: spread them, or take Bandwidth::Fixed";
                Error::setting(apart && x.nrows() > 2, "the median distance", 0.0, need)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::normal;

    #[test]
    fn the_stored_matrix_and_pairs_on_the_fly_agree() {
        for (n, d) in [(3, 1), (50, 2), (131, 5)] {
            for kernel in [
                SteinKernel::Rbf(Bandwidth::Fixed(0.7)),
                SteinKernel::InverseMultiquadric(Bandwidth::Fixed(1.3)),
                SteinKernel::Rbf(Bandwidth::Median),
            ] {
                let x = normal::<f64>((n, d), 1) + 5.0;
                let score = |x: &Array2<f64>, s: &mut Array2<f64>| s.assign(&x.mapv(|v| (2.0 * v).sin() - v));
                let mut field = Svgd::new(score).kernel(kernel);
                let (mut a, mut b) = (x.clone(), x.clone());
                field.eval(0.0, &x, &mut a);
                field.dense = 0;
                field.eval(0.0, &x, &mut b);
                assert!((&a - &b).iter().all(|e| e.abs() < 1e-11), "{n} {d} {kernel:?}");
            }
        }
    }

    #[test]
    fn a_step_is_the_published_sum() {
        let x = normal::<f64>((20, 2), 3);
        let h = 0.9;
        let mut field = Svgd::new(|x: &Array2<f64>, s: &mut Array2<f64>| s.assign(&(-x)))
            .kernel(SteinKernel::Rbf(Bandwidth::Fixed(h)));
        let mut v = x.clone();
        field.eval(0.0, &x, &mut v);
        for i in 0..20 {
            for k in 0..2 {
                let sum: f64 = (0..20)
                    .map(|j| {
                        let r2: f64 = (0..2).map(|l| (x[[i, l]] - x[[j, l]]).powi(2)).sum();
                        let kernel = (-r2 / h).exp();
                        kernel * (-x[[j, k]] + 2.0 / h * (x[[i, k]] - x[[j, k]]))
                    })
                    .sum();
                assert!((v[[i, k]] - sum / 20.0).abs() < 1e-14);
            }
        }
    }
}
