//! Laws of the integrators and of `Flow`, run over the list of methods.

mod common;

use common::{Entry, coupled, coupled_exact, distance, explicit_methods, slope};
use flowfield::integrate::control::Pid;
use flowfield::integrate::*;
use flowfield::{Flow, Solution, field};
use ndarray::{Array1, Array2, Array3, array};

/// Numbers of steps that put a method of this order between rounding and pre-asymptotic errors.
fn steps_for(order: u32) -> [usize; 3] {
    match order {
        1 | 2 => [200, 400, 800],
        3 | 4 => [80, 160, 320],
        5 => [80, 160, 320],
        6 | 7 => [8, 16, 32],
        _ => [8, 11, 16],
    }
}

fn measured(entry: &Entry, pick: fn((f64, f64)) -> f64) -> f64 {
    let points = steps_for(entry.order).map(|n| (2.0 / n as f64, pick((entry.error)(n))));
    slope(&points)
}

#[test]
fn every_method_converges_with_its_order() {
    for entry in explicit_methods() {
        let p = measured(&entry, |e| e.0);
        // From order 6 on double precision leaves no room to the asymptotic slope: a lower bound, and the
        // algebraic conditions in `order_conditions.rs`.
        let order = f64::from(entry.order);
        let good = if order < 6.0 { (p - order).abs() < 0.25 } else { p > order - 0.5 };
        assert!(good, "{}: order {p}, not {order}", entry.name);
    }
}

#[test]
fn every_interpolant_converges() {
    for entry in explicit_methods() {
        let p = measured(&entry, |e| e.1);
        let least = f64::from(entry.order.min(4)) - 0.25;
        assert!(p > least, "{}: the interpolant converges with order {p}, not {least}", entry.name);
    }
}

/// Lotka–Volterra over one and a half cycles.
fn predator<I: Integrator<[f64; 2]>>(method: I, tol: f64) -> Solution<[f64; 2]> {
    let f = field(|_t, y: &[f64; 2], dy| {
        dy[0] = 1.5 * y[0] - y[0] * y[1];
        dy[1] = y[0] * y[1] - 3.0 * y[1];
    });
    Flow::new(f, method).tol(tol).max_steps(10_000_000).save_last().solve(0.0, 10.0, [1.0, 1.0]).unwrap()
}

fn proportionality<I: Integrator<[f64; 2]>>(make: fn() -> I) -> f64 {
    let exact = *predator(Tsit5::new(), 1e-14).y_end();
    let tols = [1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11];
    let points = tols.map(|tol| (tol, distance(predator(make(), tol).y_end(), &exact)));
    slope(&points)
}

#[test]
fn error_is_proportional_to_the_tolerance() {
    for (name, p) in [
        ("Bs3", proportionality(Bs3::new)),
        ("Dopri5", proportionality(Dopri5::new)),
        ("Tsit5", proportionality(Tsit5::new)),
        ("Dop853", proportionality(Dop853::new)),
        ("Vern6", proportionality(Vern6::new)),
        ("Vern7", proportionality(Vern7::new)),
        ("Vern8", proportionality(Vern8::new)),
        ("Vern9", proportionality(Vern9::new)),
        ("Adams", proportionality(Adams::new)),
    ] {
        assert!((0.7..1.3).contains(&p), "{name}: slope {p}");
    }
}

#[test]
fn work_counts_are_pinned() {
    // A change here is a change of behaviour: say why in the commit.
    let counts = |s: Solution<[f64; 2]>| (s.stats.evals, s.stats.accepted, s.stats.rejected);
    assert_eq!(counts(predator(Tsit5::new(), 1e-6)), PINNED[0]);
    assert_eq!(counts(predator(Dopri5::new(), 1e-6)), PINNED[1]);
    assert_eq!(counts(predator(Bs3::new(), 1e-6)), PINNED[2]);
}

const PINNED: [(u64, u64, u64); 3] = [(572, 86, 9), (644, 87, 20), (1925, 641, 0)];

#[test]
fn what_is_saved_does_not_change_the_trajectory() {
    let run = |times: Option<&[f64]>, dense: bool| {
        let mut flow = Flow::new(coupled(), Tsit5::new()).tol(1e-8);
        flow = if let Some(t) = times { flow.save_at(t) } else { flow.save_last() };
        flow = if dense { flow.dense() } else { flow };
        *flow.solve(0.0, 2.0, coupled_exact(0.0)).unwrap().y_end()
    };
    let bits = |y: [f64; 2]| y.map(f64::to_bits);
    let plain = bits(run(None, false));
    let many: Vec<f64> = (0..=1000).map(|i| f64::from(i) * 0.002).collect();
    assert_eq!(plain, bits(run(Some(&many), false)));
    assert_eq!(plain, bits(run(Some(&[0.0, 1.0, 2.0]), true)));
    assert_eq!(plain, bits(run(None, true)));
}

#[test]
fn saved_states_lie_on_the_solution() {
    let times: Vec<f64> = (0..=50).map(|i| f64::from(i) * 0.04).collect();
    let sol = Flow::new(coupled(), Tsit5::new())
        .tol(1e-9)
        .save_at(&times)
        .solve(0.0, 2.0, coupled_exact(0.0))
        .unwrap();
    assert_eq!(sol.t, times);
    for (t, y) in sol.t.iter().zip(&sol.y) {
        assert!(distance(y, &coupled_exact(*t)) < 2e-7, "at {t}");
    }
    assert_eq!(sol.y.last(), Some(sol.y_end()));
}

#[test]
fn backward_undoes_forward() {
    for controller in [None, Some(Pid::h211())] {
        let solve = |t0, t1, y0| {
            let mut flow = Flow::new(coupled(), Dopri5::new()).tol(1e-11).dense();
            if let Some(c) = controller.clone() {
                flow = flow.controller(c);
            }
            flow.solve(t0, t1, y0).unwrap()
        };
        let there = solve(0.0, 2.0, coupled_exact(0.0));
        let back = solve(2.0, 0.0, *there.y_end());
        assert!(distance(back.y_end(), &coupled_exact(0.0)) < 1e-9);
        assert!(distance(&back.at(1.3).unwrap(), &coupled_exact(1.3)) < 1e-7);
        assert!(back.t.windows(2).all(|w| w[1] < w[0]));
    }
}

#[test]
fn the_slope_of_the_interpolant_is_the_field() {
    let sol =
        Flow::new(coupled(), Tsit5::new()).tol(1e-10).dense().solve(0.0, 2.0, coupled_exact(0.0)).unwrap();
    for i in 1..20 {
        let t = f64::from(i) * 0.1;
        let (u, v) = (-2.0 * t / (1.0 + t * t).powi(2), t.cos() * t.sin().exp());
        assert!(distance(&sol.slope(t).unwrap(), &[u, v]) < 1e-6, "at {t}");
    }
}

#[test]
fn arrays_of_any_rank_and_fixed_arrays_take_the_same_steps() {
    let rates = [0.5, 1.0, 1.5, 2.0, 2.5, 3.0];
    let decay = |y: &[f64], dy: &mut [f64]| {
        dy.iter_mut().zip(y).zip(rates).for_each(|((d, y), r)| *d = -r * y);
    };
    let fixed = field(|_t, y: &[f64; 6], dy| decay(y, dy));
    let a = Flow::new(fixed, Tsit5::new()).solve(0.0, 2.0, [1.0; 6]).unwrap();
    macro_rules! same_for {
        ($t:ty, $y0:expr) => {
            let f = field(|_t, y: &$t, dy| decay(y.as_slice().unwrap(), dy.as_slice_mut().unwrap()));
            let b = Flow::new(f, Tsit5::new()).solve(0.0, 2.0, $y0).unwrap();
            assert_eq!(a.stats, b.stats);
            assert_eq!(a.y_end().as_slice(), b.y_end().as_slice().unwrap());
        };
    }
    same_for!(Array1<f64>, Array1::ones(6));
    same_for!(Array2<f64>, Array2::ones((2, 3)));
    same_for!(Array3<f64>, Array3::ones((1, 3, 2)));
    // Column-major input is read by its indices, not by its memory order.
    let f = field(|_t, y: &Array2<f64>, dy| dy.assign(y));
    let column_major = array![[1.0, 2.0], [3.0, 4.0]].reversed_axes();
    let sol = Flow::new(f, Rk4::new()).fixed_step(0.5).solve(0.0, 1.0, column_major.clone()).unwrap();
    let ratio = sol.y_end() / &column_major;
    assert!(ratio.iter().all(|r| (r - ratio[[0, 0]]).abs() < 1e-12));
}

#[test]
fn single_precision_works_to_its_own_accuracy() {
    let f = field(|_t, y: &[f32; 2], dy| (dy[0], dy[1]) = (y[1], -y[0]));
    let sol = Flow::new(f, Tsit5::new()).tol(1e-5).save_at(&[1.0, 2.0]).solve(0.0, 3.0, [1.0, 0.0]).unwrap();
    assert!((sol.y_end()[0] - 3f32.cos()).abs() < 1e-4);
    assert!((sol.y[0][0] - 1f32.cos()).abs() < 1e-4);
}

#[test]
fn tolerances_for_each_component_are_respected() {
    // Two copies of one oscillator; the second is asked for a much better solution.
    let f = field(|t: f64, y: &[f64; 2], dy| *dy = [t.cos() * y[0], (7.0 * t).cos() * y[1]]);
    let run = |a: [f64; 2]| Flow::new(f, Bs3::new()).rtol(0.0).atol(a).solve(0.0, 3.0, [1.0; 2]).unwrap();
    let loose = run([1e-3, 1e-3]);
    let tight = run([1e-3, 1e-8]);
    assert!(tight.stats.accepted > 5 * loose.stats.accepted);
    assert!((tight.y_end()[1] - (21f64.sin() / 7.0).exp()).abs() < 1e-6);
}

#[test]
fn a_stepper_takes_the_same_steps_as_solve() {
    let mut flow = Flow::new(coupled(), Tsit5::new());
    let sol = flow.solve(0.0, 2.0, coupled_exact(0.0)).unwrap();
    let by_hand: Vec<_> =
        flow.stepper(0.0, 2.0, coupled_exact(0.0)).unwrap().collect::<Result<_, _>>().unwrap();
    let states: Vec<_> = sol.t.iter().copied().zip(sol.y.iter().copied()).skip(1).collect();
    assert_eq!(by_hand, states);
}

#[test]
fn steps_go_on_with_the_clock() {
    let f = field(|t: f64, _y: &[f64; 1], dy: &mut [f64; 1]| dy[0] = 3.0 * t * t);
    let mut flow = Flow::new(f, Rk4::new());
    let mut y = [0.0];
    flow.steps(4, 0.25, &mut y).unwrap();
    flow.steps(4, 0.25, &mut y).unwrap();
    assert!((y[0] - 8.0).abs() < 1e-12 && flow.t() == 2.0 && flow.stats().evals == 32);
    flow.steps(8, -0.25, &mut y).unwrap();
    assert!(y[0].abs() < 1e-12 && flow.t() == 0.0);
}

#[test]
fn the_callers_changes_between_steps_are_seen() {
    // First-same-as-last must not survive a change of the state by the caller.
    let decay = || field(|_t, y: &[f64; 1], dy: &mut [f64; 1]| dy[0] = -y[0]);
    let mut flow = Flow::new(decay(), Tsit5::new());
    let mut y = [1.0];
    flow.step(0.1, &mut y).unwrap();
    y[0] = 5.0;
    flow.step(0.1, &mut y).unwrap();
    assert!((y[0] - 5.0 * (-0.1f64).exp()).abs() < 1e-8);
    let mut flow = Flow::new(decay(), Tsit5::new()).tol(1e-9);
    let mut run = flow.stepper(0.0, 1.0, [1.0]).unwrap();
    run.advance().unwrap();
    let t = run.t();
    run.y_mut()[0] = 5.0;
    while run.advance().unwrap() {}
    assert!((run.y()[0] - 5.0 * (t - 1.0).exp()).abs() < 1e-7);
}
