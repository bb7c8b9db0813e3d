//! Stiff problems against reference values, order, proportionality, work counts.

mod common;

use common::{coupled, coupled_exact, distance, slope};
use flowfield::integrate::{Integrator, Rodas4, Rodas5P, Ros3P, Tsit5};
use flowfield::{Error, Flow, Solution, State, VectorField, WithJacobian, field};
use ndarray::{Array1, array};

fn hires() -> impl VectorField<[f64; 8]> + Copy {
    field(|_t, y: &[f64; 8], d: &mut [f64; 8]| {
        let r = 280.0 * y[5] * y[7];
        d[0] = -1.71 * y[0] + 0.43 * y[1] + 8.32 * y[2] + 0.0007;
        d[1] = 1.71 * y[0] - 8.75 * y[1];
        d[2] = -10.03 * y[2] + 0.43 * y[3] + 0.035 * y[4];
        d[3] = 8.32 * y[1] + 1.71 * y[2] - 1.12 * y[3];
        d[4] = -1.745 * y[4] + 0.43 * y[5] + 0.43 * y[6];
        d[5] = -r + 0.69 * y[3] + 1.71 * y[4] - 0.43 * y[5] + 0.69 * y[6];
        d[6] = r - 1.81 * y[6];
        d[7] = -r + 1.81 * y[6];
    })
}

const HIRES_START: [f64; 8] = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0057];
/// IVP Test Set, release 2.4.
const HIRES_END: [f64; 8] = [
    0.7371312573325668e-3, 0.1442485726316185e-3, 0.5888729740967575e-4, 0.1175651343283149e-2,
    0.2386356198831331e-2, 0.6238968252742796e-2, 0.2849998395185769e-2, 0.2850001604814231e-2,
];

fn robertson() -> impl VectorField<[f64; 3]> + Copy {
    field(|_t, y: &[f64; 3], d: &mut [f64; 3]| {
        let (slow, fast, faster) = (0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] * y[1]);
        *d = [fast - slow, slow - fast - faster, faster];
    })
}

/// y(1e5), from runs at 1e-13 of two codes (agreeing to 12 digits).
const ROBERTSON_END: [f64; 3] = [1.7865921142247724e-2, 7.274751468497796e-8, 0.9821340061102344];

fn van_der_pol() -> impl VectorField<[f64; 2]> + Copy {
    field(|_t, y: &[f64; 2], d: &mut [f64; 2]| *d = [y[1], ((1.0 - y[0] * y[0]) * y[1] - y[0]) / 1e-6])
}

/// IVP Test Set: ε = 1e-6, from (2, 0), at t = 2.
const VAN_DER_POL_END: [f64; 2] = [1.706167732170469, -0.8928097010248125];

/// Largest error relative to the component.
fn relative(y: &[f64], exact: &[f64]) -> f64 {
    y.iter().zip(exact).map(|(y, e)| (y / e - 1.0).abs()).fold(0.0, f64::max)
}

/// How to make one method for states of each size.
type Makers<A, B, C> = (fn() -> A, fn() -> B, fn() -> C);

/// Error at the end of three stiff problems at a relative tolerance.
fn errors<A, B, C>(make: Makers<A, B, C>, rtol: f64) -> [f64; 3]
where
    A: Integrator<[f64; 8]>,
    B: Integrator<[f64; 3]>,
    C: Integrator<[f64; 2]>,
{
    let h =
        Flow::new(hires(), make.0()).rtol(rtol).atol(1e-4 * rtol).solve(0.0, 321.8122, HIRES_START).unwrap();
    let atol = [1e-2 * rtol, 1e-8 * rtol, 1e-2 * rtol];
    let r = Flow::new(robertson(), make.1()).rtol(rtol).atol(atol).solve(0.0, 1e5, [1.0, 0.0, 0.0]).unwrap();
    let v = Flow::new(van_der_pol(), make.2()).tol(rtol).solve(0.0, 2.0, [2.0, 0.0]).unwrap();
    let sum: f64 = r.y_end().iter().sum();
    assert!((sum - 1.0).abs() < 1e-10, "Robertson's sum is {sum}");
    [
        relative(h.y_end(), &HIRES_END),
        relative(r.y_end(), &ROBERTSON_END),
        relative(v.y_end(), &VAN_DER_POL_END),
    ]
}

#[test]
fn errors_on_stiff_problems_follow_the_tolerance() {
    let tols = [1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9];
    for (name, all) in [
        ("Rodas5P", tols.map(|tol| errors((Rodas5P::new, Rodas5P::new, Rodas5P::new), tol))),
        ("Rodas4", tols.map(|tol| errors((Rodas4::new, Rodas4::new, Rodas4::new), tol))),
    ] {
        for (i, problem) in ["HIRES", "Robertson", "van der Pol"].iter().enumerate() {
            let points: Vec<(f64, f64)> = tols.iter().zip(&all).map(|(&tol, e)| (tol, e[i])).collect();
            let p = slope(&points);
            assert!((0.6..1.4).contains(&p), "{name} on {problem}: slope {p}, {points:?}");
        }
    }
    let loose = errors((Ros3P::new, Ros3P::new, Ros3P::new), 1e-4);
    let tight = errors((Ros3P::new, Ros3P::new, Ros3P::new), 1e-6);
    assert!((0..3).all(|i| tight[i] < 0.1 * loose[i] && tight[i] < 1e-3), "{loose:?} {tight:?}");
}

#[test]
fn fixed_steps_converge_with_their_order() {
    fn order<I: Integrator<[f64; 2]>>(make: fn() -> I) -> f64 {
        let error = |n: usize| {
            let h = 2.0 / n as f64;
            let sol = Flow::new(coupled(), make()).fixed_step(h).solve(0.0, 2.0, coupled_exact(0.0)).unwrap();
            (h, distance(sol.y_end(), &coupled_exact(2.0)))
        };
        slope(&[40, 80, 160].map(error))
    }
    for (name, p, want) in [
        ("Ros3P", order(Ros3P::new), 3.0),
        ("Rodas4", order(Rodas4::new), 4.0),
        ("Rodas5P", order(Rodas5P::new), 5.0),
    ] {
        assert!(p > want - 0.35, "{name}: order {p}");
    }
}

#[test]
fn values_inside_stiff_steps_are_as_good_as_their_ends() {
    let sol = |m: &str| {
        let flow = |s: Solution<[f64; 2]>| s;
        match m {
            "Ros3P" => flow(
                Flow::new(coupled(), Ros3P::new())
                    .tol(1e-7)
                    .dense()
                    .solve(0.0, 2.0, coupled_exact(0.0))
                    .unwrap(),
            ),
            "Rodas4" => flow(
                Flow::new(coupled(), Rodas4::new())
                    .tol(1e-7)
                    .dense()
                    .solve(0.0, 2.0, coupled_exact(0.0))
                    .unwrap(),
            ),
            _ => flow(
                Flow::new(coupled(), Rodas5P::new())
                    .tol(1e-7)
                    .dense()
                    .solve(0.0, 2.0, coupled_exact(0.0))
                    .unwrap(),
            ),
        }
    };
    for method in ["Ros3P", "Rodas4", "Rodas5P"] {
        let sol = sol(method);
        let worst =
            (0..200).map(|i| f64::from(i) * 0.01).map(|t| distance(&sol.at(t).unwrap(), &coupled_exact(t)));
        let worst = worst.fold(0.0, f64::max);
        assert!(worst < 1e-5, "{method}: {worst}");
    }
}

#[test]
fn the_users_jacobian_and_differences_agree_and_differences_cost_evaluations() {
    let jac = |_t: f64, y: &[f64; 3], j: &mut [f64]| {
        j.copy_from_slice(&[
            -0.04,
            1e4 * y[2],
            1e4 * y[1],
            0.04,
            -1e4 * y[2] - 6e7 * y[1],
            -1e4 * y[1],
            0.0,
            6e7 * y[1],
            0.0,
        ]);
    };
    let run = |f: &mut dyn FnMut() -> Solution<[f64; 3]>| f();
    let given = run(&mut || {
        Flow::new(WithJacobian::new(robertson(), jac), Rodas5P::new())
            .rtol(1e-8)
            .atol(1e-12)
            .solve(0.0, 1e4, [1.0, 0.0, 0.0])
            .unwrap()
    });
    let found = run(&mut || {
        Flow::new(robertson(), Rodas5P::new())
            .rtol(1e-8)
            .atol(1e-12)
            .solve(0.0, 1e4, [1.0, 0.0, 0.0])
            .unwrap()
    });
    assert!(relative(given.y_end(), found.y_end()) < 1e-6);
    let n = given.stats.accepted.abs_diff(found.stats.accepted);
    assert!(n <= found.stats.accepted / 10);
    assert_eq!(given.stats.jacobians, given.stats.accepted);
    assert!(found.stats.evals > given.stats.evals + 3 * found.stats.jacobians - 50);
}

#[test]
fn work_counts_are_pinned() {
    let sol = Flow::new(robertson(), Rodas5P::new())
        .rtol(1e-6)
        .atol(1e-10)
        .solve(0.0, 1e5, [1.0, 0.0, 0.0])
        .unwrap();
    let s = sol.stats;
    assert_eq!((s.evals, s.accepted, s.rejected, s.jacobians, s.factorisations), PINNED);
}

const PINNED: (u64, u64, u64, u64, u64) = (1313, 107, 4, 107, 111);

#[test]
fn arrays_take_the_same_steps_and_events_work() {
    let f = field(|_t, y: &Array1<f64>, d: &mut Array1<f64>| {
        d[0] = y[1];
        d[1] = 1e3 * (1.0 - y[0] * y[0]) * y[1] - y[0];
    });
    let g = field(|_t, y: &[f64; 2], d: &mut [f64; 2]| *d = [y[1], 1e3 * (1.0 - y[0] * y[0]) * y[1] - y[0]]);
    let a = Flow::new(f, Rodas5P::new()).tol(1e-7).solve(0.0, 2000.0, array![2.0, 0.0]).unwrap();
    let event = flowfield::Event::when(|_t, y: &[f64; 2]| y[0]).falling().terminal();
    let b = Flow::new(g, Rodas5P::new()).tol(1e-7).solve(0.0, 2000.0, [2.0, 0.0]).unwrap();
    assert_eq!(a.stats, b.stats);
    assert_eq!(State::as_slice(a.y_end()), b.y_end());
    // The jump from the upper to the lower branch: t ≈ (3/2 - ln 2) μ + 2.338 μ^(-1/3) (asymptotics).
    let jump =
        Flow::new(g, Rodas5P::new()).tol(1e-7).event(event).solve(0.0, 2000.0, [2.0, 0.0]).unwrap().t_end();
    assert!((jump - 807.0).abs() < 1.0, "{jump}");
}

#[test]
fn an_explicit_method_on_a_stiff_problem_says_what_to_do() {
    let run = |steps| {
        let mut flow = Flow::new(robertson(), Tsit5::new()).max_steps(steps);
        flow.solve(0.0, 1e5, [1.0, 0.0, 0.0]).unwrap_err().error
    };
    for e in (2000..2020).map(run) {
        assert!(matches!(e, Error::Stiff { method: "Tsit5", fastest, .. } if fastest > 2.0), "{e}");
        assert!(e.to_string().contains("implicit method"));
    }
}

#[test]
fn a_jacobian_that_is_nan_is_refused_with_the_time() {
    let nan = |_t: f64, _y: &[f64; 3], j: &mut [f64]| j.fill(f64::NAN);
    let e = Flow::new(WithJacobian::new(robertson(), nan), Rodas4::new()).solve(0.0, 1.0, [1.0, 0.0, 0.0]);
    assert!(matches!(e.unwrap_err().error, Error::SingularMatrix { method: "Rodas4", t: 0.0, .. }));
}

#[test]
fn single_precision_works() {
    let f = field(|_t, y: &[f32; 2], d: &mut [f32; 2]| *d = [-1000.0 * (y[0] - y[1].cos()), 1.0]);
    let sol = Flow::new(f, Rodas4::new()).tol(1e-4).solve(0.0, 1.0, [0.0, 0.0]).unwrap();
    assert!((sol.y_end()[0] - 1f32.cos()).abs() < 2e-3);
}
