//! The non-stiff DETEST problems A1 to E5 on [0, 20], and two of Hairer, Nørsett and Wanner's.
//!
//! Definitions: Hull, Enright, Fellen, Sedgwick, *Comparing numerical methods for ordinary differential equations*, SIAM J.
//! Numer. Anal. 9 (1972) 603–637.

#![allow(clippy::excessive_precision, reason = "digits as published")]

mod common;

use common::distance;
use flowfield::integrate::*;
use flowfield::{Flow, Solution, VectorField, field};
use ndarray::Array1;

type Y = Array1<f64>;

struct Problem {
    name: &'static str,
    f: fn(f64, &[f64], &mut [f64]),
    y0: Vec<f64>,
    /// The solution at t = 20 where it is known in closed form.
    exact: Option<Vec<f64>>,
}

impl Problem {
    fn field(&self) -> impl VectorField<Y> + use<> {
        let f = self.f;
        field(move |t: f64, y: &Y, dy: &mut Y| f(t, y.as_slice().unwrap(), dy.as_slice_mut().unwrap()))
    }

    fn solve<I: Integrator<Y>>(&self, method: I, tol: f64) -> Solution<Y> {
        let y0 = Array1::from(self.y0.clone());
        Flow::new(self.field(), method).tol(tol).save_last().solve(0.0, 20.0, y0).unwrap()
    }

    /// At t = 20, by two methods of high order that must agree, and by the closed form if there is one.
    fn reference(&self) -> Vec<f64> {
        let by_vern9 = self.solve(Vern9::new(), 1e-14);
        let by_dop853 = self.solve(Dop853::new(), 1e-14);
        let value = by_vern9.y_end().to_vec();
        let check = |what: &str, other: &[f64]| {
            let e = relative(&value, other);
            assert!(e < 3e-11, "{}: Vern9 and {what} differ by {e:e}", self.name);
        };
        check("Dop853", by_dop853.y_end().as_slice().unwrap());
        if let Some(exact) = &self.exact {
            check("the closed form", exact);
        }
        value
    }
}

/// Largest error relative to 1 + |y|.
fn relative(y: &[f64], want: &[f64]) -> f64 {
    y.iter().zip(want).map(|(y, w)| (y - w).abs() / (1.0 + w.abs())).fold(0.0, f64::max)
}

fn tridiagonal(y: &[f64], dy: &mut [f64]) {
    for i in 0..y.len() {
        let left = if i > 0 { y[i - 1] } else { 0.0 };
        dy[i] = left - 2.0 * y[i] + y.get(i + 1).unwrap_or(&0.0);
    }
}

/// C5: five outer planets about the sun; positions by planet, then velocities.
fn planets(_t: f64, y: &[f64], dy: &mut [f64]) {
    const K2: f64 = 2.95912208286;
    const M0: f64 = 1.00000597682;
    const M: [f64; 5] =
        [0.000954786104043, 0.000285583733151, 0.0000437273164546, 0.0000517759138449, 0.00000277777777778];
    let (q, v) = y.split_at(15);
    let (dq, dv) = dy.split_at_mut(15);
    dq.copy_from_slice(v);
    let cube = |a: [f64; 3]| (a[0] * a[0] + a[1] * a[1] + a[2] * a[2]).powf(1.5);
    let at = |j: usize| [q[3 * j], q[3 * j + 1], q[3 * j + 2]];
    for j in 0..5 {
        let own = at(j);
        for i in 0..3 {
            let mut sum = -(M0 + M[j]) * own[i] / cube(own);
            for k in (0..5).filter(|&k| k != j) {
                let other = at(k);
                let apart = std::array::from_fn(|i| other[i] - own[i]);
                sum += M[k] * (apart[i] / cube(apart) - other[i] / cube(other));
            }
            dv[3 * j + i] = K2 * sum;
        }
    }
}

const PLANETS: [f64; 30] = [
    3.42947415189, 3.35386959711, 1.35494901715, 6.64145542550, 5.97156957878, 2.18231499728, 11.2630437207,
    14.6952576794, 6.27960525067, -30.1552268759, 1.65699966404, 1.43785752721, -21.1238353380,
    28.4465098142, 15.3882659679, -0.557160570446, 0.505696783289, 0.230578543901, -0.415570776342,
    0.365682722812, 0.169143213293, -0.325325669158, 0.189706021964, 0.0877265322780, -0.0240476254170,
    -0.287659532608, -0.117219543175, -0.176860753121, -0.216393453025, -0.0148647893090,
];

fn orbit(_t: f64, y: &[f64], dy: &mut [f64]) {
    let r3 = (y[0] * y[0] + y[1] * y[1]).powf(1.5);
    (dy[0], dy[1], dy[2], dy[3]) = (y[2], y[3], -y[0] / r3, -y[1] / r3);
}

fn d(name: &'static str, e: f64) -> Problem {
    let mut u = 20.0_f64;
    (0..200).for_each(|_| u -= (u - e * u.sin() - 20.0) / (1.0 - e * u.cos()));
    let (s, c) = u.sin_cos();
    let (b, r) = ((1.0 - e * e).sqrt(), 1.0 - e * c);
    let exact = vec![c - e, b * s, -s / r, b * c / r];
    Problem {
        name,
        f: orbit,
        y0: vec![1.0 - e, 0.0, 0.0, ((1.0 + e) / (1.0 - e)).sqrt()],
        exact: Some(exact),
    }
}

fn unit(n: usize) -> Vec<f64> {
    (0..n).map(|i| f64::from(u8::from(i == 0))).collect()
}

fn bessel(x: f64) -> [f64; 2] {
    let a = (2.0 / (std::f64::consts::PI * x)).sqrt();
    [a * x.sin(), a * (x.cos() - 0.5 * x.sin() / x)]
}

fn problem(
    name: &'static str,
    y0: &[f64],
    exact: Option<Vec<f64>>,
    f: fn(f64, &[f64], &mut [f64]),
) -> Problem {
    Problem { name, f, y0: y0.to_vec(), exact }
}

fn detest() -> Vec<Problem> {
    let terminal = 0.08_f64.sqrt();
    let fall = 0.4 * terminal * 20.0;
    vec![
        problem("A1", &[1.0], Some(vec![(-20f64).exp()]), |_t, y, dy| dy[0] = -y[0]),
        problem("A2", &[1.0], Some(vec![21f64.sqrt().recip()]), |_t, y, dy| dy[0] = -0.5 * y[0].powi(3)),
        problem("A3", &[1.0], Some(vec![20f64.sin().exp()]), |t, y, dy| dy[0] = y[0] * t.cos()),
        problem("A4", &[1.0], Some(vec![20.0 / (1.0 + 19.0 * (-5f64).exp())]), |_t, y, dy| {
            dy[0] = 0.25 * y[0] * (1.0 - 0.05 * y[0]);
        }),
        problem("A5", &[4.0], None, |t, y, dy| dy[0] = (y[0] - t) / (y[0] + t)),
        problem("B1", &[1.0, 3.0], None, |_t, y, dy| {
            (dy[0], dy[1]) = (2.0 * (y[0] - y[0] * y[1]), -y[1] + y[0] * y[1]);
        }),
        problem("B2", &[2.0, 0.0, 1.0], None, |_t, y, dy| {
            (dy[0], dy[1], dy[2]) = (-y[0] + y[1], y[0] - 2.0 * y[1] + y[2], y[1] - y[2]);
        }),
        problem("B3", &[1.0, 0.0, 0.0], None, |_t, y, dy| {
            (dy[0], dy[1], dy[2]) = (-y[0], y[0] - y[1] * y[1], y[1] * y[1]);
        }),
        problem("B4", &[3.0, 0.0, 0.0], None, |_t, y, dy| {
            let r = y[0].hypot(y[1]);
            (dy[0], dy[1], dy[2]) = (-y[1] - y[0] * y[2] / r, y[0] - y[1] * y[2] / r, y[0] / r);
        }),
        problem("B5", &[0.0, 1.0, 1.0], None, |_t, y, dy| {
            (dy[0], dy[1], dy[2]) = (y[1] * y[2], -y[0] * y[2], -0.51 * y[0] * y[1]);
        }),
        problem("C1", &unit(10), None, |_t, y, dy| {
            dy[0] = -y[0];
            (1..9).for_each(|i| dy[i] = y[i - 1] - y[i]);
            dy[9] = y[8];
        }),
        problem("C2", &unit(10), None, |_t, y, dy| {
            dy[0] = -y[0];
            (1..9).for_each(|i| dy[i] = i as f64 * y[i - 1] - (i + 1) as f64 * y[i]);
            dy[9] = 9.0 * y[8];
        }),
        problem("C3", &unit(10), None, |_t, y, dy| tridiagonal(y, dy)),
        problem("C4", &unit(51), None, |_t, y, dy| tridiagonal(y, dy)),
        problem("C5", &PLANETS, None, planets),
        d("D1", 0.1),
        d("D2", 0.3),
        d("D3", 0.5),
        d("D4", 0.7),
        d("D5", 0.9),
        problem("E1", &bessel(1.0), Some(bessel(21.0).to_vec()), |t, y, dy| {
            let x = t + 1.0;
            (dy[0], dy[1]) = (y[1], -(y[1] / x + (1.0 - 0.25 / (x * x)) * y[0]));
        }),
        problem("E2", &[2.0, 0.0], None, |_t, y, dy| {
            (dy[0], dy[1]) = (y[1], (1.0 - y[0] * y[0]) * y[1] - y[0])
        }),
        problem("E3", &[0.0, 0.0], None, |t, y, dy| {
            (dy[0], dy[1]) = (y[1], y[0].powi(3) / 6.0 - y[0] + 2.0 * (2.78535 * t).sin());
        }),
        problem(
            "E4",
            &[30.0, 0.0],
            Some(vec![30.0 + fall.cosh().ln() / 0.4, terminal * fall.tanh()]),
            |_t, y, dy| {
                (dy[0], dy[1]) = (y[1], 0.032 - 0.4 * y[1] * y[1]);
            },
        ),
        problem("E5", &[0.0, 0.0], None, |t, y, dy| {
            (dy[0], dy[1]) = (y[1], (1.0 + y[1] * y[1]).sqrt() / (25.0 - t))
        }),
    ]
}

/// Errors at t = 20 in units of the tolerance, over all problems and tolerances 1e-4 .. 1e-10: the geometric mean and the
/// largest with its name.
fn marks<I: Integrator<Y>>(make: fn() -> I, references: &[(Problem, Vec<f64>)]) -> (f64, f64, String) {
    let (mut logs, mut worst, mut name) = (Vec::new(), 0.0, String::new());
    for (problem, want) in references {
        for tol in [1e-4, 1e-6, 1e-8, 1e-10] {
            let sol = problem.solve(make(), tol);
            let e = relative(sol.y_end().as_slice().unwrap(), want) / tol;
            logs.push(e.max(1e-6).ln());
            if e > worst {
                (worst, name) = (e, format!("{} at {tol:e}", problem.name));
            }
        }
    }
    ((logs.iter().sum::<f64>() / logs.len() as f64).exp(), worst, name)
}

#[test]
fn achieved_errors_are_a_small_multiple_of_the_tolerance() {
    let references: Vec<_> = detest()
        .into_iter()
        .map(|p| {
            let reference = p.reference();
            (p, reference)
        })
        .collect();
    let check = |name: &str, (mean, worst, at): (f64, f64, String), most: (f64, f64)| {
        assert!(mean < most.0 && worst < most.1, "{name}: mean {mean:.2}, worst {worst:.0} ({at})");
    };
    check("Tsit5", marks(Tsit5::new, &references), (2.5, 1000.0));
    check("Dopri5", marks(Dopri5::new, &references), (3.5, 4500.0));
    check("Dop853", marks(Dop853::new, &references), (0.5, 250.0));
    check("Vern7", marks(Vern7::new, &references), (0.3, 50.0));
    check("Vern9", marks(Vern9::new, &references), (0.15, 50.0));
    check("Adams", marks(Adams::new, &references), (6.0, 2500.0));
}

/// Evaluations, accepted and rejected steps over all problems.
fn work<I: Integrator<Y>>(make: fn() -> I, tol: f64) -> (u64, u64, u64) {
    detest()
        .iter()
        .map(|p| p.solve(make(), tol).stats)
        .fold((0, 0, 0), |sum, s| (sum.0 + s.evals, sum.1 + s.accepted, sum.2 + s.rejected))
}

#[test]
fn work_counts_are_pinned() {
    // A change here is a change of behaviour: say why in the commit.
    assert_eq!(work(Tsit5::new, 1e-6), (11120, 1602, 243), "Tsit5");
    assert_eq!(work(Dop853::new, 1e-9), (20450, 1463, 237), "Dop853");
    assert_eq!(work(Vern7::new, 1e-9), (25149, 2345, 186), "Vern7");
    assert_eq!(work(Adams::new, 1e-9), (12261, 6095, 46), "Adams");
}

/// HNW II.0: a spacecraft between earth and moon, on a closed orbit.
fn arenstorf() -> impl VectorField<[f64; 4]> {
    field(|_t, y: &[f64; 4], dy: &mut [f64; 4]| {
        let mu = 0.012277471;
        let rest = 1.0 - mu;
        let d1 = ((y[0] + mu).powi(2) + y[1] * y[1]).powf(1.5);
        let d2 = ((y[0] - rest).powi(2) + y[1] * y[1]).powf(1.5);
        *dy = [
            y[2],
            y[3],
            y[0] + 2.0 * y[3] - rest * (y[0] + mu) / d1 - mu * (y[0] - rest) / d2,
            y[1] - 2.0 * y[2] - rest * y[1] / d1 - mu * y[1] / d2,
        ];
    })
}

#[test]
fn the_arenstorf_orbit_closes() {
    let y0 = [0.994, 0.0, 0.0, -2.001_585_106_379_082_5];
    let period = 17.065_216_560_157_964;
    fn error<I: Integrator<[f64; 4]>>(method: I, tol: f64, y0: [f64; 4], period: f64) -> f64 {
        let sol = Flow::new(arenstorf(), method).tol(tol).save_last().solve(0.0, period, y0).unwrap();
        distance(&sol.y_end()[..2], &y0[..2])
    }
    assert!(error(Tsit5::new(), 1e-10, y0, period) < 1e-5);
    assert!(error(Dopri5::new(), 1e-10, y0, period) < 1e-4);
    assert!(error(Dop853::new(), 1e-10, y0, period) < 1e-5);
    assert!(error(Vern7::new(), 1e-11, y0, period) < 1e-6);
    assert!(error(Vern9::new(), 1e-12, y0, period) < 1e-6);
    assert!(error(Adams::new(), 1e-12, y0, period) < 1e-4);
}

#[test]
fn the_pleiades_are_where_they_should_be() {
    // HNW II.10: seven stars of masses 1 to 7 in a plane; x, y, x', y'.
    let stars = field(|_t, y: &[f64; 28], dy: &mut [f64; 28]| {
        for i in 0..7 {
            (dy[i], dy[7 + i]) = (y[14 + i], y[21 + i]);
            let (mut ax, mut ay) = (0.0, 0.0);
            for j in (0..7).filter(|&j| j != i) {
                let (dx, dy) = (y[j] - y[i], y[7 + j] - y[7 + i]);
                let pull = (j + 1) as f64 / (dx * dx + dy * dy).powf(1.5);
                (ax, ay) = (ax + pull * dx, ay + pull * dy);
            }
            (dy[14 + i], dy[21 + i]) = (ax, ay);
        }
    });
    let y0 = [
        3.0, 3.0, -1.0, -3.0, 2.0, -2.0, 2.0, 3.0, -3.0, 2.0, 0.0, 0.0, -4.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0,
        1.75, -1.5, 0.0, 0.0, 0.0, -1.25, 1.0, 0.0, 0.0,
    ];
    // Positions at t = 3, from the test set for initial value problem solvers (problem PLEI).
    let want = [
        0.3706139143970502, 3.237284092057233, -3.222559032418324, 0.6597091455775310, 0.3425581707156584,
        1.562172101400631, -0.7003092922212495, -3.943437585517392, -3.271380973972550, 5.225081843456543,
        -2.590612434977470, 1.198213693392275, -0.2429682344935824, 1.091449240428980,
    ];
    let end = |tol: f64| *Flow::new(stars, Dop853::new()).tol(tol).solve(0.0, 3.0, y0).unwrap().y_end();
    assert!(distance(&end(1e-13)[..14], &want) < 1e-9);
    assert!(distance(&end(1e-8)[..14], &want) < 1e-4);
    let nine = *Flow::new(stars, Vern9::new()).tol(1e-13).solve(0.0, 3.0, y0).unwrap().y_end();
    assert!(distance(&nine[..14], &want) < 1e-9);
}
