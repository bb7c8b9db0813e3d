//! Gradients through implicit methods: the discrete adjoint of a Rosenbrock method is the derivative of its steps to round-off,
//! and the stiff case agrees with forward sensitivities both ways.

use flowfield::integrate::implicit::Rosenbrock;
use flowfield::integrate::implicit::tableau::{Rodas4, Rodas5P, Ros3P, RosenbrockMethod};
use flowfield::nn::{Activation, Mlp, Network};
use flowfield::sensitivity::{
    Checkpoints, ContinuousAdjoint, DiscreteAdjoint, ForwardSensitivity, NeuralField, WithVjp,
};
use flowfield::{Differentiable, Dual, Flow, Formula, Number, integrate};
use ndarray::Array2;

/// A stiff relaxation to a moving curve, coupled to a slow variable.
struct Follow;
impl Formula for Follow {
    fn eval<T: Number>(&self, t: T, y: &[T], p: &[T], dy: &mut [T]) {
        dy[0] = -p[0] * (y[0] - (p[1] * t).cos() * y[1]);
        dy[1] = p[2] * y[0] * y[0] - y[1] * y[1].exp() * T::of(0.3);
    }
}

const RATES: [f64; 3] = [40.0, 1.7, 0.6];
const START: [f64; 2] = [0.2, 0.8];
const STEPS: usize = 12;
const H: f64 = 0.1;

/// A step by the definition of the method, on numbers that carry derivatives.
fn step<M: RosenbrockMethod<N>, T: Number, const N: usize>(t: f64, y: [T; 2], p: &[T; 3]) -> [T; 2] {
    let (tableau, of) = (&M::TABLEAU, T::of);
    let unit = |value: T, k: usize| Dual {
        value,
        partials: std::array::from_fn(|i| of(f64::from(u8::from(i == k)))),
    };
    let (vars, fixed) = ([unit(y[0], 0), unit(y[1], 1)], p.map(Dual::constant));
    let mut slopes = [Dual::<T, 3>::constant(of(0.0)); 2];
    Follow.eval(unit(of(t), 2), &vars, &fixed, &mut slopes);
    let [[a, b], [c, d]] = [0, 1].map(|i| [0, 1].map(|j| slopes[i].partials[j]));
    let shift = of(1.0 / (H * tableau.gamma));
    let (a, b, c, d) = (shift - a, -b, -c, shift - d);
    let determinant = a * d - b * c;
    let mut u = [[of(0.0); 2]; N];
    for i in 0..N {
        let (mut argument, mut rhs) = (y, [of(0.0); 2]);
        for (u, &a) in u.iter().zip(&tableau.a[i]).take(i) {
            (0..2).for_each(|k| argument[k] += of(a) * u[k]);
        }
        Follow.eval(of(t + tableau.alpha[i] * H), &argument, p, &mut rhs);
        for (k, rhs) in rhs.iter_mut().enumerate() {
            (0..i).for_each(|j| *rhs += of(tableau.c[i][j] / H) * u[j][k]);
            *rhs += of(H * tableau.gammas[i]) * slopes[k].partials[2];
        }
        u[i] = [(d * rhs[0] - b * rhs[1]) / determinant, (a * rhs[1] - c * rhs[0]) / determinant];
    }
    std::array::from_fn(|k| (0..N).fold(y[k], |sum, i| sum + of(tableau.b[i]) * u[i][k]))
}

fn discrete_is_the_derivative_of_the_map<M: RosenbrockMethod<N>, const N: usize>() {
    let variable = |value: f64, k: usize| Dual {
        value,
        partials: std::array::from_fn::<f64, 5, _>(|i| f64::from(u8::from(i == k))),
    };
    let mut y = [variable(START[0], 0), variable(START[1], 1)];
    let p = std::array::from_fn(|k| variable(RATES[k], 2 + k));
    for n in 0..STEPS {
        y = step::<M, _, N>(n as f64 * H, y, &p);
    }
    let field = || Differentiable::new(Follow).parameters(&RATES);
    let mut flow = Flow::new(field(), Rosenbrock::<M, _, N>::new()).fixed_step(H);
    for c in 0..2 {
        let row = |_k: usize, _t: f64, y: &[f64; 2], ybar: &mut [f64; 2]| {
            ybar[c] = 1.0;
            y[c]
        };
        for checkpoints in [Checkpoints::All, Checkpoints::Every(5)] {
            let end = STEPS as f64 * H;
            let g = DiscreteAdjoint::new()
                .checkpoints(checkpoints)
                .gradient(&mut flow, 0.0, &[end], &START, row)
                .unwrap();
            assert!((g.loss - y[c].value).abs() < 1e-13, "{} {} {}", M::TABLEAU.name, g.loss, y[c].value);
            for (got, want) in g.y0.iter().chain(&g.theta).zip(y[c].partials) {
                assert!((got - want).abs() < 1e-13 * (1.0 + want.abs()), "{}: {got} {want}", M::TABLEAU.name);
            }
        }
    }
}

#[test]
fn the_discrete_adjoint_of_rosenbrock_methods_is_the_gradient_of_the_discrete_map() {
    discrete_is_the_derivative_of_the_map::<Ros3P, 3>();
    discrete_is_the_derivative_of_the_map::<Rodas4, 6>();
    discrete_is_the_derivative_of_the_map::<Rodas5P, 8>();
}

struct Robertson;
impl Formula for Robertson {
    fn eval<T: Number>(&self, _t: T, y: &[T], k: &[T], dy: &mut [T]) {
        let (slow, fast, faster) = (k[0] * y[0], k[2] * y[1] * y[2], k[1] * y[1] * y[1]);
        dy[0] = fast - slow;
        dy[1] = slow - fast - faster;
        dy[2] = faster;
    }
}

#[test]
fn the_stiff_adjoint_of_robertsons_rates_is_their_forward_sensitivity() {
    let rates = [0.04, 3e7, 1e4];
    let (times, start) = ([4.0, 40.0], [1.0, 0.0, 0.0]);
    let mut field = Differentiable::new(Robertson).parameters(&rates);
    // Sensitivities differ by ten powers of ten: tolerances relative to what they are.
    let scale = [1.0, 1e-5, 1.0];
    let sizes: Vec<f64> =
        [1.0; 4].iter().chain(&[25.0, 3e-8, 1e-4]).flat_map(|s| scale.map(|y| 1e-12 * s * y)).collect();
    let s = ForwardSensitivity::new(1e-10, sizes)
        .solve(&mut field, integrate::Rodas5P::new(), 0.0, &times, &start)
        .unwrap();
    let loss = |k: usize, _t: f64, y: &[f64; 3], ybar: &mut [f64; 3]| {
        *ybar = [1.0 + k as f64, 3e4, 0.0];
        (1.0 + k as f64) * y[0] + 3e4 * y[1]
    };
    let mut want = [0.0; 6];
    for k in 0..2 {
        let ybar = [1.0 + k as f64, 3e4, 0.0];
        for (c, b) in ybar.iter().enumerate() {
            (0..3).for_each(|j| want[j] += b * s.theta[k][[c, j]]);
            (0..3).for_each(|j| want[3 + j] += b * s.y0[k][[c, j]]);
        }
    }
    let mut flow = Flow::new(Differentiable::new(Robertson).parameters(&rates), integrate::Rodas5P::new())
        .rtol(1e-11)
        .atol([1e-13, 1e-18, 1e-13]);
    let back = [1e-12, 1e-8, 1e-12, 1e-11, 1e-20, 1e-16];
    let g = ContinuousAdjoint::new(1e-10, back)
        .gradient(&mut flow, integrate::Rodas5P::new(), 0.0, &times, &start, loss)
        .unwrap();
    let got: Vec<f64> = g.theta.iter().chain(&g.y0).copied().collect();
    for i in 0..6 {
        println!(
            "Robertson {i}: adjoint {:.12e}, forward {:.12e}, relative {:.1e}",
            got[i],
            want[i],
            (got[i] / want[i] - 1.0).abs()
        );
    }
    println!("{:?}; forward: {}", g.stats, s.stats);
    for i in 0..4 {
        assert!((got[i] / want[i] - 1.0).abs() < 1e-6, "{i}: {} {}", got[i], want[i]);
    }
    // The exact reverse of the steps.
    for checkpoints in [Checkpoints::All, Checkpoints::Binomial(8)] {
        let mut adjoint = DiscreteAdjoint::new().checkpoints(checkpoints);
        let g = adjoint.gradient(&mut flow, 0.0, &times, &start, loss).unwrap();
        let got: Vec<f64> = g.theta.iter().chain(&g.y0).copied().collect();
        for (i, (got, want)) in got.iter().zip(want).enumerate() {
            let relative = (got / want - 1.0).abs();
            println!("Robertson {i}: discrete adjoint {got:.12e}, relative {relative:.1e}");
            assert!(i >= 4 || relative < 1e-6, "{i}: {got} {want}");
        }
        println!("{:?}", g.stats);
    }
}

#[test]
fn other_fields_than_formulas_are_reversed_too() {
    let loss = |_k: usize, _t: f64, y: &[f64; 2], ybar: &mut [f64; 2]| {
        *ybar = [2.0 * y[0], 1.0];
        y[0] * y[0] + y[1]
    };
    // A closure with a first derivative only: the second by differences.
    let closure = WithVjp::new(
        |_t: f64, y: &[f64; 2], p: &[f64], dy: &mut [f64; 2]| {
            *dy = [-p[0] * (y[0] - y[1] * y[1]), p[1] * y[0] * y[1]]
        },
        |_t, y: &[f64; 2], p: &[f64], l: &[f64; 2], ybar: &mut [f64; 2], bar: &mut [f64]| {
            *ybar = [-p[0] * l[0] + p[1] * y[1] * l[1], 2.0 * p[0] * y[1] * l[0] + p[1] * y[0] * l[1]];
            bar[0] -= (y[0] - y[1] * y[1]) * l[0];
            bar[1] += y[0] * y[1] * l[1];
        },
        &[30.0, -0.4],
    );
    let mut flow = Flow::new(closure, integrate::Rodas5P::new()).tol(1e-10);
    let implicit = DiscreteAdjoint::new().gradient(&mut flow, 0.0, &[1.5], &START, loss).unwrap();
    let explicit = {
        ForwardSensitivity::new(1e-12, 1e-12)
            .solve(flow.field_mut(), integrate::Vern9::new(), 0.0, &[1.5], &START)
            .unwrap()
    };
    let y = explicit.y[0];
    for p in 0..2 {
        let want = 2.0 * y[0] * explicit.theta[0][[0, p]] + explicit.theta[0][[1, p]];
        println!("closure, rate {p}: {:.10} {want:.10}", implicit.theta[p]);
        assert!((implicit.theta[p] - want).abs() < 1e-7 * want.abs(), "{} {want}", implicit.theta[p]);
    }
    // A network, whose second derivatives are its own.
    let net = Mlp::velocity(2, &[6, 5]).activation(Activation::Tanh);
    let theta = net.init(2);
    let y0 = Array2::from_shape_fn((2, 2), |(i, j)| (1.0 + i as f64 + 0.5 * j as f64).cos());
    let loss = |_k: usize, _t: f64, y: &Array2<f64>, ybar: &mut Array2<f64>| {
        ybar.assign(y);
        0.5 * (y * y).sum()
    };
    let mut stiff = Flow::new(NeuralField::new(&net, &theta), integrate::Rodas5P::new()).tol(1e-11);
    let mut plain = Flow::new(NeuralField::new(&net, &theta), integrate::Tsit5::new()).tol(1e-11);
    let a = DiscreteAdjoint::new().gradient(&mut stiff, 0.0, &[1.0], &y0, loss).unwrap();
    let b = DiscreteAdjoint::new().gradient(&mut plain, 0.0, &[1.0], &y0, loss).unwrap();
    let worst = (&a.theta - &b.theta).iter().fold(0.0_f64, |m, d| m.max(d.abs()));
    println!("a network by Rodas5P and by Tsit5: {worst:.1e} apart");
    assert!(worst < 1e-7);
}
