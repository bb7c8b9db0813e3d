//! Systems with algebraic equations, `M dy/dt = f(t, y)` with a singular `M`.

use flowfield::integrate::*;
use flowfield::{Error, Event, Flow, Structured, VectorField, WithMass, consistent_start, field};
use ndarray::{Array1, Array2};

type Vector = Array1<f64>;

/// A two-transistor amplifier (IVP Test Set, release 2.4): eight voltages, five capacitors, index 1.
fn amplifier() -> impl VectorField<Vector> + 'static {
    let f = field(|t: f64, y: &Vector, d: &mut Vector| {
        let input = 0.1 * (200.0 * std::f64::consts::PI * t).sin();
        let diode = |u: f64| 1e-6 * ((u / 0.026).exp() - 1.0);
        let (r0, r, ub, alpha) = (1000.0, 9000.0, 6.0, 0.99);
        let (g1, g2) = (diode(y[1] - y[2]), diode(y[4] - y[5]));
        d[0] = (y[0] - input) / r0;
        d[1] = y[1] / r + (y[1] - ub) / r + (1.0 - alpha) * g1;
        d[2] = y[2] / r - g1;
        d[3] = (y[3] - ub) / r + alpha * g1;
        d[4] = y[4] / r + (y[4] - ub) / r + (1.0 - alpha) * g2;
        d[5] = y[5] / r - g2;
        d[6] = (y[6] - ub) / r + alpha * g2;
        d[7] = y[7] / r;
        d.mapv_inplace(|v| -v);
    });
    let mut m = Array2::zeros((8, 8));
    for (i, c) in [(0, 1e-6), (3, 3e-6), (6, 5e-6)] {
        (m[[i, i]], m[[i, i + 1]], m[[i + 1, i]], m[[i + 1, i + 1]]) = (c, -c, -c, c);
    }
    (m[[2, 2]], m[[5, 5]]) = (2e-6, 4e-6);
    WithMass::new(f, m)
}

fn amplifier_start() -> Vector {
    Array1::from(vec![0.0, 3.0, 3.0, 6.0, 3.0, 3.0, 6.0, 0.0])
}

/// At t = 0.2; IVP Test Set.
const AMPLIFIER_END: [f64; 8] = [
    -0.5562145012262709e-2, 0.3006522471903042e1, 0.2849958788608128e1, 0.2926422536206241e1,
    0.2704617865010554e1, 0.2761837778393145e1, 0.4770927631616772e1, 0.1236995868091548e1,
];

fn reaction() -> impl VectorField<[f64; 3]> + Copy {
    // Robertson's, with the conservation of mass in place of the third equation.
    field(|_t, y: &[f64; 3], d: &mut [f64; 3]| {
        let (slow, fast, faster) = (0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] * y[1]);
        *d = [fast - slow, slow - fast - faster, y[0] + y[1] + y[2] - 1.0];
    })
}

fn distance(y: &[f64], exact: &[f64]) -> f64 {
    y.iter().zip(exact).map(|(a, b)| (a - b).abs() / (1.0 + b.abs())).fold(0.0, f64::max)
}

fn amplify<I: Integrator<Vector>>(method: I, tol: f64) -> f64 {
    let sol = Flow::new(amplifier(), method).tol(tol).save_last().solve(0.0, 0.2, amplifier_start()).unwrap();
    distance(sol.y_end().as_slice().unwrap(), &AMPLIFIER_END)
}

#[test]
fn the_amplifier_comes_out_as_published_and_closer_with_the_tolerance() {
    for (name, loose, tight) in [
        ("Rodas5P", amplify(Rodas5P::new(), 1e-5), amplify(Rodas5P::new(), 1e-8)),
        ("RadauIIA5", amplify(RadauIIA5::new(), 1e-5), amplify(RadauIIA5::new(), 1e-8)),
        ("Bdf", amplify(Bdf::new(), 1e-5), amplify(Bdf::new(), 1e-8)),
    ] {
        assert!(loose < 2e-2 && tight < 2e-5 && tight < 0.05 * loose, "{name}: {loose}, {tight}");
    }
}

#[test]
fn an_algebraic_equation_may_stand_for_a_differential_one() {
    let ode = |_: ()| {
        let f = field(|_t, y: &[f64; 3], d: &mut [f64; 3]| {
            let (slow, fast, faster) = (0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] * y[1]);
            *d = [fast - slow, slow - fast - faster, faster];
        });
        Flow::new(f, RadauIIA5::new()).rtol(1e-9).atol(1e-13).solve(0.0, 1e4, [1.0, 0.0, 0.0]).unwrap()
    };
    fn dae<I: Integrator<[f64; 3]>>(method: I) -> [f64; 3] {
        let f = WithMass::new(reaction(), [1.0, 1.0, 0.0]);
        *Flow::new(f, method).rtol(1e-7).atol(1e-11).solve(0.0, 1e4, [1.0, 0.0, 0.0]).unwrap().y_end()
    }
    let exact = *ode(()).y_end();
    for (name, y) in [
        ("Rodas5P", dae(Rodas5P::new())),
        ("Radau", dae(RadauIIA5::new())),
        ("Bdf", dae(Bdf::new())),
        ("Auto", dae(Auto::new())),
    ] {
        assert!(distance(&y, &exact) < 1e-5, "{name}: {y:?}, {exact:?}");
        assert!((y.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{name}: {y:?}");
    }
}

#[test]
fn an_inconsistent_start_is_refused_and_can_be_repaired() {
    let mut f = WithMass::new(reaction(), [1.0, 1.0, 0.0]);
    let e = Flow::new(f.clone(), RadauIIA5::new()).solve(0.0, 1.0, [1.0, 0.0, 0.5]).unwrap_err().error;
    assert!(matches!(e, Error::InconsistentStart { t: 0.0, component: 2, .. }), "{e}");
    assert!(e.to_string().contains("consistent_start"));
    let y = consistent_start(&mut f, 0.0, &[0.9, 0.0, 0.5]).unwrap();
    assert!(distance(&y, &[0.9, 0.0, 0.1]) < 1e-9, "{y:?}");
    assert!(Flow::new(f, RadauIIA5::new()).solve(0.0, 1.0, y).is_ok());
    // A slope that is not small moves a variable that is zero in every correction.
    let falling = field(|_t, y: &[f64; 2], d: &mut [f64; 2]| *d = [-9.81, y[1] * y[1] - 2.0]);
    let y = consistent_start(&mut WithMass::new(falling, [1.0, 0.0]), 0.0, &[0.0, 1.0]).unwrap();
    assert!(y[0].abs() < 1e-9 && (y[1] - 2f64.sqrt()).abs() < 1e-12, "{y:?}");
}

#[test]
fn what_cannot_be_solved_is_refused() {
    // An explicit method would solve dy/dt = f.
    let f = || WithMass::new(reaction(), [1.0, 1.0, 0.0]);
    let e = Flow::new(f(), Tsit5::new()).solve(0.0, 1.0, [1.0, 0.0, 0.0]).unwrap_err().error;
    assert!(matches!(e, Error::Unsupported { what: "a mass matrix", .. }), "{e}");
    let wrong = WithMass::new(reaction(), vec![1.0, 0.0]);
    let e = Flow::new(wrong, Bdf::new()).solve(0.0, 1.0, [1.0, 0.0, 0.0]).unwrap_err().error;
    assert!(matches!(e, Error::Shape { what: "the mass matrix", .. }), "{e}");
    // A pendulum with its rod as a constraint on positions has index 3: the matrix is singular.
    let pendulum = field(|_t, y: &[f64; 5], d: &mut [f64; 5]| {
        *d = [y[2], y[3], -y[4] * y[0], -y[4] * y[1] - 1.0, y[0] * y[0] + y[1] * y[1] - 1.0];
    });
    let dae = WithMass::new(pendulum, [1.0, 1.0, 1.0, 1.0, 0.0]);
    let e = Flow::new(dae, RadauIIA5::new()).solve(0.0, 1.0, [1.0, 0.0, 0.0, 0.0, 0.0]);
    assert!(e.is_err());
}

#[test]
fn events_are_found_on_algebraic_variables() {
    let event = || Event::when(|_t, y: &[f64; 3]| y[2] - 0.01).rising().terminal();
    let f = WithMass::new(reaction(), [1.0, 1.0, 0.0]);
    let mut flow = Flow::new(f, Bdf::new()).rtol(1e-8).atol(1e-12).event(event());
    let root = flow.solve(0.0, 40.0, [1.0, 0.0, 0.0]).unwrap().t_end();
    let f = field(|_t, y: &[f64; 3], d: &mut [f64; 3]| {
        let (slow, fast, faster) = (0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] * y[1]);
        *d = [fast - slow, slow - fast - faster, faster];
    });
    let mut flow = Flow::new(f, Rodas5P::new()).rtol(1e-10).atol(1e-14).event(event());
    let exact = flow.solve(0.0, 40.0, [1.0, 0.0, 0.0]).unwrap().t_end();
    assert!((root - exact).abs() < 1e-6, "{root}, {exact}");
    // SUNDIALS' example cvRoberts_dns reports 0.26391 at rtol 1e-4.
    assert!((root - 0.26391).abs() < 2e-4, "{root}");
}

const SECTIONS: usize = 60;

/// A line of resistors with a capacitor after every second, fed by a source: in each section a current, a voltage between
/// the resistors, a current, the capacitor's voltage; before them the source's voltage and current. The node between two
/// resistors and both equations of the source do not contain the variable of their own number: zeros on the diagonal, also
/// of the mass matrix.
fn ladder() -> impl VectorField<Vector> {
    let f = field(|t: f64, y: &Vector, d: &mut Vector| {
        d[0] = y[1] - y[2];
        d[1] = y[0] - source(t);
        for k in 0..SECTIONS {
            let at = 4 * k + 2;
            let before = if k == 0 { y[0] } else { y[at - 1] };
            let after = if k + 1 == SECTIONS { 0.0 } else { y[at + 4] };
            d[at] = before - y[at + 1] - 1e-3 * y[at];
            d[at + 1] = y[at] - y[at + 2];
            d[at + 2] = y[at + 1] - y[at + 3] - 2e-3 * y[at + 2];
            d[at + 3] = y[at + 2] - after;
        }
    });
    let mass = (0..4 * SECTIONS + 2).map(|i| if i > 2 && i % 4 == 1 { 0.5 } else { 0.0 });
    WithMass::new(Structured::detected(f), mass.collect::<Vec<f64>>())
}

fn source(t: f64) -> f64 {
    (3.0 * t).sin().powi(2)
}

/// The capacitors' voltages alone, a chain of differences.
fn ladder_exact() -> Vector {
    let f = field(|t: f64, v: &Vector, d: &mut Vector| {
        for k in 0..SECTIONS {
            let before = if k == 0 { source(t) } else { v[k - 1] };
            let after = if k + 1 == SECTIONS { 0.0 } else { (v[k] - v[k + 1]) / 3e-3 };
            d[k] = ((before - v[k]) / 3e-3 - after) / 0.5;
        }
    });
    let mut flow = Flow::new(Structured::banded(f, 1, 1), RadauIIA5::new()).rtol(1e-10).atol(1e-13);
    flow.solve(0.0, 1.0, Vector::zeros(SECTIONS)).unwrap().y_end().clone()
}

#[test]
fn a_sparse_circuit_with_zeros_on_the_diagonal_is_solved() {
    fn error<I: Integrator<Vector>>(method: I, exact: &Vector) -> f64 {
        let mut flow = Flow::new(ladder(), method).rtol(1e-7).atol(1e-10).save_last();
        let end = flow.solve(0.0, 1.0, Vector::zeros(4 * SECTIONS + 2)).unwrap().y_end().clone();
        let voltages: Vec<f64> = (0..SECTIONS).map(|k| end[4 * k + 5]).collect();
        assert!((end[0] - source(1.0)).abs() < 1e-9);
        distance(&voltages, exact.as_slice().unwrap())
    }
    let exact = ladder_exact();
    for (name, e) in [
        ("Rodas5P", error(Rodas5P::new(), &exact)),
        ("RadauIIA5", error(RadauIIA5::new(), &exact)),
        ("Bdf", error(Bdf::new(), &exact)),
    ] {
        assert!(e < 3e-6, "{name}: {e:e}");
    }
}

/// A mass matrix that is not diagonal, with a sparse Jacobian: the amplifier once more.
#[test]
fn a_full_mass_matrix_goes_with_a_sparse_jacobian() {
    fn run<I: Integrator<Vector>>(method: I, sparse: bool) -> Vector {
        let f = amplifier();
        let mut flow = Flow::new(if sparse { boxed(Structured::detected(f)) } else { boxed(f) }, method);
        flow = flow.tol(1e-7).save_last();
        flow.solve(0.0, 0.2, amplifier_start()).unwrap().y_end().clone()
    }
    fn boxed<V: VectorField<Vector> + 'static>(f: V) -> Box<dyn VectorField<Vector>> {
        Box::new(f)
    }
    for sparse in [false, true] {
        let (a, b) = (run(RadauIIA5::new(), sparse), run(Bdf::new(), sparse));
        let radau = distance(a.as_slice().unwrap(), &AMPLIFIER_END);
        let bdf = distance(b.as_slice().unwrap(), &AMPLIFIER_END);
        assert!(radau < 1e-4 && bdf < 1e-3, "sparse {sparse}: {radau:e} {bdf:e}");
    }
}
