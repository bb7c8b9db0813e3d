//! Attraction and repulsion between particles.

use ndarray::Array2;
use rayon::prelude::*;

use super::{Cloud, Energy};
use crate::{Error, Real, Result};

/// `F = ½ ∬ W(x - y) dμ dμ` with a radial W: `x_i' = -Σ_j w_j ∇W(x_i - x_j)`, no particle acting on itself.
///
/// Exact sums over all pairs in double precision, rows over threads, O(n² d).
///
/// ```
/// use flowfield::{Flow, integrate::Tsit5, measure::{Descent, Interaction}};
/// // W = |x|²/2: everything contracts to the mean like e^{-t}.
/// let crowd = Descent(Interaction::power_law(2.0, 0.0));
/// let x = ndarray::array![[0.0, 1.0], [2.0, 0.0], [1.0, 5.0]];
/// let sol = Flow::new(crowd, Tsit5::new()).tol(1e-9).solve(0.0, 1.0, x)?;
/// assert!((sol.y_end()[[1, 0]] - 1.0 - (-1.0_f64).exp()).abs() < 1e-8);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interaction {
    law: Law,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Law {
    /// r^a/a - r^b/b, r⁰/0 standing for log r, and a term left out where its exponent is infinite.
    Power { attract: f64, repel: f64 },
    /// s log √(r² + δ²).
    Log { strength: f64, softening: f64 },
    /// -C_a e^{-r/l_a} + C_r e^{-r/l_r}.
    Morse { attract: (f64, f64), repel: (f64, f64) },
}

impl Interaction {
    /// Attraction r²/2 and the like alone (`b = 0` here means no repulsion): see
    /// [`attraction_repulsion`](Self::attraction_repulsion) for both.
    pub fn power_law(attract: f64, repel: f64) -> Self {
        let repel = if repel == 0.0 { f64::INFINITY } else { repel };
        Interaction { law: Law::Power { attract, repel } }
    }

    /// `W = r^a / a - r^b / b` with a > b; an exponent of 0 means log r.
    pub fn attraction_repulsion(a: f64, b: f64) -> Self {
        Interaction { law: Law::Power { attract: a, repel: b } }
    }

    /// `W = (χ/2π) log r`: chemotactic (Keller–Segel) attraction in the plane for χ > 0, Coulomb repulsion for χ < 0.
    pub fn keller_segel(chi: f64) -> Self {
        Interaction { law: Law::Log { strength: chi / std::f64::consts::TAU, softening: 0.0 } }
    }

    /// `W = -C_a e^{-r/l_a} + C_r e^{-r/l_r}`, given as (C, l).
    pub fn morse(attract: (f64, f64), repel: (f64, f64)) -> Self {
        Interaction { law: Law::Morse { attract, repel } }
    }

    /// Softens the singularity of log r: `r² + δ²` for r². (Other laws do not change.)
    #[must_use]
    pub fn softened(mut self, delta: f64) -> Self {
        if let Law::Log { softening, .. } = &mut self.law {
            *softening = delta;
        }
        self
    }
}

/// (W, W'/r) from r² > 0.
#[inline(always)]
fn law(law: Law, r2: f64) -> (f64, f64) {
    match law {
        Law::Power { attract, repel } => {
            let (a, b) = (power(attract, r2), power(repel, r2));
            (a.0 - b.0, a.1 - b.1)
        }
        Law::Log { strength, softening } => {
            let r2 = r2 + softening * softening;
            (0.5 * strength * r2.ln(), strength / r2)
        }
        Law::Morse { attract, repel } => {
            let r = r2.sqrt();
            let term = |(c, l): (f64, f64)| {
                let e = c * (-r / l).exp();
                (e, -e / (l * r))
            };
            let (a, b) = (term(attract), term(repel));
            (b.0 - a.0, b.1 - a.1)
        }
    }
}

/// (r^a / a, r^{a-2}).
#[inline(always)]
fn power(a: f64, r2: f64) -> (f64, f64) {
    if a == 2.0 {
        (0.5 * r2, 1.0)
    } else if a == 4.0 {
        (0.25 * r2 * r2, r2)
    } else if a == 1.0 {
        let r = r2.sqrt();
        (r, r.recip())
    } else if a == 0.0 {
        (0.5 * r2.ln(), r2.recip())
    } else if a.is_infinite() {
        (0.0, 0.0)
    } else {
        let s = r2.powf(0.5 * a - 1.0);
        (s * r2 / a, s)
    }
}

/// Pairs from which threads pay, and dimensions up to which a slope lies on the stack.
const THREADS: usize = 1 << 16;
const STACK: usize = 16;

/// Adds `Σ_j w_j ∇W` at `x` to `slope` and returns `Σ_j w_j W`, over the rows `y`; points that coincide are skipped.
fn sum<F: Real>(which: Law, cloud: &Cloud<'_, F>, y: &[F], x: &[F], slope: &mut [f64]) -> f64 {
    let (mut value, uniform) = (0.0, 1.0 / cloud.len() as f64);
    for (j, y) in y.chunks_exact(x.len()).enumerate() {
        let gap = |(a, b): (&F, &F)| a.f64() - b.f64();
        let r2: f64 = x.iter().zip(y).map(|p| gap(p) * gap(p)).sum();
        if r2 > 0.0 {
            let w = cloud.weights.map_or(uniform, |w| w[j].f64());
            let (v, s) = law(which, r2);
            value += w * v;
            let ws = w * s;
            slope.iter_mut().zip(x.iter().zip(y)).for_each(|(o, p)| *o += ws * gap(p));
        }
    }
    value
}

/// Calls `each(i, Σ_j w_j W, Σ_j w_j ∇W)` for the rows of `at`.
fn sums<F: Real>(which: Law, cloud: &Cloud<'_, F>, at: &Array2<F>, mut each: impl FnMut(usize, f64, &[f64])) {
    let d = cloud.x.ncols();
    if d == 0 {
        return;
    }
    let (y, x) = (cloud.x.as_standard_layout(), at.as_standard_layout());
    let (y, x) = (y.as_slice().unwrap_or_default(), x.as_slice().unwrap_or_default());
    if at.nrows() * cloud.len() < THREADS && d <= STACK {
        for (i, x) in x.chunks_exact(d).enumerate() {
            let mut slope = [0.0; STACK];
            let value = sum(which, cloud, y, x, &mut slope[..d]);
            each(i, value, &slope[..d]);
        }
        return;
    }
    let one = |x: &[F]| {
        let mut slope = vec![0.0; d];
        (sum(which, cloud, y, x, &mut slope), slope)
    };
    let rows: Vec<(f64, Vec<f64>)> = x.par_chunks_exact(d).map(one).collect();
    rows.iter().enumerate().for_each(|(i, (value, slope))| each(i, *value, slope));
}

impl<F: Real> Energy<F> for Interaction {
    fn value(&mut self, cloud: &Cloud<'_, F>) -> f64 {
        let mut total = 0.0;
        sums(self.law, cloud, cloud.x, |i, value, _| total += cloud.weight(i) * value);
        0.5 * total
    }

    fn gradient(&mut self, cloud: &Cloud<'_, F>, g: &mut Array2<F>) {
        self.gradient_at(cloud, cloud.x, g);
    }

    fn gradient_at(&mut self, cloud: &Cloud<'_, F>, at: &Array2<F>, g: &mut Array2<F>) -> bool {
        sums(self.law, cloud, at, |i, _, slope| {
            g.row_mut(i).iter_mut().zip(slope).for_each(|(g, &s)| *g += F::of(s));
        });
        true
    }

    fn variation(&mut self, cloud: &Cloud<'_, F>, out: &mut [f64]) -> bool {
        sums(self.law, cloud, cloud.x, |i, value, _| out[i] += value);
        true
    }

    fn check(&self, _cloud: &Cloud<'_, F>) -> Result<()> {
        match self.law {
            Law::Power { attract, repel } => {
                let need = "exponents must be 0 or positive, the attraction's the larger";
                let good = attract >= 0.0 && attract.is_finite() && repel >= 0.0;
                let ordered = repel.is_infinite() || attract > repel;
                Error::setting(good && ordered, "the exponent of attraction", attract, need)
            }
            Law::Log { strength, softening } => {
                Error::setting(strength.is_finite(), "chi", strength, "it must be finite")?;
                let good = softening >= 0.0 && softening.is_finite();
                Error::setting(good, "the softening", softening, "it must be 0 or positive")
            }
            Law::Morse { attract, repel } => {
                for l in [attract.1, repel.1] {
                    Error::setting(
                        l > 0.0 && l.is_finite(),
                        "a range of the Morse potential",
                        l,
                        "it must be positive",
                    )?;
                }
                Ok(())
            }
        }
    }
}
