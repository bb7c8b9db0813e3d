//! Diagonally implicit methods on stiff problems: errors follow the tolerance, sums are kept, work is pinned.

mod common;
#[path = "common/stiff.rs"]
mod stiff;

use common::slope;
use flowfield::integrate::{Integrator, KenCarp3, KenCarp4, KenCarp5, Kvaerno5, TrBdf2};
use flowfield::{Event, Flow, Solution, field};
use ndarray::Array1;
use stiff::{Problem, Vector};

fn solve<I: Integrator<Vector>>(method: I, p: &Problem, rtol: f64) -> Solution<Vector> {
    let atol: Vec<f64> = p.atol.iter().cycle().take(p.start.len()).map(|a| a * rtol).collect();
    let mut flow = Flow::new((p.field)(), method).rtol(rtol).atol(Array1::from(atol)).save_last();
    flow.solve(0.0, p.end, Array1::from(p.start.clone())).unwrap()
}

/// The exponent of the error in the tolerance, from 1e-4 to 1e-9.
fn exponent<I: Integrator<Vector>>(make: fn() -> I, p: &Problem) -> f64 {
    let points: Vec<_> =
        (4..=9).map(|e| 10f64.powi(-e)).map(|tol| (tol, p.error(solve(make(), p, tol).y_end()))).collect();
    slope(&points)
}

#[test]
fn errors_follow_the_tolerance() {
    let problem = |name: &str| stiff::all().into_iter().find(|p| p.name == name).unwrap();
    macro_rules! each {
        ($($method:ident $problem:literal $low:literal $high:literal),* $(,)?) => { $(
            let p = exponent($method::new, &problem($problem));
            let name = concat!(stringify!($method), " on ", $problem);
            assert!(($low..$high).contains(&p), "{name}: {p}");
        )* };
    }
    each!(
        // Its estimate is that of an order above its own: the error goes as tol^(2/3).
        TrBdf2 "HIRES" 0.6 0.75, TrBdf2 "Robertson" 0.6 0.75, TrBdf2 "van der Pol" 0.6 0.75,
        KenCarp3 "HIRES" 0.7 1.3, KenCarp3 "Robertson" 0.7 1.3, KenCarp3 "van der Pol" 0.7 1.3,
        KenCarp4 "HIRES" 0.7 1.3, KenCarp4 "Robertson" 0.7 1.3, KenCarp4 "van der Pol" 0.7 1.3,
        KenCarp5 "HIRES" 0.7 1.3, KenCarp5 "Robertson" 0.68 1.3, KenCarp5 "van der Pol" 0.7 1.3,
        // On HIRES it is ten times more accurate than asked at loose tolerances and loses that towards tight ones.
        Kvaerno5 "HIRES" 0.5 1.3, Kvaerno5 "Robertson" 0.7 1.3, Kvaerno5 "van der Pol" 0.7 1.3,
    );
}

#[test]
fn the_sum_of_robertsons_species_is_kept_over_eleven_decades() {
    let p = stiff::all().into_iter().find(|p| p.name == "Robertson to 1e11").unwrap();
    macro_rules! each {
        ($($method:ident),*) => { $(
            let drift = solve($method::new(), &p, 1e-6).y_end().sum() - 1.0;
            assert!(drift.abs() < 1e-13, "{}: {drift}", stringify!($method));
        )* };
    }
    each!(TrBdf2, KenCarp3, KenCarp4, KenCarp5, Kvaerno5);
}

#[test]
fn work_is_pinned() {
    let p = stiff::hires();
    let work = |s: Solution<Vector>| [s.stats.accepted, s.stats.jacobians, s.stats.factorisations];
    assert_eq!(work(solve(KenCarp4::new(), &p, 1e-6)), [127, 35, 133]);
    assert_eq!(work(solve(KenCarp5::new(), &p, 1e-6)), [87, 35, 90]);
    assert_eq!(work(solve(Kvaerno5::new(), &p, 1e-6)), [137, 36, 139]);
}

#[test]
fn events_are_found_on_stiff_steps() {
    // A fast component follows a slow one, which decays; it is the fast one that is watched.
    let follower =
        || field(|_t: f64, y: &[f64; 2], d: &mut [f64; 2]| *d = [-1e5 * (y[0] - y[1]) - y[1], -y[1]]);
    macro_rules! each {
        ($($method:ident),*) => { $(
            let half = Event::when(|_t, y: &[f64; 2]| y[0] - 0.5).falling().terminal();
            let flow = Flow::new(follower(), $method::new());
            let sol = flow.tol(1e-8).event(half).solve(0.0, 3.0, [1.0, 1.0]).unwrap();
            let gap = (sol.t_end() - std::f64::consts::LN_2).abs();
            assert!(gap < 5e-6, "{}: {gap:e}", stringify!($method));
        )* };
    }
    each!(TrBdf2, KenCarp3, KenCarp4, KenCarp5, Kvaerno5);
}
