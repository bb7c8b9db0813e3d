//! Velocity, score, noise and data: four ways to say the same about a point on a path.

use ndarray::Array2;

use super::path::{Coefficients, Path};
use crate::{Error, Real, Result, VectorField};

/// What a network says about the rows of `x_t`, on paths from a standard normal source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prediction {
    /// `E[dx_t/dt | x_t]`.
    #[default]
    Velocity,
    /// `E[ε | x_t]`, the standard normal noise in x_t: x0, or what x0 and the path's fresh noise add up to.
    Noise,
    /// `E[x1 | x_t]`.
    Data,
    /// `∇ log p_t(x_t) = -E[ε | x_t] / √(α² + γ²)`.
    Score,
}

impl Coefficients {
    /// `(p, q)` such that the prediction `to` is `p x + q value`, where `value` is the prediction `from`.
    ///
    /// With `x = a ε + β x1` and `v = a' ε + β' x1`, `a = √(α² + γ²)`, all four are linear in x and any one of them. Where
    /// x holds no data (β = 0) a noise or score says nothing about it, and the numbers are not finite; likewise for
    /// data where there is no noise.
    ///
    /// ```
    /// use flowfield::matching::{Path, Prediction, Straight};
    /// // The score on straight paths is (t v - x) / (1 - t).
    /// let (p, q) = Straight.at(0.75).convert(Prediction::Velocity, Prediction::Score);
    /// assert_eq!((p, q), (-4.0, 3.0));
    /// ```
    pub fn convert(&self, from: Prediction, to: Prediction) -> (f64, f64) {
        if from == to {
            return (0.0, 1.0);
        }
        let ((a, a_dot), b, b_dot) = (self.noise(), self.beta, self.beta_dot);
        let det = a * b_dot - a_dot * b;
        // Noise and data as multiples of (x, value).
        let (noise, data) = match from {
            Prediction::Velocity => ((b_dot / det, -b / det), (-a_dot / det, a / det)),
            Prediction::Noise => ((0.0, 1.0), (1.0 / b, -a / b)),
            Prediction::Data => ((1.0 / a, -b / a), (0.0, 1.0)),
            Prediction::Score => ((0.0, -a), (1.0 / b, a * a / b)),
        };
        match to {
            Prediction::Velocity => (a_dot * noise.0 + b_dot * data.0, a_dot * noise.1 + b_dot * data.1),
            Prediction::Noise => noise,
            Prediction::Data => data,
            Prediction::Score => (-noise.0 / a, -noise.1 / a),
        }
    }
}

/// A field that predicts one thing, read as another: a network trained to find the noise or the data as a velocity
/// field, a velocity field as a score.
///
/// Times are kept at least `margin` (default 1e-3) away from both ends, where conversions divide by zero.
///
/// ```
/// use flowfield::{Flow, dataset::normal, field, integrate::Rk4};
/// use flowfield::matching::{Converted, Prediction, Straight};
/// use ndarray::Array2;
/// // All data are at 3: that is what a perfect network says of every point.
/// let data = field(|_t, _x: &Array2<f64>, dx: &mut Array2<f64>| dx.fill(3.0));
/// let velocity = Converted::new(data, Straight, Prediction::Data, Prediction::Velocity);
/// let mut x = normal((5, 1), 0);
/// Flow::new(velocity, Rk4::new()).steps(100, 0.01, &mut x)?;
/// assert!(x.iter().all(|x| (x - 3.0).abs() < 0.1));
/// # Ok::<(), flowfield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Converted<V, P> {
    field: V,
    path: P,
    from: Prediction,
    to: Prediction,
    margin: f64,
}

impl<V, P: Path> Converted<V, P> {
    /// `field`, which predicts `from` on `path`, as a field that predicts `to`.
    pub fn new(field: V, path: P, from: Prediction, to: Prediction) -> Self {
        Converted { field, path, from, to, margin: 1e-3 }
    }

    /// Another distance to keep from t = 0 and t = 1, in (0, 1/2).
    #[must_use]
    pub fn margin(mut self, margin: f64) -> Self {
        self.margin = margin;
        self
    }
}

impl<F: Real, V: VectorField<Array2<F>>, P: Path> VectorField<Array2<F>> for Converted<V, P> {
    fn eval(&mut self, t: F, x: &Array2<F>, dx: &mut Array2<F>) {
        let inner = t.f64().clamp(self.margin, 1.0 - self.margin);
        self.field.eval(F::of(inner), x, dx);
        let (p, q) = self.path.at(inner).convert(self.from, self.to);
        let (p, q) = (F::of(p), F::of(q));
        dx.zip_mut_with(x, |value, &x| *value = p * x + q * *value);
    }

    fn redraw(&mut self) -> bool {
        self.field.redraw()
    }

    fn check(&self, x: &Array2<F>) -> Result<()> {
        let good = self.margin > 0.0 && self.margin < 0.5;
        Error::setting(good, "the margin in time", self.margin, "it must lie between 0 and 1/2")?;
        self.path.check()?;
        self.field.check(x)
    }
}
