//! What goes wrong in implicit methods is named, with the time and the step, and nothing panics.

use std::fmt::Debug;

use flowfield::integrate::*;
use flowfield::{
    Error, Failure, Flow, Pattern, State, Structured, VectorField, WithJacobian, WithMass, field,
};
use ndarray::{Array1, Array2};

type Y = Array1<f64>;

/// The failure of every method that chooses its steps on the same problem.
fn failures<V: VectorField<Y>>(
    make: impl Fn() -> V,
    start: &[f64],
    t1: f64,
) -> Vec<(&'static str, Failure<Y>)> {
    fn failure<V: VectorField<Y>, I: Integrator<Y>>(
        field: V,
        method: I,
        start: &[f64],
        t1: f64,
    ) -> Failure<Y> {
        let mut flow = Flow::new(field, method).rtol(1e-6).atol(1e-10).max_steps(20_000);
        *flow.solve(0.5, t1, Array1::from(start.to_vec())).map(|s| s.stats).expect_err("a failure")
    }
    vec![
        ("Bdf", failure(make(), Bdf::new(), start, t1)),
        ("RadauIIA5", failure(make(), RadauIIA5::new(), start, t1)),
        ("Rodas5P", failure(make(), Rodas5P::new(), start, t1)),
        ("Rodas4", failure(make(), Rodas4::new(), start, t1)),
    ]
}

/// The state, the time and the step are those of the last good state.
fn complete(name: &str, f: &Failure<Y>) {
    assert!(f.t.is_finite() && f.h.is_finite() && f.y.iter().all(|y| y.is_finite()), "{name}: {f:?}");
    assert!(f.to_string().len() > 40 && f.error.to_string().len() > 40, "{name}: {f}");
}

fn robertson(_t: f64, y: &Y, d: &mut Y) {
    let (slow, fast, faster) = (0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] * y[1]);
    d[0] = fast - slow;
    d[1] = slow - fast - faster;
    d[2] = faster;
}

fn robertson_jacobian(y: &Y, jac: &mut [f64]) {
    let (a, b, c) = (1e4 * y[2], 1e4 * y[1], 6e7 * y[1]);
    jac.copy_from_slice(&[-0.04, a, b, 0.04, -a - c, -b, 0.0, c, 0.0]);
}

#[test]
fn a_wrong_jacobian_is_named_by_its_worst_entry() {
    // Entries that matter, of the wrong sign; with others wrong the iteration gets by.
    for (row, column) in [(0, 1), (1, 1)] {
        let make = || {
            WithJacobian::new(field(robertson), move |_t: f64, y: &Y, jac: &mut [f64]| {
                robertson_jacobian(y, jac);
                jac[3 * row + column] *= -1.0;
            })
        };
        for (name, f) in failures(make, &[1.0, 0.0, 0.0], 1e5) {
            complete(name, &f);
            let named = match f.error {
                Error::WrongJacobian { row: r, column: c, given, found, .. } => {
                    (r, c) == (row, column) && (given / found + 1.0).abs() < 1e-3
                }
                _ => false,
            };
            assert!(named, "{name}, entry ({row}, {column}): {}", f.error);
        }
    }
}

/// A chain of 300 reactions; a Jacobian in which one is forgotten, or has no place.
#[test]
fn a_missing_entry_of_a_large_jacobian_is_found() {
    const N: usize = 300;
    let chain = |_t: f64, y: &Y, d: &mut Y| {
        for i in 0..N {
            let left = if i == 0 { 1.0 } else { y[i - 1] };
            let right = if i + 1 == N { 0.0 } else { y[i + 1] };
            d[i] = 1e4 * (left * left - 2.0 * y[i] * y[i] + right * right);
        }
    };
    let entries = |y: &Y, set: &mut dyn FnMut(usize, usize, f64)| {
        for i in 0..N {
            set(i, i, -4e4 * y[i]);
            if i > 0 {
                set(i, i - 1, 2e4 * y[i - 1]);
            }
            if i + 1 < N {
                set(i, i + 1, 2e4 * y[i + 1]);
            }
        }
    };
    let start: Vec<f64> = (0..N).map(|i| 1.0 - i as f64 / N as f64).collect();
    let (row, column) = (123, 123);
    let banded = || {
        WithJacobian::banded(field(chain), 1, 1, move |_t: f64, y: &Y, jac: &mut [f64]| {
            entries(y, &mut |i, j, v| jac[3 * i + j + 1 - i] = if (i, j) == (row, column) { 0.0 } else { v });
        })
    };
    let mut places = Vec::new();
    entries(&Array1::zeros(N), &mut |i, j, _| places.extend(((i, j) != (row, column)).then_some((i, j))));
    let sparse = || {
        let pattern = Pattern::new(N, &places).unwrap();
        WithJacobian::sparse(field(chain), pattern, move |_t: f64, y: &Y, jac: &mut [f64]| {
            let mut values = jac.iter_mut();
            entries(y, &mut |i, j, v| {
                if (i, j) != (row, column) {
                    *values.next().unwrap() = v;
                }
            });
        })
    };
    for (name, f) in failures(banded, &start, 1.5).into_iter().chain(failures(sparse, &start, 1.5)) {
        complete(name, &f);
        let named =
            matches!(f.error, Error::WrongJacobian { row: r, column: c, .. } if (r, c) == (row, column));
        assert!(named, "{name}: {}", f.error);
    }
}

#[test]
fn a_right_jacobian_is_never_blamed() {
    // A wall at y = 1 that no difference sees the same way twice, and a solution that ends in it.
    let wall = |_t: f64, y: &Y, d: &mut Y| {
        d[0] = 1.0 + (y[1] - y[0]) * 1e3;
        d[1] = (1.0 - y[1]).powf(-8.0);
    };
    let make = || {
        WithJacobian::new(field(wall), |_t: f64, y: &Y, jac: &mut [f64]| {
            jac.copy_from_slice(&[-1e3, 1e3, 0.0, 8.0 * (1.0 - y[1]).powf(-9.0)]);
        })
    };
    for (name, f) in failures(make, &[0.0, 0.5], 1e3) {
        complete(name, &f);
        assert!(!matches!(f.error, Error::WrongJacobian { .. }), "{name}: {}", f.error);
    }
}

#[test]
fn a_singular_matrix_is_named_dense_banded_and_sparse() {
    let decay = || field(|_t, y: &Y, d: &mut Y| d.assign(&(-y)));
    let nan = |_t: f64, _y: &Y, jac: &mut [f64]| jac.fill(f64::NAN);
    fn named<V: VectorField<Y>>(what: &str, make: impl Fn() -> V) {
        for (name, f) in failures(make, &[1.0, 2.0, 3.0], 1.0) {
            complete(name, &f);
            let e = &f.error;
            assert!(
                matches!(e, Error::SingularMatrix { method, t: 0.5, h } if *method == name && *h > 0.0),
                "{name}, {what}: {e}"
            );
        }
    }
    named("dense", || WithJacobian::new(decay(), nan));
    named("banded", || WithJacobian::banded(decay(), 1, 1, nan));
    let pattern = || Pattern::new(3, &[(0, 0), (1, 1), (2, 2), (0, 1)]).unwrap();
    named("sparse", || WithJacobian::sparse(decay(), pattern(), nan));
}

/// 0 = y₀ − cos t decides nothing about y₁: index 2, however the matrix is stored.
#[test]
fn algebraic_equations_that_decide_nothing_are_refused() {
    let f = |t: f64, y: &Y, d: &mut Y| {
        d[0] = y[1];
        d[1] = y[0] - t.cos();
    };
    fn refused<V: VectorField<Y>>(what: &str, make: impl Fn() -> V) {
        for (name, f) in failures(make, &[0.5f64.cos(), 7.0], 1.0) {
            let e = &f.error;
            let good =
                matches!(e, Error::SingularMatrix { t: 0.5, .. } | Error::InconsistentStart { t: 0.5, .. });
            assert!(good, "{name}, {what}: {e}");
        }
    }
    refused("dense", || WithMass::new(field(f), vec![1.0, 0.0]));
    refused("sparse", || WithMass::new(Structured::detected(field(f)), vec![1.0, 0.0]));
    refused("banded", || WithMass::new(Structured::banded(field(f), 1, 1), vec![1.0, 0.0]));
}

#[test]
fn an_inconsistent_start_is_refused_at_its_time() {
    let f = |_t: f64, y: &Y, d: &mut Y| {
        d[0] = -y[0];
        d[1] = y[0] + y[1] - 1.0;
    };
    for (name, f) in failures(|| WithMass::new(field(f), vec![1.0, 0.0]), &[1.0, 0.25], 1.0) {
        let e = &f.error;
        let good = matches!(e, Error::InconsistentStart { t: 0.5, component: 1, correction }
            if (correction + 0.25).abs() < 1e-6);
        assert!(good, "{name}: {e}");
    }
}

#[test]
fn newtons_iteration_that_never_converges_is_named() {
    fn restless(sign: &mut f64, d: &mut Y) {
        *sign = -*sign;
        d[0] = *sign;
    }
    for (name, make) in [
        (
            "Bdf",
            (|f| Flow::new(f, Bdf::new()).first_step(1e-3).solve(0.5, 2.0, Array1::zeros(1)).err()) as Run,
        ),
        ("RadauIIA5", |f| {
            Flow::new(f, RadauIIA5::new()).first_step(1e-3).solve(0.5, 2.0, Array1::zeros(1)).err()
        }),
    ] {
        // A field that is another one each time it is asked.
        let mut sign = 1e30;
        let f = make(Box::new(field(move |_t, _y: &Y, d: &mut Y| restless(&mut sign, d)))).unwrap();
        complete(name, &f);
        let e = &f.error;
        let named = matches!(e, Error::NewtonFailed { method, t: 0.5, h, tries }
            if *method == name && *h < 1e-3 && *tries > 3);
        assert!(named, "{name}: {e}");
    }
}

type Run = fn(Box<dyn VectorField<Y>>) -> Option<Box<Failure<Y>>>;

#[test]
fn a_mass_matrix_of_another_size_is_refused() {
    fn refused<S: State<Elem = f64> + Debug, V: VectorField<S>>(make: impl Fn() -> V, start: S) {
        let e = [
            Flow::new(make(), Bdf::new()).solve(0.0, 1.0, start.clone()).unwrap_err().error,
            Flow::new(make(), RadauIIA5::new()).solve(0.0, 1.0, start.clone()).unwrap_err().error,
            Flow::new(make(), Rodas5P::new()).solve(0.0, 1.0, start.clone()).unwrap_err().error,
            Flow::new(make(), Auto::new()).solve(0.0, 1.0, start.clone()).unwrap_err().error,
        ];
        for e in e {
            assert!(matches!(e, Error::Shape { what: "the mass matrix", .. }), "{e}");
        }
    }
    let decay = || field(|_t, y: &Y, d: &mut Y| d.assign(&(-y)));
    refused(|| WithMass::new(decay(), vec![1.0; 2]), Array1::ones(3));
    refused(|| WithMass::new(decay(), vec![1.0; 4]), Array1::ones(3));
    refused(|| WithMass::new(decay(), Array2::<f64>::eye(2)), Array1::ones(3));
    refused(|| WithMass::new(decay(), Array2::<f64>::zeros((3, 2))), Array1::ones(3));
    let array = || field(|_t, y: &[f64; 2], d: &mut [f64; 2]| *d = y.map(|y| -y));
    refused(|| WithMass::new(array(), [1.0; 3]), [1.0, 1.0]);
}
