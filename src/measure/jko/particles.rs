//! Minimising movements of clouds of particles.

use ndarray::{Array2, Axis};

use crate::gradient::Dissipative;
use crate::integrate::Proximal;
use crate::measure::{Descent, Energy};
use crate::transport::{Assignment, PointCost};
use crate::{Error, Real, Result, VectorField};

/// Most pairings of a step, and the part of the distance that a new one must save.
const PAIRINGS: usize = 50;
const SAVING: f64 = 1e-9;

/// Minimising movements of an [`Energy`] on clouds of equally weighted particles (n × d), as the proximal step of a field
/// (take it by [`Proximal`]):
///
/// ```text
/// x⁺ = argmin F(x) + W2²(x, x_k)/(2τ),    W2²(x, x_k) = min over permutations s of (1/n) Σ_i |x_i - x_k,s(i)|²
/// ```
///
/// For a fixed pairing the minimum is found by limited-memory BFGS; then the cheapest pairing is found exactly
/// ([`Assignment`]) and the minimum again from there, until the pairing stands: both halves only lower the objective. Every
/// particle stays paired with itself as long as `|x|²/2 + τ F'` is convex, so for small τ one pairing confirms the step and it is
/// the one of [`Descent`], which [`Proximal`] takes without looking. A row of the new cloud is paired with the same row of
/// the old one. O(n²) memory-free work for a pairing, a few evaluations of ∇F' for a minimum. For energies that are not convex the
/// minimum may be a local one; the certificate tells whether F rose. Jordan, Kinderlehrer and Otto, SIAM J. Math. Anal. 29 (1998).
///
/// ```
/// use flowfield::{Flow, dataset::normal, exact::gaussian_jko, integrate::Proximal, measure::{ParticleJko, Potential}};
/// let bowl = Potential::new(|x: &[f64], g: &mut [f64]| { g[0] = 2.0 * x[0]; x[0] * x[0] });
/// let mut x = normal::<f64>((50, 1), 0) + 3.0;
/// let mean = x.mean().unwrap();
/// let mut flow = Flow::new(ParticleJko::new(bowl), Proximal::new());
/// let certificate = flow.steps_certified(1, 0.5, &mut x)?;
/// let (expected, _) = gaussian_jko(mean, 1.0, 2.0, 0.0, 0.5)?;
/// assert!(certificate.is_monotone() && (x.mean().unwrap() - expected).abs() < 1e-12);
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug)]
pub struct ParticleJko<E, F: Real> {
    descent: Descent<E>,
    inner: Proximal<Array2<F>>,
    assignment: Assignment,
    changes: u64,
}

impl<F: Real, E: Energy<F>> ParticleJko<E, F> {
    /// Of this energy.
    pub fn new(energy: E) -> Self {
        ParticleJko {
            descent: Descent(energy),
            inner: Proximal::new(),
            assignment: Assignment::new(),
            changes: 0,
        }
    }

    /// Tolerance of the minimum, that of [`Proximal::tol`].
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.inner = self.inner.tol(tol);
        self
    }

    /// Iterations of the inner minimisation so far.
    pub fn iterations(&self) -> u64 {
        self.inner.iterations()
    }

    /// How often a pairing was replaced by a cheaper one so far; 0 where every particle stayed paired with itself.
    pub fn pairings_changed(&self) -> u64 {
        self.changes
    }

    /// The energy.
    pub fn energy(&mut self) -> &mut E {
        &mut self.descent.0
    }

    /// Brings the rows of `x` into the order of their partners in `x0`; false if they are in it.
    fn pair(&mut self, x0: &Array2<F>, x: &mut Array2<F>) -> Result<bool> {
        let order = self.assignment.permutation(&PointCost::squared_euclidean(x0, x)?)?;
        let distance = |i: usize, j: usize| -> f64 {
            let (from, to) = (x0.row(i), x.row(j));
            from.iter().zip(to).map(|(a, b)| (a.f64() - b.f64()).powi(2)).sum()
        };
        let paired: f64 = order.iter().enumerate().map(|(i, &j)| distance(i, j)).sum();
        let own: f64 = (0..order.len()).map(|i| distance(i, i)).sum();
        if paired >= (1.0 - SAVING) * own {
            return Ok(false);
        }
        let sorted = x.select(Axis(0), order);
        x.assign(&sorted);
        self.changes += 1;
        Ok(true)
    }
}

impl<F: Real, E: Energy<F>> VectorField<Array2<F>> for ParticleJko<E, F> {
    fn eval(&mut self, t: F, x: &Array2<F>, dx: &mut Array2<F>) {
        self.descent.eval(t, x, dx);
    }

    fn proximal(&mut self, tau: F, x0: &Array2<F>, x1: &mut Array2<F>) -> Result<bool> {
        let need = "a minimising movement needs a positive step";
        Error::setting(tau.f64() > 0.0 && tau.is_finite(), "tau", tau.f64(), need)?;
        x1.assign(x0);
        for _ in 0..PAIRINGS {
            self.inner.descend(&mut self.descent, (F::zero(), tau), x0, x1)?;
            if !self.pair(x0, x1)? {
                return Ok(true);
            }
        }
        Err(Error::NotConverged {
            what: "the pairing of a particle step (take a smaller step)",
            iterations: PAIRINGS,
            residual: 1.0,
            tol: SAVING,
        })
    }

    fn check(&self, x: &Array2<F>) -> Result<()> {
        self.descent.check(x)
    }
}

impl<F: Real, E: Energy<F>> Dissipative<Array2<F>> for ParticleJko<E, F> {
    fn energy(&mut self, t: F, x: &Array2<F>) -> (f64, f64) {
        self.descent.energy(t, x)
    }
}
