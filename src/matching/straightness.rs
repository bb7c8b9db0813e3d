//! How straight the trajectories of a flow are.

use ndarray::Array2;

use crate::integrate::Rk4;
use crate::{Error, Flow, Real, Result, VectorField};

/// What the trajectories from `t = 0` to `t = 1` look like, averaged over the rows.
#[derive(Debug, Clone)]
pub struct Straightness<F> {
    /// `S = ∫ E|(Z₁ - Z₀) - v(Z_t, t)|² dt`: zero if and only if every trajectory is straight at constant speed.
    pub straightness: f64,
    /// `∫ E|v(Z_t, t)|² dt`.
    pub path_energy: f64,
    /// `E|Z₁ - Z₀|²`; on exact trajectories `straightness = path_energy - transport_cost`.
    pub transport_cost: f64,
    /// The end points `Z₁`.
    pub end: Array2<F>,
}

/// Measures the flow of `field` from the rows of `z0`, with `steps` (even) steps of RK4 and Simpson's rule in time.
///
/// Source: Liu, Gong, Liu, *Flow straight and fast*, 2022, equation 4.
///
/// # Errors
/// An odd or zero number of steps, and what the field refuses.
///
/// ```
/// use flowfield::{field, matching::straightness};
/// use ndarray::{Array2, array};
/// // A rotation by one radian: speed 1 on the unit circle, chord 2 sin(1/2).
/// let turn = field(|_t, x: &Array2<f64>, dx| { dx[[0, 0]] = -x[[0, 1]]; dx[[0, 1]] = x[[0, 0]]; });
/// let s = straightness(turn, &array![[1.0, 0.0]], 100)?;
/// assert!((s.path_energy - 1.0).abs() < 1e-8);
/// assert!((s.straightness - (1.0 - 4.0 * 0.5_f64.sin().powi(2))).abs() < 1e-8);
/// # Ok::<(), flowfield::Error>(())
/// ```
pub fn straightness<F: Real, V>(field: V, z0: &Array2<F>, steps: usize) -> Result<Straightness<F>>
where
    V: VectorField<Array2<F>>,
{
    let even = steps > 0 && steps.is_multiple_of(2);
    Error::setting(
        even,
        "the number of steps",
        steps as f64,
        "Simpson's rule needs an even number of at least 2",
    )?;
    let h = F::of(1.0 / steps as f64);
    let mut flow = Flow::new(field, Rk4::new());
    let z0 = &z0.as_standard_layout().into_owned();
    let mut end = z0.clone();
    flow.steps(steps, h, &mut end)?;
    let displacement = &end - z0;
    let mut z = z0.clone();
    let mut v = z0.clone();
    flow = flow.start_at(F::zero());
    let (mut bend, mut energy) = (0.0, 0.0);
    for k in 0..=steps {
        let t = F::of(k as f64 / steps as f64);
        flow.field_mut().eval(t, &z, &mut v);
        let weight = if k == 0 || k == steps { 1.0 } else { 2.0 + 2.0 * (k % 2) as f64 };
        let weight = weight / (3.0 * steps as f64);
        bend += weight * mean_square(&displacement, Some(&v));
        energy += weight * mean_square(&v, None);
        if k < steps {
            flow.step(h, &mut z)?;
        }
    }
    let transport_cost = mean_square(&displacement, None);
    Ok(Straightness { straightness: bend, path_energy: energy, transport_cost, end })
}

/// Mean over the rows of `|a - b|²`.
fn mean_square<F: Real>(a: &Array2<F>, b: Option<&Array2<F>>) -> f64 {
    let sum: f64 = match b {
        None => a.iter().map(|a| a.f64() * a.f64()).sum(),
        Some(b) => a.iter().zip(b).map(|(a, b)| (a.f64() - b.f64()).powi(2)).sum(),
    };
    sum / a.nrows() as f64
}

/// Normalised path energy `|E∫|v|² dt - W2²| / W2²`: how far a flow is from optimal transport between its ends,
/// whose squared distance is `w2_squared` (Tong et al., *Improving and generalizing flow-based generative models*,
/// TMLR 2024, section 5).
///
/// # Errors
/// A squared distance that is not positive.
pub fn normalised_path_energy(path_energy: f64, w2_squared: f64) -> Result<f64> {
    Error::setting(w2_squared > 0.0, "the squared W2 distance", w2_squared, "it must be positive")?;
    Ok((path_energy - w2_squared).abs() / w2_squared)
}
