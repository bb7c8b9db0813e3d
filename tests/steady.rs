//! Steady states: found from afar, with any structure of the Jacobian, and refused where there are none.

use flowfield::{
    Differentiable, Error, Formula, MatrixFree, Number, SteadyState, Structured, VectorField, field,
};
use ndarray::Array1;

/// Bratu: u'' + λ eᵘ = 0 on (0, 1), u = 0 at both ends.
fn bratu(lambda: f64, n: usize) -> impl FnMut(f64, &Array1<f64>, &mut Array1<f64>) + Clone {
    let h2 = ((n + 1) as f64).powi(-2);
    move |_t, u, d| {
        let at = |i: usize| u.get(i).copied().unwrap_or(0.0);
        for i in 0..n {
            d[i] = (at(i.wrapping_sub(1)) - 2.0 * u[i] + at(i + 1)) / h2 + lambda * u[i].exp();
        }
    }
}

/// The lower solution at the middle: 2 ln cosh(θ/4)·…, with θ = √(2λ) cosh(θ/4): u(½) = 2 ln cosh(θ/4).
fn bratu_middle(lambda: f64) -> f64 {
    let mut theta: f64 = 1.0;
    for _ in 0..200 {
        theta = (2.0 * lambda).sqrt() * (theta / 4.0).cosh();
    }
    2.0 * (theta / 4.0).cosh().ln()
}

#[test]
fn bratus_problem_is_solved_with_every_structure() {
    let n = 199;
    let check = |name: &str, field: &mut dyn VectorField<Array1<f64>>, steps: u64| {
        let rest = SteadyState::new().tol(1e-9).solve(field, 0.0, Array1::zeros(n)).unwrap();
        let gap = (rest.y[99] - bratu_middle(1.0)).abs();
        assert!(gap < 5e-6, "{name}: {gap:e}");
        assert!(rest.stats.accepted <= steps && rest.correction <= 1.0, "{name}: {:?}", rest.stats);
        assert!(rest.residual < 1e-6, "{name}: {}", rest.residual);
    };
    check("dense", &mut field(bratu(1.0, n)), 90);
    check("banded", &mut Structured::banded(field(bratu(1.0, n)), 1, 1), 90);
    check("matrix-free", &mut MatrixFree::new(field(bratu(1.0, n))), 150);
    // Above λ = 3.5138 there is no steady state: the solution blows up.
    let none = SteadyState::new().max_steps(60).solve(&mut field(bratu(4.0, n)), 0.0, Array1::zeros(n));
    assert!(matches!(none, Err(Error::NotConverged { iterations: 60, .. })), "{none:?}");
}

#[test]
fn a_stable_state_is_found_from_afar_where_newton_would_leave_its_basin() {
    // x' = x - x³: from 0.1 the flow goes to 1, Newton's method to 0.
    let mut bistable = field(|_t, y: &[f64; 1], d: &mut [f64; 1]| d[0] = y[0] - y[0].powi(3));
    let rest = SteadyState::new().tol(1e-12).solve(&mut bistable, 0.0, [0.1]).unwrap();
    assert!((rest.y[0] - 1.0).abs() < 1e-12, "{rest:?}");
}

struct Robertson;
impl Formula for Robertson {
    fn eval<T: Number>(&self, _t: T, y: &[T], _p: &[T], dy: &mut [T]) {
        let (slow, fast) = (T::of(0.04) * y[0], T::of(1e4) * y[1] * y[2]);
        let faster = T::of(3e7) * y[1] * y[1];
        dy[0] = fast - slow;
        dy[1] = slow - fast - faster;
        dy[2] = faster;
    }
}

#[test]
fn a_conserved_sum_stays_although_the_jacobian_is_singular() {
    let mut reaction = Differentiable::new(Robertson);
    let rest = SteadyState::new().rtol(1e-6).atol(1e-8).solve(&mut reaction, 0.0, [1.0, 0.0, 0.0]).unwrap();
    // To the tolerance: the last systems are singular but for 1/δ.
    assert!((rest.y.iter().sum::<f64>() - 1.0).abs() < 1e-7 && rest.y[2] > 0.99, "{rest:?}");
}

#[test]
fn what_cannot_be_at_rest_is_refused_with_numbers() {
    let mut wind = field(|_t, _y: &[f64; 1], d: &mut [f64; 1]| d[0] = 1.0);
    let none = SteadyState::new().max_steps(50).solve(&mut wind, 0.0, [0.0]);
    assert!(matches!(none, Err(Error::NotConverged { iterations: 50, .. })), "{none:?}");
    let mut broken = field(|_t, _y: &[f64; 1], d: &mut [f64; 1]| d[0] = f64::NAN);
    assert!(matches!(SteadyState::new().solve(&mut broken, 0.0, [0.0]), Err(Error::NotFinite { .. })));
    assert!(SteadyState::new().first_step(0.0).solve(&mut wind, 0.0, [0.0]).is_err());
    assert!(SteadyState::new().tol(-1.0).solve(&mut wind, 0.0, [0.0]).is_err());
}
