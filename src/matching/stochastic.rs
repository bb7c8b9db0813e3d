//! Sampling a rectified flow by a stochastic differential equation with the same marginals.

use ndarray::Array2;

use crate::noise::{Diffusion, Sde};
use crate::{Error, Real, Result, State, VectorField};

/// The stochastic flow with the marginals of a rectified flow from standard normal noise, as an SDE for the integrators of
/// [`stochastic`](crate::integrate::stochastic):
///
/// ```text
/// dx = (v + σ²(t)/2 · s) dt + σ(t) dW,   s = (t v - x) / (1 - t),   σ²(t) = level² (1 - t)
/// ```
///
/// `s` is the score of the marginal at `t`, which the velocity knows if the path is straight and noise and data were
/// paired independently; not for other couplings. The noise fades towards the data, so that nothing is singular. Level 0 is
/// the deterministic flow; noise corrects errors that the marginals have accumulated. References: Song et al.,
/// *Score-based generative modeling through SDEs*, 2021; Albergo, Boffi, Vanden-Eijnden, *Stochastic interpolants*, 2023, 2.4.
///
/// ```
/// use flowfield::{Flow, dataset::normal, field, integrate::EulerMaruyama, matching::stochastic};
/// use ndarray::Array2;
/// // Noise to N(2, 1): the exact velocity of independent pairs.
/// let v = field(|t: f64, x: &Array2<f64>, dx: &mut Array2<f64>| {
///     let slope = (2.0 * t - 1.0) / (t * t + (1.0 - t) * (1.0 - t));
///     dx.zip_mut_with(x, |d, x| *d = 2.0 + slope * (x - 2.0 * t));
/// });
/// let mut x = normal((2000, 1), 0);
/// Flow::new(stochastic(v, 1.0).fresh(1), EulerMaruyama::new()).steps(100, 0.01, &mut x)?;
/// assert!((x.mean().unwrap() - 2.0).abs() < 0.1);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn stochastic<F: Real, V: VectorField<Array2<F>>>(
    velocity: V,
    level: F,
) -> Sde<Scored<V, F>, Fading<F>, Array2<F>> {
    Sde::diagonal(Scored { velocity, level }, Fading { level }).constant()
}

/// A velocity with the drift that its marginals' score gives; see [`stochastic`].
#[derive(Debug, Clone)]
pub struct Scored<V, F> {
    velocity: V,
    level: F,
}

impl<F: Real, V: VectorField<Array2<F>>> VectorField<Array2<F>> for Scored<V, F> {
    fn eval(&mut self, t: F, x: &Array2<F>, dx: &mut Array2<F>) {
        self.velocity.eval(t, x, dx);
        // σ²/2 · s = level²/2 (t v - x): the factor 1 - t of both has gone.
        let half = F::of(0.5) * self.level * self.level;
        dx.zip_mut_with(x, |v, &x| *v += half * (t * *v - x));
    }

    fn redraw(&mut self) -> bool {
        self.velocity.redraw()
    }

    fn check(&self, x: &Array2<F>) -> Result<()> {
        self.velocity.check(x)
    }
}

/// The amplitude `level · √(1 - t)`; see [`stochastic`].
#[derive(Debug, Clone, Copy)]
pub struct Fading<F> {
    level: F,
}

impl<F: Real, S: State<Elem = F>> Diffusion<S> for Fading<F> {
    fn eval(&mut self, t: F, _x: &S, g: &mut [F]) {
        let left = F::one() - t;
        g.fill(self.level * if left > F::zero() { left.sqrt() } else { F::zero() });
    }

    fn check(&self, _n: usize) -> Result<()> {
        let level = self.level.f64();
        Error::setting(
            level >= 0.0 && level.is_finite(),
            "the noise level",
            level,
            "finite, and zero or positive",
        )
    }
}
