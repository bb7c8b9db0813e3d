//! Diagonally implicit methods: stability functions, orders, additive pairs.

mod common;
#[allow(dead_code, reason = "other files use the rest")]
#[path = "common/stiff.rs"]
mod stiff;

use common::{Pair, coupled, coupled_exact, distance, slope};
use flowfield::integrate::implicit::esdirk::{EsdirkMethod, EsdirkTableau, methods};
use flowfield::integrate::*;
use flowfield::{Error, Event, Flow, Solution, Split, Structured, VectorField, WithJacobian, field};
use ndarray::Array1;
use stiff::{Boxed, Problem, Vector};

fn tableau<const S: usize>(t: &EsdirkTableau<S>) -> (&'static str, impl Fn((f64, f64)) -> f64) {
    let t = *t;
    let size = move |z: (f64, f64)| {
        let (re, im) = t.stability(z);
        re.hypot(im)
    };
    (t.name, size)
}

#[test]
fn the_left_half_plane_is_stable_and_stiff_modes_are_damped_out() {
    fn check<const S: usize>(t: &EsdirkTableau<S>, at_infinity: f64) {
        let (name, size) = tableau(t);
        // The maximum principle: on the imaginary axis, and no pole to its left.
        for i in -400..=400 {
            let y = 10f64.powf(f64::from(i) * 0.02);
            let r = size((0.0, y));
            assert!(r <= 1.0 + 1e-11, "{name}: |R({y} i)| = {r}");
        }
        let far = size((-1e9, 0.0));
        assert!((far - at_infinity).abs() < 1e-6, "{name}: R(∞) = {far}");
        // The exponential to the order of the method.
        let z = 0.05;
        let gap = (size((z, 0.0)) - z.exp()).abs();
        assert!(gap < z.powi(t.order as i32 + 1), "{name}: {gap}");
    }
    check(&methods::ImplicitEuler::TABLEAU, 0.0);
    check(&methods::ImplicitMidpoint::TABLEAU, 1.0);
    check(&methods::CrankNicolson::TABLEAU, 1.0);
    check(&methods::TrBdf2::TABLEAU, 0.0);
    check(&methods::KenCarp3::TABLEAU, 0.0);
    check(&methods::KenCarp4::TABLEAU, 0.0);
    check(&methods::KenCarp5::TABLEAU, 0.0);
    check(&methods::Kvaerno5::TABLEAU, 0.0);
}

/// The same field in two parts.
fn coupled_split() -> impl VectorField<Pair> {
    let stiff = field(|t: f64, y: &Pair, d: &mut Pair| {
        d[0] = -2.0 * t * y[0] * y[0];
        d[1] = t.cos() * y[1] + (3.0 * t).sin() * y[0];
    });
    let rest = field(|t: f64, y: &Pair, d: &mut Pair| {
        d[0] = (y[1] - t.sin().exp()) * y[0];
        d[1] = -(3.0 * t).sin() / (1.0 + t * t);
    });
    Split::new(stiff, rest)
}

/// Orders of the ends of fixed steps, and of the values inside them.
fn orders<V: VectorField<Pair>, I: Integrator<Pair>>(
    field: fn() -> V,
    make: fn() -> I,
    steps: [usize; 3],
) -> (f64, f64) {
    let errors = steps.map(|n| {
        let h = 2.0 / n as f64;
        let mut flow = Flow::new(field(), make()).tol(1e-13).fixed_step(h).dense();
        let sol = flow.solve(0.0, 2.0, coupled_exact(0.0)).unwrap();
        let inside = (0..n).map(|i| (i as f64 + 0.5) * h);
        let inside = inside.map(|t| distance(&sol.at(t).unwrap(), &coupled_exact(t))).fold(0.0, f64::max);
        (h, distance(sol.y_end(), &coupled_exact(2.0)), inside)
    });
    (slope(&errors.map(|e| (e.0, e.1))), slope(&errors.map(|e| (e.0, e.2))))
}

#[test]
fn fixed_steps_and_values_inside_them_converge_with_their_order() {
    macro_rules! each {
        ($($field:ident $method:ident $order:literal $inside:literal $steps:expr),* $(,)?) => { $(
            let (p, q) = orders($field, $method::new, $steps);
            let name = concat!(stringify!($method), " on ", stringify!($field));
            assert!((p - $order).abs() < 0.3, "{name}: order {p}");
            assert!(q > $inside - 0.35, "{name}: order {q} inside");
        )* };
    }
    each!(
        coupled ImplicitEuler 1.0 1.0 [100, 200, 400],
        coupled ImplicitMidpoint 2.0 2.0 [50, 100, 200],
        coupled CrankNicolson 2.0 2.0 [50, 100, 200],
        coupled TrBdf2 2.0 2.0 [50, 100, 200],
        coupled KenCarp3 3.0 3.0 [40, 80, 160],
        coupled KenCarp4 4.0 4.0 [20, 40, 80],
        coupled KenCarp5 5.0 4.0 [16, 32, 64],
        coupled Kvaerno5 5.0 4.0 [16, 32, 64],
        coupled_split KenCarp3 3.0 3.0 [40, 80, 160],
        coupled_split KenCarp4 4.0 3.5 [40, 80, 160],
        coupled_split KenCarp5 5.0 3.5 [40, 80, 160],
        coupled_split Kvaerno5 5.0 4.0 [16, 32, 64],
    );
}

fn solve<I: Integrator<Vector>>(method: I, p: &Problem, rtol: f64) -> Solution<Vector> {
    let atol: Vec<f64> = p.atol.iter().cycle().take(p.start.len()).map(|a| a * rtol).collect();
    let field: Boxed = (p.field)();
    let mut flow = Flow::new(field, method).rtol(rtol).atol(Array1::from(atol)).save_last();
    flow.solve(0.0, p.end, Array1::from(p.start.clone())).unwrap()
}

/// Error, and accepted and rejected steps, evaluations, Jacobians, factorised matrices, Newton iterations.
fn measure<I: Integrator<Vector>>(make: fn() -> I, p: &Problem, rtol: f64) -> (f64, [u64; 6]) {
    let sol = solve(make(), p, rtol);
    if p.name.starts_with("Robertson") {
        assert!((sol.y_end().sum() - 1.0).abs() < 1e-13, "{}", sol.y_end().sum());
    }
    let s = sol.stats;
    let work = [s.accepted, s.rejected, s.evals, s.jacobians, s.factorisations, s.iterations];
    (p.error(sol.y_end()), work)
}

#[test]
fn errors_on_stiff_problems_follow_the_tolerance() {
    let tols = [1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9];
    let mut failed = String::new();
    macro_rules! each {
        ($($method:ident $least:literal),*) => { $( for p in [stiff::hires(), stiff::robertson(), stiff::van_der_pol()] {
            let tols = &tols[..if $method::<Vector>::new().order() == Some(2) { 4 } else { 6 }];
            let points: Vec<(f64, f64)> = tols.iter().map(|&tol| (tol, measure($method::new, &p, tol).0)).collect();
            let s = slope(&points);
            if !($least..1.3).contains(&s) {
                failed += &format!("{} on {}: slope {s}, {points:?}\n", stringify!($method), p.name);
            }
        } )* };
    }
    each!(TrBdf2 0.6, KenCarp3 0.7, KenCarp4 0.7, KenCarp5 0.7, Kvaerno5 0.5);
    assert!(failed.is_empty(), "{failed}");
}

#[test]
fn reference_problems_are_solved_with_pinned_work() {
    let (mut failed, mut pinned) = (String::new(), PINNED.iter());
    macro_rules! each {
        ($($method:ident)*) => { $( for p in [stiff::hires(), stiff::robertson(), stiff::robertson_long(), stiff::van_der_pol(), stiff::pollu()] {
            let (error, work) = measure($method::new, &p, 1e-6);
            if error > 1e-3 || pinned.next() != Some(&work) {
                failed += &format!("    {work:?}, // {} on {}: {error:.1e}\n", stringify!($method), p.name);
            }
        } )* };
    }
    each!(TrBdf2 KenCarp3 KenCarp4 KenCarp5 Kvaerno5);
    assert!(failed.is_empty(), "work has changed:\n{failed}");
}

const PINNED: &[[u64; 6]] = &[
    [618, 3, 2376, 36, 621, 2050],      // TrBdf2 on HIRES
    [598, 1, 2218, 26, 599, 2112],      // TrBdf2 on Robertson
    [1547, 1, 5134, 45, 1548, 4952],    // TrBdf2 on Robertson to 1e11
    [3175, 3, 10560, 120, 3178, 10198], // TrBdf2 on van der Pol
    [206, 0, 833, 10, 43, 621],         // TrBdf2 on POLLU
    [325, 14, 2400, 39, 339, 2047],     // KenCarp3 on HIRES
    [327, 1, 2089, 23, 328, 1995],      // KenCarp3 on Robertson
    [834, 1, 4519, 34, 835, 4381],      // KenCarp3 on Robertson to 1e11
    [1653, 48, 8700, 101, 1701, 8395],  // KenCarp3 on van der Pol
    [112, 0, 850, 9, 38, 659],          // KenCarp3 on POLLU
    [127, 10, 2148, 35, 133, 1831],     // KenCarp4 on HIRES
    [91, 0, 1349, 17, 91, 1279],        // KenCarp4 on Robertson
    [184, 0, 2825, 31, 184, 2699],      // KenCarp4 on Robertson to 1e11
    [412, 91, 7560, 85, 490, 7303],     // KenCarp4 on van der Pol
    [44, 0, 732, 10, 31, 520],          // KenCarp4 on POLLU
    [87, 6, 2142, 35, 90, 1825],        // KenCarp5 on HIRES
    [64, 0, 1356, 18, 64, 1282],        // KenCarp5 on Robertson
    [140, 0, 3063, 30, 140, 2941],      // KenCarp5 on Robertson to 1e11
    [308, 66, 7671, 99, 343, 7372],     // KenCarp5 on van der Pol
    [30, 0, 697, 10, 26, 485],          // KenCarp5 on POLLU
    [137, 13, 2537, 36, 139, 2211],     // Kvaerno5 on HIRES
    [81, 0, 1435, 19, 81, 1357],        // Kvaerno5 on Robertson
    [184, 0, 3138, 32, 184, 3008],      // Kvaerno5 on Robertson to 1e11
    [485, 95, 8816, 103, 534, 8505],    // Kvaerno5 on van der Pol
    [46, 0, 841, 13, 32, 566],          // Kvaerno5 on POLLU
];

/// Heat and a mild reaction on a line, in one piece and in two.
fn heat(n: usize) -> impl VectorField<Vector> {
    field(move |_t, y: &Vector, d: &mut Vector| {
        let scale = ((n + 1) * (n + 1)) as f64;
        for i in 0..n {
            let at = |i: usize| y.get(i).copied().unwrap_or(0.0);
            d[i] = scale * (at(i.wrapping_sub(1)) - 2.0 * y[i] + at(i + 1));
        }
    })
}

#[test]
fn an_additive_pair_solves_with_the_stiff_part_alone() {
    let n = 100;
    let reaction =
        || field(|_t, y: &Vector, d: &mut Vector| d.zip_mut_with(y, |d, &y| *d = 5.0 * y * (1.0 - y)));
    let start = Array1::from_shape_fn(n, |i| (std::f64::consts::PI * (i + 1) as f64 / 101.0).sin());
    let whole = Split::new(heat(n), reaction());
    let mut flow = Flow::new(whole, RadauIIA5::new()).tol(1e-10).save_last();
    let exact = flow.solve(0.0, 0.5, start.clone()).unwrap().y_end().clone();
    macro_rules! each {
        ($($method:ident)*) => { $(
            let split = Split::new(Structured::banded(heat(n), 1, 1), reaction());
            let sol = Flow::new(split, $method::new()).tol(1e-7).save_last().solve(0.0, 0.5, start.clone()).unwrap();
            let error = distance(sol.y_end().as_slice().unwrap(), exact.as_slice().unwrap());
            assert!(error < 1e-5, "{}: {error}", stringify!($method));
            // Three colours a Jacobian: a dense one would take a hundred evaluations.
            assert!(sol.stats.evals < 40 * sol.stats.accepted + 200, "{}: {}", stringify!($method), sol.stats);
        )* };
    }
    each!(KenCarp3 KenCarp4 KenCarp5);
}

#[test]
fn events_are_found_inside_implicit_steps() {
    macro_rules! each {
        ($($method:ident)*) => { $(
            let fast = field(|t: f64, y: &Pair, d: &mut Pair| *d = [-1e5 * (y[0] - t.cos()) - t.sin(), y[0]]);
            let fall = Event::when(|_t, y: &Pair| y[0] - 0.5).terminal();
            let mut flow = Flow::new(fast, $method::new()).tol(1e-7).event(fall);
            let sol = flow.solve(0.0, 3.0, [1.0, 0.0]).unwrap();
            let gap = sol.t_end() - std::f64::consts::FRAC_PI_3;
            // Steps of the fifth-order methods are so long here that the quartic inside them is good to 3e-4.
            assert!(gap.abs() < 1e-3, "{}: {gap}", stringify!($method));
        )* };
    }
    each!(TrBdf2 KenCarp3 KenCarp4 KenCarp5 Kvaerno5 CrankNicolson ImplicitMidpoint RadauIIA5 Bdf Rodas4 Rodas5P Ros3P Auto);
}

#[test]
fn the_midpoint_rule_conserves_quadratic_invariants() {
    let turn = field(|_t, y: &Pair, d: &mut Pair| *d = [y[1], -y[0]]);
    let mut y = [1.0, 0.0];
    Flow::new(turn, ImplicitMidpoint::new()).steps(10_000, 0.1, &mut y).unwrap();
    assert!((y[0].hypot(y[1]) - 1.0).abs() < 1e-6, "{y:?}");
}

#[test]
fn what_newton_cannot_solve_is_named_with_its_time() {
    let decay = field(|_t, y: &[f64; 1], d: &mut [f64; 1]| d[0] = -y[0]);
    let nan = WithJacobian::new(decay, |_t, _y: &[f64; 1], jac: &mut [f64]| jac.fill(f64::NAN));
    let e = Flow::new(nan, KenCarp4::new()).solve(1.0, 2.0, [1.0]).unwrap_err().error;
    assert!(matches!(e, Error::SingularMatrix { method: "KenCarp4", t: 1.0, .. }), "{e}");
    // A field that is another one each time it is asked, and a Jacobian that does not say so.
    let mut sign = 1e30;
    let restless = field(move |_t, _y: &[f64; 1], d: &mut [f64; 1]| {
        sign = -sign;
        d[0] = sign;
    });
    let restless = WithJacobian::new(restless, |_t, _y: &[f64; 1], jac: &mut [f64]| jac.fill(0.0));
    let e = Flow::new(restless, KenCarp4::new()).first_step(1e-3).solve(1.0, 2.0, [1.0]).unwrap_err().error;
    assert!(matches!(e, Error::NewtonFailed { method: "KenCarp4", t: 1.0, .. }), "{e}");
    let pole = field(|_t, y: &[f64; 1], d: &mut [f64; 1]| d[0] = if y[0] > 1.0 { f64::NAN } else { 1.0 });
    let e = Flow::new(pole, Kvaerno5::new()).solve(0.0, 2.0, [0.5]).unwrap_err().error;
    assert!(
        matches!(e, Error::FieldNotFinite { .. } | Error::SingularMatrix { .. } | Error::NewtonFailed { .. }),
        "{e}"
    );
}
