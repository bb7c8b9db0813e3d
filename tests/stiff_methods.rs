//! Every implicit method that chooses its steps, on stiff reference problems: proportionality, work counts, values inside.

mod common;
#[path = "common/stiff.rs"]
mod stiff;

use common::{coupled, coupled_exact, distance, slope};
use flowfield::integrate::*;
use flowfield::{Flow, Solution, Stats};
use ndarray::Array1;
use stiff::{Boxed, Problem, Vector};

/// A method as its users name it, without its type.
struct Method {
    name: &'static str,
    solve: fn(&Problem, f64) -> Result<Solution<Vector>, String>,
    inside: fn() -> f64,
}

fn solve<I: Integrator<Vector>>(method: I, p: &Problem, rtol: f64) -> Result<Solution<Vector>, String> {
    let atol: Vec<f64> = p.atol.iter().cycle().take(p.start.len()).map(|a| a * rtol).collect();
    let field: Boxed = (p.field)();
    let mut flow = Flow::new(field, method).rtol(rtol).atol(Array1::from(atol)).save_last();
    flow.solve(0.0, p.end, Array1::from(p.start.clone())).map_err(|e| e.to_string())
}

/// Largest error between the steps of a smooth problem at 1e-7.
fn inside<I: Integrator<[f64; 2]>>(method: I) -> f64 {
    let sol = Flow::new(coupled(), method).tol(1e-7).dense().solve(0.0, 2.0, coupled_exact(0.0)).unwrap();
    let times = (0..=400).map(|i| f64::from(i) * 0.005);
    times.map(|t| distance(&sol.at(t).unwrap(), &coupled_exact(t))).fold(0.0, f64::max)
}

macro_rules! methods {
    ($($method:ident)*) => {
        vec![$( Method {
            name: stringify!($method),
            solve: |p, rtol| solve($method::new(), p, rtol),
            inside: || inside($method::new()),
        } ),*]
    };
}

fn methods() -> Vec<Method> {
    methods!(Bdf RadauIIA5)
}

#[test]
fn errors_follow_the_tolerance() {
    let tols = [1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11];
    let mut failed = String::new();
    for m in methods() {
        for p in [stiff::hires(), stiff::robertson(), stiff::van_der_pol()] {
            let error = |rtol| p.error((m.solve)(&p, rtol).unwrap().y_end());
            let points = tols.map(|tol| (tol, error(tol)));
            let (name, s) = (p.name, slope(&points));
            if !(0.7..1.3).contains(&s) || points.iter().any(|(tol, e)| *e > 1e3 * tol) {
                failed += &format!("{} on {name}: slope {s}, {points:?}\n", m.name);
            }
        }
    }
    assert!(failed.is_empty(), "{failed}");
}

/// Accepted and rejected steps, evaluations, Jacobians, factorised matrices, Newton iterations.
fn counts(s: &Stats) -> [u64; 6] {
    [s.accepted, s.rejected, s.evals, s.jacobians, s.factorisations, s.iterations]
}

#[test]
fn reference_problems_are_solved_with_pinned_work() {
    let mut pinned = PINNED.iter();
    let mut failed = String::new();
    for m in methods() {
        for p in stiff::all() {
            let sol = (m.solve)(&p, 1e-6).unwrap_or_else(|e| panic!("{} on {}: {e}", m.name, p.name));
            let error = p.error(sol.y_end());
            // E5 ends at 1e-22, far below the tolerances on its way.
            if error > if p.name == "E5" { 5e-3 } else { 3e-4 } {
                failed += &format!("{} on {}: {error}\n", m.name, p.name);
            }
            let (found, want) = (counts(&sol.stats), pinned.next().copied().unwrap_or_default());
            if found != want {
                failed += &format!("    {found:?}, // {} on {}: {error:.1e}\n", m.name, p.name);
            }
        }
    }
    assert!(failed.is_empty(), "work has changed:\n{failed}");
}

const PINNED: &[[u64; 6]] = &[];

#[test]
fn values_inside_steps_are_as_good_as_their_ends() {
    for m in methods() {
        let error = (m.inside)();
        assert!(error < 1e-4, "{}: {error}", m.name);
    }
}

#[test]
fn robertsons_sum_is_conserved() {
    for m in methods() {
        let sol = (m.solve)(&stiff::robertson_long(), 1e-6).unwrap();
        assert!((sol.y_end().sum() - 1.0).abs() < 1e-10, "{}: {}", m.name, sol.y_end().sum());
    }
}
