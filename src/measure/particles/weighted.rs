//! Transport with birth and death.

use ndarray::{Array1, Array2, Axis, s};

use crate::gradient::Dissipative;
use crate::measure::{Cloud, Energy};
use crate::{Error, Real, Result, VectorField};

/// The Wasserstein–Fisher–Rao gradient flow of an energy on weighted particles: positions move along `-a ∇F'`, weights
/// react,
///
/// ```text
/// x_i' = -a ∇F'(x_i),   (log w_i)' = -κ (F'(x_i) - Σ_j w_j F'(x_j)),   dF/dt = -a Σ w|∇F'|² - κ Var_w(F')
/// ```
///
/// The state is n × (d + 1): positions, then the logarithm of each weight (which keeps weights positive; they are
/// normalised wherever they are read, so that the mass is 1 to round-off). `a = 0` is pure birth and death (Fisher–Rao),
/// κ = 0 pure transport. Lu, Lu and Nolen, arXiv 1905.09863; Liero, Mielke and Savaré, Invent. Math. 211 (2018).
///
/// ```
/// use flowfield::{Flow, integrate::Tsit5, measure::{Potential, WassersteinFisherRao}};
/// // Pure reaction in a potential: w_i(t) ∝ w_i(0) exp(-V(x_i) t).
/// let bowl = Potential::new(|x: &[f64], g: &mut [f64]| { g[0] = x[0]; 0.5 * x[0] * x[0] });
/// let flow = WassersteinFisherRao::new(bowl, 0.0, 1.0);
/// let state = flow.state(&ndarray::array![[0.0], [2.0]]);
/// let end = Flow::new(flow, Tsit5::new()).tol(1e-9).solve(0.0, 1.0, state)?;
/// let y = end.y_end();
/// assert!((y[[1, 1]] - y[[0, 1]] + 2.0).abs() < 1e-8);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct WassersteinFisherRao<E> {
    energy: E,
    transport: f64,
    reaction: f64,
}

impl<E> WassersteinFisherRao<E> {
    /// With the rates a of transport and κ of reaction.
    pub fn new(energy: E, transport: f64, reaction: f64) -> Self {
        WassersteinFisherRao { energy, transport, reaction }
    }

    /// The state of these particles (n × d), equally weighted.
    pub fn state<F: Real>(&self, x: &Array2<F>) -> Array2<F> {
        let (n, d) = x.dim();
        let mut y = Array2::from_elem((n, d + 1), F::of(-(n as f64).ln()));
        y.slice_mut(s![.., ..d]).assign(x);
        y
    }

    /// Positions and weights of a state.
    pub fn cloud<F: Real>(y: &Array2<F>) -> (Array2<F>, Array1<F>) {
        let d = y.ncols().saturating_sub(1);
        let top = y.column(d).iter().fold(F::neg_infinity(), |m, &v| m.max(v));
        let w = y.column(d).mapv(|v| (v - top).exp());
        let sum = w.sum();
        (y.slice(s![.., ..d]).to_owned(), w.mapv(|w| w / sum))
    }

    /// Velocity and reaction, and the rate of dissipation.
    fn rates<F: Real>(&mut self, y: &Array2<F>, dy: &mut Array2<F>) -> f64
    where
        E: Energy<F>,
    {
        let (x, w) = Self::cloud(y);
        let (n, d) = x.dim();
        let cloud = Cloud::weighted(&x, &w);
        let (mut g, mut lost) = (Array2::zeros((n, d)), 0.0);
        if self.transport != 0.0 {
            self.energy.gradient(&cloud, &mut g);
        }
        let mut potential = vec![0.0; n];
        if self.reaction != 0.0 && !self.energy.variation(&cloud, &mut potential) {
            potential.fill(f64::NAN);
        }
        let mean: f64 = potential.iter().zip(&w).map(|(p, w)| p * w.f64()).sum();
        for i in 0..n {
            for k in 0..d {
                dy[[i, k]] = F::of(-self.transport) * g[[i, k]];
                lost += self.transport * w[i].f64() * g[[i, k]].f64().powi(2);
            }
            let excess = potential[i] - mean;
            dy[[i, d]] = F::of(-self.reaction * excess);
            lost += self.reaction * w[i].f64() * excess * excess;
        }
        lost
    }
}

impl<F: Real, E: Energy<F>> VectorField<Array2<F>> for WassersteinFisherRao<E> {
    fn eval(&mut self, _t: F, y: &Array2<F>, dy: &mut Array2<F>) {
        self.rates(y, dy);
    }

    fn check(&self, y: &Array2<F>) -> Result<()> {
        let need = "it must be 0 or positive, and finite";
        for (what, rate) in
            [("the rate of transport", self.transport), ("the rate of reaction", self.reaction)]
        {
            Error::setting(rate >= 0.0 && rate.is_finite(), what, rate, need)?;
        }
        if y.len_of(Axis(1)) < 2 {
            return Err(Error::Shape {
                what: "the state (positions, then a log weight)",
                expected: vec![y.nrows(), 2],
                found: y.shape().to_vec(),
            });
        }
        let (x, w) = Self::cloud(y);
        self.energy.check(&Cloud::weighted(&x, &w))
    }
}

impl<F: Real, E: Energy<F>> Dissipative<Array2<F>> for WassersteinFisherRao<E> {
    fn energy(&mut self, _t: F, y: &Array2<F>) -> (f64, f64) {
        let mut rates = y.clone();
        let lost = self.rates(y, &mut rates);
        let (x, w) = Self::cloud(y);
        (self.energy.value(&Cloud::weighted(&x, &w)), lost)
    }

    fn total_mass(&self, y: &Array2<F>) -> Option<f64> {
        Some(Self::cloud(y).1.iter().map(|w| w.f64()).sum())
    }

    fn least(&self, y: &Array2<F>) -> Option<f64> {
        Some(Self::cloud(y).1.iter().map(|w| w.f64()).fold(f64::INFINITY, f64::min))
    }
}
