//! Gradients through flows: the discrete adjoint is the derivative of the steps to round-off, all ways agree with differences
//! and with each other, checkpoints keep what they say, and events are crossed.

mod common;

use flowfield::integrate::explicit::tableau::Method;
use flowfield::integrate::explicit::{ExplicitRk, tableaux};
use flowfield::integrate::*;
use flowfield::nn::{Activation, Mlp, Network};
use flowfield::sensitivity::{
    AdjointStats, Checkpoints, ContinuousAdjoint, DiscreteAdjoint, Fit, ForwardSensitivity, Gradient,
    LeastSquares, NeuralField, Parametric, WithVjp,
};
use flowfield::{Differentiable, Error, Flow, Formula, Number, VectorField};
use ndarray::{Array1, Array2, array};

struct LotkaVolterra;
impl Formula for LotkaVolterra {
    fn eval<T: Number>(&self, t: T, y: &[T], theta: &[T], dy: &mut [T]) {
        dy[0] = theta[0] * y[0] - theta[1] * y[0] * y[1] + T::of(0.1) * t.sin();
        dy[1] = theta[2] * y[0] * y[1] - theta[3] * y[1];
    }
}

const RATES: [f64; 4] = [1.3, 0.9, 0.8, 1.1];
const START: [f64; 2] = [1.0, 0.6];
const TIMES: [f64; 3] = [0.7, 2.0, 3.1];

fn prey(rates: &[f64]) -> Differentiable<LotkaVolterra, f64> {
    Differentiable::new(LotkaVolterra).parameters(rates)
}

/// A loss that looks at every time differently.
fn loss(k: usize, _t: f64, y: &[f64; 2], ybar: &mut [f64; 2]) -> f64 {
    let w = 1.0 + k as f64;
    *ybar = [2.0 * w * y[0], -y[1].sin()];
    w * y[0] * y[0] + y[1].cos()
}

fn total(states: &[[f64; 2]]) -> f64 {
    states.iter().enumerate().map(|(k, y)| loss(k, 0.0, y, &mut [0.0; 2])).sum()
}

/// The derivative of fixed steps of a tableau in one direction of (y0, θ), forward through the stages.
fn tangent<M: Method<N>, const N: usize>(n: usize, dy0: [f64; 2], dtheta: [f64; 4]) -> [f64; 2] {
    let t = &M::TABLEAU;
    let (mut y, mut dy, h) = (START, dy0, 2.0 / n as f64);
    let mut field = prey(&RATES);
    for step in 0..n {
        let (mut k, mut dk) = (vec![[0.0; 2]; N], vec![[0.0; 2]; N]);
        for i in 0..N {
            let at = |base: [f64; 2], k: &[[f64; 2]]| {
                std::array::from_fn(|c| base[c] + h * (0..i).map(|j| t.a[i][j] * k[j][c]).sum::<f64>())
            };
            let (z, dz): ([f64; 2], [f64; 2]) = (at(y, &k), at(dy, &dk));
            let time = step as f64 * h + t.c[i] * h;
            field.eval(time, &z, &mut k[i]);
            field.tangent(time, &z, &dz, &dtheta, &mut dk[i]);
        }
        for c in 0..2 {
            y[c] += h * (0..N).map(|i| t.b[i] * k[i][c]).sum::<f64>();
            dy[c] += h * (0..N).map(|i| t.b[i] * dk[i][c]).sum::<f64>();
        }
    }
    dy
}

fn discrete_is_the_derivative_of_the_map<M: Method<N>, const N: usize>() {
    let n = 16;
    let mut flow = Flow::new(prey(&RATES), ExplicitRk::<M, _, N>::new()).fixed_step(2.0 / n as f64);
    // <c, y(2)> for two cotangents: the rows of the Jacobian of the map.
    for c in 0..2 {
        let row = |_k: usize, _t: f64, y: &[f64; 2], ybar: &mut [f64; 2]| {
            ybar[c] = 1.0;
            y[c]
        };
        let g = DiscreteAdjoint::new().gradient(&mut flow, 0.0, &[2.0], &START, row).unwrap();
        let unit = |i: usize| std::array::from_fn(|j| f64::from(u8::from(i == j)));
        for i in 0..2 {
            let want = tangent::<M, N>(n, unit(i), [0.0; 4])[c];
            assert!(
                (g.y0[i] - want).abs() < 2e-14 * (1.0 + want.abs()),
                "{} {} {want}",
                M::TABLEAU.name,
                g.y0[i]
            );
        }
        for p in 0..4 {
            let dtheta = std::array::from_fn(|j| f64::from(u8::from(p == j)));
            let want = tangent::<M, N>(n, [0.0; 2], dtheta)[c];
            assert!(
                (g.theta[p] - want).abs() < 4e-14 * (1.0 + want.abs()),
                "{} {} {want}",
                M::TABLEAU.name,
                g.theta[p]
            );
        }
    }
}

#[test]
fn the_discrete_adjoint_is_the_gradient_of_the_discrete_map() {
    discrete_is_the_derivative_of_the_map::<tableaux::Euler, 1>();
    discrete_is_the_derivative_of_the_map::<tableaux::Heun, 2>();
    discrete_is_the_derivative_of_the_map::<tableaux::Rk4, 4>();
    discrete_is_the_derivative_of_the_map::<tableaux::Bs3, 4>();
    discrete_is_the_derivative_of_the_map::<tableaux::Tsit5, 7>();
    discrete_is_the_derivative_of_the_map::<tableaux::Dopri5, 7>();
    discrete_is_the_derivative_of_the_map::<tableaux::Vern7, 10>();
    discrete_is_the_derivative_of_the_map::<tableaux::Dop853, 13>();
}

fn solve(rates: &[f64], start: [f64; 2], times: &[f64]) -> Vec<[f64; 2]> {
    let mut flow = Flow::new(prey(rates), Vern9::new()).tol(1e-13).save_at(times);
    flow.solve(0.0, *times.last().unwrap(), start).unwrap().y
}

/// Central differences of fourth order.
fn difference(f: impl Fn(f64) -> f64) -> f64 {
    let h = 1e-3;
    (8.0 * (f(h) - f(-h)) - (f(2.0 * h) - f(-2.0 * h))) / (12.0 * h)
}

/// The gradient by differences: y0, θ, t1.
fn by_differences() -> Vec<f64> {
    let start = |i: usize| {
        difference(|h| {
            let mut y = START;
            y[i] += h;
            total(&solve(&RATES, y, &TIMES))
        })
    };
    let rate = |i: usize| {
        difference(|h| {
            let mut r = RATES;
            r[i] += h;
            total(&solve(&r, START, &TIMES))
        })
    };
    let end = difference(|h| {
        let mut t = TIMES;
        t[2] += h;
        total(&solve(&RATES, START, &t))
    });
    vec![start(0), start(1), rate(0), rate(1), rate(2), rate(3), end]
}

fn flat(g: &Gradient<[f64; 2]>) -> Vec<f64> {
    g.y0.iter().chain(&g.theta).chain([&g.t1]).copied().collect()
}

fn near(name: &str, got: &[f64], want: &[f64], limit: f64) {
    let scale = want.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let worst = common::distance(got, want) / scale;
    println!("{name}: relative difference {worst:.1e}");
    assert!(got.len() == want.len() && worst < limit, "{name}: {worst:e}\n{got:?}\n{want:?}");
}

#[test]
fn all_ways_agree_with_differences_and_with_each_other() {
    let want = by_differences();
    let flow = || Flow::new(prey(&RATES), Tsit5::new()).tol(1e-11);
    let discrete = DiscreteAdjoint::new().gradient(&mut flow(), 0.0, &TIMES, &START, loss).unwrap();
    near("discrete adjoint, Tsit5", &flat(&discrete), &want, 1e-9);
    let continuous = ContinuousAdjoint::new(1e-11, 1e-11);
    let inter = continuous.gradient(&mut flow(), Tsit5::new(), 0.0, &TIMES, &START, loss).unwrap();
    near("interpolating adjoint, Tsit5", &flat(&inter), &want, 1e-8);
    let high = || Flow::new(prey(&RATES), Vern9::new()).tol(1e-12);
    let inter = continuous.gradient(&mut high(), Vern7::new(), 0.0, &TIMES, &START, loss).unwrap();
    near("interpolating adjoint, Vern9 and Vern7", &flat(&inter), &want, 1e-9);
    let back = continuous
        .clone()
        .backsolve()
        .gradient(&mut flow(), Tsit5::new(), 0.0, &TIMES, &START, loss)
        .unwrap();
    near("backsolve adjoint, Tsit5", &flat(&back), &want, 1e-8);
    assert_eq!(back.stats.stored, 1);
    let stiff = || Flow::new(prey(&RATES), Rodas5P::new()).tol(1e-11);
    let inter = continuous.gradient(&mut stiff(), Rodas5P::new(), 0.0, &TIMES, &START, loss).unwrap();
    near("interpolating adjoint, Rodas5P", &flat(&inter), &want, 1e-8);
    let s = ForwardSensitivity::new(1e-12, 1e-12)
        .solve(&mut prey(&RATES), Vern7::new(), 0.0, &TIMES, &START)
        .unwrap();
    let mut forward = vec![0.0; 6];
    for (k, y) in s.y.iter().enumerate() {
        let mut ybar = [0.0; 2];
        loss(k, s.t[k], y, &mut ybar);
        for (c, b) in ybar.iter().enumerate() {
            (0..2).for_each(|j| forward[j] += b * s.y0[k][[c, j]]);
            (0..4).for_each(|j| forward[2 + j] += b * s.theta[k][[c, j]]);
        }
    }
    near("forward sensitivities, Vern7", &forward, &want[..6], 1e-9);
    // Backward in time, and from a later start.
    let back = DiscreteAdjoint::new().gradient(&mut flow(), 3.0, &[1.0], &START, loss).unwrap();
    let other = continuous.gradient(&mut high(), Vern7::new(), 3.0, &[1.0], &START, loss).unwrap();
    near("backward in time", &flat(&back), &flat(&other), 1e-8);
    assert!((back.t0 - other.t0).abs() < 1e-7);
    // At the start itself: the loss' own derivative.
    let here = DiscreteAdjoint::new().gradient(&mut flow(), 0.0, &[0.0], &START, loss).unwrap();
    assert_eq!(here.y0, [2.0 * START[0], -START[1].sin()]);
}

#[test]
fn checkpoints_keep_what_they_say() {
    let n = 60;
    let run = |c: Checkpoints| {
        let mut flow = Flow::new(prey(&RATES), Rk4::new()).fixed_step(3.0 / n as f64);
        DiscreteAdjoint::new().checkpoints(c).gradient(&mut flow, 0.0, &[3.0], &START, loss).unwrap()
    };
    let all = run(Checkpoints::All);
    assert_eq!((all.stats.steps, all.stats.stored, all.stats.repeated), (n, n, 0));
    let work = |stats: AdjointStats| (stats.stored, stats.repeated);
    let every = run(Checkpoints::Every(8));
    // At most ⌈60/8⌉ + 7 states, and here one less: the last block holds four steps. All but each block's first step again.
    assert_eq!(work(every.stats), (7 + 7, 60 - 8));
    let size = std::mem::size_of::<[f64; 2]>();
    for (checkpoints, slots) in [
        (Checkpoints::Binomial(1), 1),
        (Checkpoints::Binomial(3), 3),
        (Checkpoints::Binomial(6), 6),
        (Checkpoints::Bytes(5 * size + 3), 5),
        (Checkpoints::Binomial(60), 60),
    ] {
        let g = run(checkpoints);
        println!(
            "{checkpoints:?}: {} states ({} bytes), {} steps repeated",
            g.stats.stored,
            g.stats.stored as usize * size,
            g.stats.repeated
        );
        assert!(g.stats.stored <= slots);
        near("checkpoints", &flat(&g), &flat(&all), 1e-14);
    }
    // Griewank and Walther: 60 steps, 3 states: r = 6 sweeps at most ((3+6)!/(3! 6!) = 84 >= 60).
    assert_eq!(run(Checkpoints::Binomial(1)).stats.repeated, 60 * 59 / 2);
    assert!(run(Checkpoints::Binomial(3)).stats.repeated < 6 * 60);
    // One sweep places the states, so that nothing needs more than one repetition.
    assert!(run(Checkpoints::Binomial(60)).stats.repeated <= 60);
}

/// A fast variable that follows a signal, and a slow one that remembers its square.
struct Relax;
impl Formula for Relax {
    fn eval<T: Number>(&self, t: T, y: &[T], theta: &[T], dy: &mut [T]) {
        dy[0] = -theta[0] * (y[0] - t.cos());
        dy[1] = y[0] * y[0] - T::of(0.1) * y[1];
    }
}

#[test]
fn backsolve_fails_for_what_is_dissipative_and_the_others_do_not() {
    // What decays like e^(-30 t) forward grows like e^(30 t) backward.
    let exact = difference(|h| {
        let mut flow = Flow::new(Differentiable::new(Relax).parameters(&[30.0 + h]), Vern9::new()).tol(1e-13);
        flow.solve(0.0, 2.0, [0.0; 2]).unwrap().y_end()[1]
    });
    let flow = || Flow::new(Differentiable::new(Relax).parameters(&[30.0]), Tsit5::new()).tol(1e-8);
    let loss = |_k: usize, _t: f64, y: &[f64; 2], ybar: &mut [f64; 2]| {
        ybar[1] = 1.0;
        y[1]
    };
    let continuous = ContinuousAdjoint::new(1e-8, 1e-10);
    let discrete =
        DiscreteAdjoint::new().gradient(&mut flow(), 0.0, &[2.0], &[0.0; 2], loss).unwrap().theta[0];
    let inter =
        continuous.gradient(&mut flow(), Tsit5::new(), 0.0, &[2.0], &[0.0; 2], loss).unwrap().theta[0];
    let back =
        continuous.clone().backsolve().gradient(&mut flow(), Tsit5::new(), 0.0, &[2.0], &[0.0; 2], loss);
    let back = back.map(|g| g.theta[0]);
    println!("exact {exact:.6e}, discrete {discrete:.6e}, interpolating {inter:.6e}, backsolve {back:?}");
    assert!((discrete / exact - 1.0).abs() < 1e-4 && (inter / exact - 1.0).abs() < 1e-4);
    assert!(!matches!(back, Ok(b) if (b / exact - 1.0).abs() < 1e-2));
}

#[test]
fn a_network_as_field_has_its_own_derivatives() {
    for (net, timed) in
        [(Mlp::new(2, &[7, 6], 2), false), (Mlp::velocity(2, &[8]).activation(Activation::Tanh), true)]
    {
        let theta: Array1<f64> = net.init(3);
        let y0 = Array2::from_shape_fn((5, 2), |(i, j)| (1.0 + i as f64 * 0.3 + j as f64).sin());
        let loss = |k: usize, _t: f64, y: &Array2<f64>, ybar: &mut Array2<f64>| {
            ybar.assign(&(y * (1.0 + k as f64)));
            0.5 * (1.0 + k as f64) * (y * y).sum()
        };
        let times = [0.4, 1.0];
        let value = |theta: &Array1<f64>, y0: &Array2<f64>| {
            let mut flow = Flow::new(NeuralField::new(&net, theta), Vern9::new()).tol(1e-13).save_at(&times);
            let y = flow.solve(0.0, 1.0, y0.clone()).unwrap().y;
            (0..2).map(|k| loss(k, 0.0, &y[k], &mut y0.clone())).sum::<f64>()
        };
        let mut flow = Flow::new(NeuralField::new(&net, &theta), Tsit5::new()).tol(1e-11);
        let g = DiscreteAdjoint::new().gradient(&mut flow, 0.0, &times, &y0, loss).unwrap();
        assert!((g.loss - value(&theta, &y0)).abs() < 1e-9);
        let (mut got, mut want) = (Vec::new(), Vec::new());
        for i in (0..theta.len()).step_by(11) {
            got.push(g.theta[i]);
            want.push(difference(|h| {
                let mut p = theta.clone();
                p[i] += h;
                value(&p, &y0)
            }));
        }
        got.push(g.y0[[2, 1]]);
        want.push(difference(|h| {
            let mut y = y0.clone();
            y[[2, 1]] += h;
            value(&theta, &y)
        }));
        near(if timed { "neural field with time" } else { "neural field" }, &got, &want, 1e-8);
        let c = ContinuousAdjoint::new(1e-10, 1e-10)
            .gradient(&mut flow, Tsit5::new(), 0.0, &times, &y0, loss)
            .unwrap();
        near("its continuous adjoint", c.theta.as_slice().unwrap(), g.theta.as_slice().unwrap(), 1e-7);
        // vjp and jvp are transposes of each other.
        let mut field = NeuralField::new(&net, &theta);
        let dtheta: Vec<f64> = (0..theta.len()).map(|i| (i as f64 * 0.7).cos()).collect();
        let (mut out, mut ybar, mut bar) = (y0.clone(), y0.clone(), vec![0.0; theta.len()]);
        let (dy, lambda) = (y0.mapv(f64::cos), y0.mapv(|v| v * v - 0.3));
        field.tangent(0.3, &y0, &dy, &dtheta, &mut out);
        field.vjp(0.3, &y0, &lambda, &mut ybar, &mut bar);
        let left = (&lambda * &out).sum();
        let right = (&ybar * &dy).sum() + bar.iter().zip(&dtheta).map(|(a, b)| a * b).sum::<f64>();
        assert!((left - right).abs() < 1e-12 * (1.0 + left.abs()), "{left} {right}");
    }
}

#[test]
fn a_closure_with_its_derivative_is_the_model() {
    let field = || {
        WithVjp::new(
            |_t: f64, y: &[f64; 2], p: &[f64], dy: &mut [f64; 2]| *dy = [p[0] * y[0] * y[1], -p[1] * y[1]],
            |_t, y: &[f64; 2], p: &[f64], l: &[f64; 2], ybar: &mut [f64; 2], bar: &mut [f64]| {
                *ybar = [p[0] * y[1] * l[0], p[0] * y[0] * l[0] - p[1] * l[1]];
                bar[0] += y[0] * y[1] * l[0];
                bar[1] -= y[1] * l[1];
            },
            &[0.4, 0.9],
        )
    };
    let mut flow = Flow::new(field(), Dopri5::new()).tol(1e-11);
    let g = DiscreteAdjoint::new().gradient(&mut flow, 0.0, &[1.0], &START, loss).unwrap();
    let s = ForwardSensitivity::new(1e-12, 1e-12)
        .solve(&mut field(), Dop853::new(), 0.0, &[1.0], &START)
        .unwrap();
    let mut ybar = [0.0; 2];
    loss(0, 1.0, &s.y[0], &mut ybar);
    for p in 0..2 {
        let want = ybar[0] * s.theta[0][[0, p]] + ybar[1] * s.theta[0][[1, p]];
        assert!((g.theta[p] - want).abs() < 1e-9, "{} {want}", g.theta[p]);
    }
}

#[test]
fn a_fit_is_a_flow_in_parameter_space_and_least_squares_finds_the_rates() {
    let times: Vec<f64> = (1..=12).map(|k| 0.5 * f64::from(k)).collect();
    let data = solve(&RATES, START, &times);
    let guess = array![1.0, 1.0, 1.0, 1.0];
    let mut theta = guess.clone();
    let problem = LeastSquares::new(prey(&[1.0; 4]), Tsit5::new, 0.0, START, &times, &data);
    let mut flow = Flow::new(problem, Euler::new());
    flow.steps(3, 0.5, &mut theta).unwrap();
    flow.steps(6, 1.0, &mut theta).unwrap();
    near("Gauss-Newton", theta.as_slice().unwrap(), &RATES, 1e-6);
    let errors = flow.field_mut().standard_errors(&theta).unwrap();
    assert!(errors.iter().all(|e| *e < 1e-6));

    let model = Flow::new(prey(&[1.0; 4]), Tsit5::new()).tol(1e-6);
    let mut theta = guess;
    let mut training = Flow::new(Fit::new(model, 0.0, START, &times, &data), Adam::default());
    training.steps(1, 0.03, &mut theta).unwrap();
    let before = training.field().loss();
    training.steps(300, 0.03, &mut theta).unwrap();
    println!("fit by Adam: loss {before:.3} -> {:.2e}", training.field().loss());
    assert!(training.field().loss() < 1e-2 * before);
}

#[test]
fn bad_input_is_named() {
    let flow = || Flow::new(prey(&RATES), Tsit5::new());
    let with = |c: Checkpoints| {
        DiscreteAdjoint::new().checkpoints(c).gradient(&mut flow(), 0.0, &TIMES, &START, loss)
    };
    assert!(matches!(with(Checkpoints::Bytes(15)), Err(Error::MemoryTooSmall { bytes: 15, least: 16 })));
    assert!(matches!(with(Checkpoints::Binomial(0)), Err(Error::MemoryTooSmall { .. })));
    assert!(matches!(with(Checkpoints::Every(0)), Err(Error::Setting { .. })));
    let none = DiscreteAdjoint::new().gradient(&mut flow(), 0.0, &[], &START, loss);
    assert!(matches!(none, Err(Error::Empty { what: "the list of times" })));
    let unsorted = DiscreteAdjoint::new().gradient(&mut flow(), 0.0, &[2.0, 1.0, 3.0], &START, loss);
    assert!(matches!(unsorted, Err(Error::OutputTime { index: 1, .. })), "{unsorted:?}");
    let model = Flow::new(prey(&RATES), Tsit5::new());
    let mut theta = Array1::ones(3);
    let fit = Flow::new(Fit::new(model, 0.0, START, &[1.0], &[START]), Adam::default()).step(0.1, &mut theta);
    assert!(matches!(fit, Err(Error::Shape { what: "theta", .. })));
    let message = with(Checkpoints::Bytes(15)).unwrap_err().to_string();
    assert!(message.contains("16 bytes"), "{message}");
}
