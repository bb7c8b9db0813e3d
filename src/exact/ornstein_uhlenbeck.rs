//! The Ornstein–Uhlenbeck process.

use ndarray::{Array1, Array2};

use super::Gaussian;
use crate::linalg::symmetric::{apply, eigen};
use crate::{Error, Result};

/// `dX = -A (X - b) dt + √(2D) dW`: the Wasserstein gradient flow of `F(ρ) = ∫ Vρ + D ∫ ρ log ρ` in the potential
/// `V = ½ (x - b)ᵀ A (x - b)`, which keeps Gaussians Gaussian:
///
/// ```text
/// m(t) = b + e^{-At} (m₀ - b)
/// S(t) = e^{-At} S₀ e^{-At} + D A⁻¹ (I - e^{-2At})
/// dF/dt = -tr(B S B) - |A (m - b)|²,   B = A - D S⁻¹
/// ```
///
/// With `D = 1` it is the Bures–Wasserstein gradient flow of `KL(· | N(b, A⁻¹))`: `m' = -A (m - b)`,
/// `S' = 2I - SA - AS`. Risken, *The Fokker–Planck Equation*, section 6.5.
///
/// ```
/// use flowfield::exact::{Gaussian, OrnsteinUhlenbeck};
/// use ndarray::array;
/// let process = OrnsteinUhlenbeck::new(array![[1.0]], array![0.0], 1.0)?;
/// let later = process.at(0.5, &Gaussian::new(array![2.0], array![[0.25]])?)?;
/// assert!((later.mean()[0] - 2.0 * (-0.5_f64).exp()).abs() < 1e-15);
/// assert!((later.covariance()[[0, 0]] - (1.0 - 0.75 * (-1.0_f64).exp())).abs() < 1e-15);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct OrnsteinUhlenbeck {
    a: Array2<f64>,
    centre: Array1<f64>,
    diffusion: f64,
}

impl OrnsteinUhlenbeck {
    /// With the symmetric positive definite `a` (d × d), the centre b (d) and the diffusion D >= 0.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::Setting`], [`Error::NotFinite`].
    pub fn new(a: Array2<f64>, centre: Array1<f64>, diffusion: f64) -> Result<Self> {
        // A precision matrix is held to the rules of a covariance.
        let precision = Gaussian::new(centre, a)?;
        let (centre, a) = (precision.mean().clone(), precision.covariance().clone());
        let least = eigen(&a).0.iter().copied().fold(f64::INFINITY, f64::min);
        Error::setting(least > 0.0, "the least eigenvalue of A", least, "it must be positive")?;
        let good = diffusion >= 0.0 && diffusion.is_finite();
        Error::setting(good, "the diffusion", diffusion, "it must be 0 or positive, and finite")?;
        Ok(OrnsteinUhlenbeck { a, centre, diffusion })
    }

    /// The law at time `t` (backward too, as long as it stays a law) from the law at time 0.
    ///
    /// # Errors
    /// [`Error::Shape`]; [`Error::Setting`] where no law leads to `start` in that time.
    pub fn at(&self, t: f64, start: &Gaussian) -> Result<Gaussian> {
        self.same(start)?;
        let decay = apply(&self.a, |l| (-l * t).exp());
        // (1 - e^{-2lt}) / l, by expm1 so that small times keep their digits.
        let spread = apply(&self.a, |l| -(-2.0 * l * t).exp_m1() / l);
        let mean = &self.centre + &decay.dot(&(start.mean() - &self.centre));
        let covariance = decay.dot(start.covariance()).dot(&decay) + self.diffusion * spread;
        Gaussian::new(mean, 0.5 * (&covariance + &covariance.t()))
    }

    /// The law that does not change: N(b, D A⁻¹).
    ///
    /// # Errors
    /// None for a process that [`new`](Self::new) accepted.
    pub fn stationary(&self) -> Result<Gaussian> {
        Gaussian::new(self.centre.clone(), self.diffusion * apply(&self.a, |l| 1.0 / l))
    }

    /// `F(ρ) = ∫ Vρ + D ∫ ρ log ρ`; infinite for a singular covariance with D > 0.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub fn free_energy(&self, law: &Gaussian) -> Result<f64> {
        self.same(law)?;
        let (s, d) = (law.covariance(), self.centre.len() as f64);
        let off = law.mean() - &self.centre;
        let potential = 0.5 * (off.dot(&self.a.dot(&off)) + (&self.a * s).sum());
        if self.diffusion == 0.0 {
            return Ok(potential);
        }
        let log_det: f64 = eigen(s).0.iter().map(|l| l.max(0.0).ln()).sum();
        let entropy = -0.5 * (d * (1.0 + std::f64::consts::TAU.ln()) + log_det);
        Ok(potential + self.diffusion * entropy)
    }

    /// `-dF/dt` of the flow at this law, which must not be singular.
    ///
    /// # Errors
    /// [`Error::Shape`]; [`Error::Setting`] for a singular covariance.
    pub fn dissipation(&self, law: &Gaussian) -> Result<f64> {
        self.same(law)?;
        let s = law.covariance();
        let least = eigen(s).0.iter().copied().fold(f64::INFINITY, f64::min);
        Error::setting(least > 0.0, "the least eigenvalue of the covariance", least, "it must be positive")?;
        let b = &self.a - &(self.diffusion * apply(s, |l| 1.0 / l));
        let pull = self.a.dot(&(law.mean() - &self.centre));
        Ok(b.dot(s).dot(&b).diag().sum() + pull.dot(&pull))
    }

    fn same(&self, law: &Gaussian) -> Result<()> {
        Error::shape("the law's mean", self.centre.shape(), law.mean().shape())
    }
}
