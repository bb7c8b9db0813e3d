//! Laws that every network obeys, over a list of architectures and all activations.

use approx::assert_relative_eq;
use flowfield::Real;
use flowfield::nn::{Activation, Init, Mlp, Network, SpectralNorm, TimeFeatures};
use ndarray::{Array, Array1, Array2, Dimension, Zip};

/// Architectures with widths below, at and beyond a group and a panel, with and without time features.
fn networks(activation: Activation) -> Vec<(&'static str, Mlp)> {
    let sinusoidal = TimeFeatures::Sinusoidal { pairs: 3, max_freq: 6.0 };
    let fourier = TimeFeatures::Fourier { pairs: 2, scale: 0.5, seed: 5 };
    [
        ("linear", Mlp::new(3, &[], 2)),
        ("narrow", Mlp::new(2, &[5], 1)),
        ("velocity", Mlp::velocity(2, &[16, 33])),
        ("wide", Mlp::new(4, &[70, 130], 17)),
        ("sinusoidal", Mlp::velocity(2, &[9, 8, 7]).condition(2).time(sinusoidal)),
        ("fourier", Mlp::velocity(3, &[20]).time(fourier).initialisation(Init::Xavier)),
    ]
    .map(|(name, net)| (name, net.activation(activation)))
    .to_vec()
}

fn laws(law: impl Fn(&str, &Mlp)) {
    for activation in Activation::ALL {
        for (name, net) in networks(activation) {
            law(&format!("{name}, {activation:?}"), &net);
        }
    }
}

/// Numbers without pattern in about [-1, 1].
fn numbers<F: Real>(rows: usize, columns: usize, seed: usize) -> Array2<F> {
    Array2::from_shape_fn((rows, columns), |(i, j)| {
        F::of(((seed * 131 + i * 37 + j * 11) as f64 * 0.731 + 0.3).sin())
    })
}

fn parameters<F: Real>(net: &Mlp, seed: u64) -> Array1<F> {
    // Biases start at zero, which would hide errors in them.
    let noise = numbers::<F>(1, net.n_params(), seed as usize + 3);
    Network::<F>::init(net, seed) + noise.row(0).mapv(|v| v * F::of(0.1))
}

fn dot<F: Real, D: Dimension>(a: &Array<F, D>, b: &Array<F, D>) -> f64 {
    let mut sum = 0.0;
    Zip::from(a).and(b).for_each(|a, b| sum += a.f64() * b.f64());
    sum
}

fn close<D: Dimension>(a: &Array<f64, D>, b: &Array<f64, D>) {
    Zip::from(a).and(b).for_each(|&a, &b| assert_relative_eq!(a, b, epsilon = 1e-13, max_relative = 1e-13));
}

const ROWS: usize = 5;

struct Point<F> {
    theta: Array1<F>,
    x: Array2<F>,
    ybar: Array2<F>,
    dtheta: Array1<F>,
    dx: Array2<F>,
}

fn point<F: Real>(net: &Mlp) -> Point<F> {
    Point {
        theta: parameters(net, 1),
        x: numbers(ROWS, net.inputs(), 2),
        ybar: numbers(ROWS, net.outputs(), 3),
        dtheta: numbers(1, net.n_params(), 4).row(0).to_owned(),
        dx: numbers(ROWS, net.inputs(), 5),
    }
}

fn value<F: Real>(net: &Mlp, theta: &Array1<F>, x: &Array2<F>) -> Array2<F> {
    let mut y = Array2::zeros((x.nrows(), net.outputs()));
    net.forward(theta, x, &mut y, &mut net.tape(x.nrows())).unwrap();
    y
}

fn vjp<F: Real>(net: &Mlp, p: &Point<F>) -> (Array1<F>, Array2<F>) {
    let (mut theta_bar, mut xbar) = (Array1::zeros(net.n_params()), Array2::zeros(p.x.dim()));
    let (mut y, mut tape) = (Array2::zeros(p.ybar.dim()), net.tape(ROWS));
    net.forward(&p.theta, &p.x, &mut y, &mut tape).unwrap();
    net.vjp(&p.theta, &p.ybar, Some(&mut theta_bar), Some(&mut xbar), &mut tape).unwrap();
    (theta_bar, xbar)
}

fn jvp<F: Real>(net: &Mlp, p: &Point<F>, theta: &Array1<F>, x: &Array2<F>, with_theta: bool) -> Array2<F> {
    let (mut dy, mut tape) = (Array2::zeros(p.ybar.dim()), net.tape(ROWS));
    net.forward(theta, x, &mut dy, &mut tape).unwrap();
    net.jvp(theta, with_theta.then_some(&p.dtheta), Some(&p.dx), &mut dy, &mut tape).unwrap();
    dy
}

fn vjp_of_jvp<F: Real>(net: &Mlp, p: &Point<F>) -> (Array1<F>, Array2<F>) {
    let (mut theta_bar, mut xbar) = (Array1::zeros(net.n_params()), Array2::zeros(p.x.dim()));
    let (mut y, mut tape) = (Array2::zeros(p.ybar.dim()), net.tape(ROWS));
    net.forward(&p.theta, &p.x, &mut y, &mut tape).unwrap();
    net.vjp_of_jvp(&p.theta, &p.ybar, &p.dx, Some(&mut theta_bar), Some(&mut xbar), &mut tape).unwrap();
    (theta_bar, xbar)
}

/// Central difference of `f` along (dtheta, dx).
fn difference(p: &Point<f64>, f: impl Fn(&Array1<f64>, &Array2<f64>) -> f64) -> f64 {
    let h = 1e-5;
    let at = |s: f64| f(&(&p.theta + &(s * &p.dtheta)), &(&p.x + &(s * &p.dx)));
    (at(h) - at(-h)) / (2.0 * h)
}

#[test]
fn the_network_is_what_its_formula_says() {
    laws(|name, net| {
        if net.inputs() == 3 && net.layout().len() == 2 {
            let p = point::<f64>(net);
            let w = p.theta.slice(ndarray::s![..6]).to_owned().into_shape_with_order((3, 2)).unwrap();
            let y = p.x.dot(&w) + p.theta.slice(ndarray::s![6..]);
            close(&value(net, &p.theta, &p.x), &y);
        }
        if net.inputs() == 2 && net.outputs() == 1 {
            let activation = Activation::ALL.into_iter().find(|a| name.ends_with(&format!("{a:?}"))).unwrap();
            let p = point::<f64>(net);
            let t = &p.theta;
            for (x, y) in p.x.outer_iter().zip(value(net, t, &p.x)) {
                let hidden = (0..5).map(|j| activation.jet(x[0] * t[j] + x[1] * t[5 + j] + t[10 + j])[0]);
                let want: f64 = hidden.enumerate().map(|(j, a)| a * t[15 + j]).sum::<f64>() + t[20];
                assert_relative_eq!(y, want, epsilon = 1e-13);
            }
        }
    });
}

#[test]
fn time_features_are_what_their_formula_says() {
    let plain = Mlp::new(6, &[], 1);
    let net = Mlp::velocity(1, &[]).time(TimeFeatures::Sinusoidal { pairs: 2, max_freq: 7.0 });
    let theta = parameters::<f64>(&plain, 1);
    let (x, t) = (0.3, 0.8_f64);
    let features = [x, t, t.sin(), (7.0 * t).sin(), t.cos(), (7.0 * t).cos()];
    let want = value(&plain, &theta, &Array2::from_shape_vec((1, 6), features.to_vec()).unwrap());
    let got = value(&net, &theta, &Array2::from_shape_vec((1, 2), vec![x, t]).unwrap());
    close(&got, &want);
}

#[test]
fn vjp_is_the_difference_quotient() {
    laws(|name, net| {
        let p = point::<f64>(net);
        let (theta_bar, xbar) = vjp(net, &p);
        let got = dot(&theta_bar, &p.dtheta) + dot(&xbar, &p.dx);
        let want = difference(&p, |theta, x| dot(&p.ybar, &value(net, theta, x)));
        assert!((got - want).abs() < 1e-6 * (1.0 + want.abs()), "{name}: {got} against {want}");
    });
}

#[test]
fn each_component_of_vjp_is_the_difference_quotient() {
    for activation in Activation::ALL {
        let (_, net) = networks(activation).swap_remove(4);
        let p = point::<f64>(&net);
        let (theta_bar, xbar) = vjp(&net, &p);
        let f = |theta: &Array1<f64>, x: &Array2<f64>| dot(&p.ybar, &value(&net, theta, x));
        for i in 0..net.n_params() {
            let (mut up, mut down) = (p.theta.clone(), p.theta.clone());
            up[i] += 1e-6;
            down[i] -= 1e-6;
            assert_relative_eq!(
                theta_bar[i],
                (f(&up, &p.x) - f(&down, &p.x)) / 2e-6,
                epsilon = 1e-7,
                max_relative = 1e-6
            );
        }
        for i in 0..p.x.len() {
            let at = (i / net.inputs(), i % net.inputs());
            let (mut up, mut down) = (p.x.clone(), p.x.clone());
            up[at] += 1e-6;
            down[at] -= 1e-6;
            assert_relative_eq!(
                xbar[at],
                (f(&p.theta, &up) - f(&p.theta, &down)) / 2e-6,
                epsilon = 1e-7,
                max_relative = 1e-6
            );
        }
    }
}

fn duality<F: Real>(tolerance: f64) {
    laws(|name, net| {
        let p = point::<F>(net);
        let (theta_bar, xbar) = vjp(net, &p);
        let pulled = dot(&theta_bar, &p.dtheta) + dot(&xbar, &p.dx);
        let pushed = dot(&p.ybar, &jvp(net, &p, &p.theta, &p.x, true));
        assert!(
            (pulled - pushed).abs() < tolerance * (1.0 + pulled.abs()),
            "{name}: {pulled} against {pushed}"
        );
    });
}

#[test]
fn vjp_and_jvp_are_dual() {
    duality::<f64>(2e-13);
    duality::<f32>(2e-4);
}

#[test]
fn vjp_of_jvp_is_the_difference_quotient_of_jvp() {
    laws(|name, net| {
        let p = point::<f64>(net);
        let (theta_bar, xbar) = vjp_of_jvp(net, &p);
        let got = dot(&theta_bar, &p.dtheta) + dot(&xbar, &p.dx);
        let want = difference(&p, |theta, x| dot(&p.ybar, &jvp(net, &p, theta, x, false)));
        assert!((got - want).abs() < 1e-6 * (1.0 + want.abs()), "{name}: {got} against {want}");
    });
}

#[test]
fn vjp_of_tangent_is_the_difference_quotient_of_jvp() {
    laws(|name, net| {
        for dx in [true, false] {
            let mut p = point::<f64>(net);
            if !dx {
                p.dx.fill(0.0);
            }
            let (mut theta_bar, mut xbar) = (Array1::zeros(net.n_params()), Array2::zeros(p.x.dim()));
            let (mut y, mut tape) = (Array2::zeros(p.ybar.dim()), net.tape(ROWS));
            net.forward(&p.theta, &p.x, &mut y, &mut tape).unwrap();
            let along = (Some(&p.dtheta), dx.then_some(&p.dx));
            let along = (along.0.map(|v| &**v), along.1.map(|v| &**v));
            net.vjp_of_tangent(&p.theta, &p.ybar, along, Some(&mut theta_bar), Some(&mut xbar), &mut tape)
                .unwrap();
            // Along another direction than the tangent's.
            let q = Point { dtheta: parameters(net, 7), dx: numbers(ROWS, net.inputs(), 8), ..point(net) };
            let got = dot(&theta_bar, &q.dtheta) + dot(&xbar, &q.dx);
            let want = difference(&q, |theta, x| dot(&p.ybar, &jvp(net, &p, theta, x, true)));
            assert!((got - want).abs() < 2e-6 * (1.0 + want.abs()), "{name}: {got} against {want}");
        }
    });
}

#[test]
fn slope_gradient_is_forward_vjp_then_vjp_of_jvp() {
    laws(|name, net| {
        let p = point::<f64>(net);
        let ones = Array2::ones(p.ybar.dim());
        let (_, v) = vjp::<f64>(net, &Point { ybar: ones.clone(), ..point(net) });
        // The loss Σ v⁴/4.
        let (want, _) = vjp_of_jvp(net, &Point { ybar: ones, dx: v.mapv(|v| v * v * v), ..point(net) });
        let mut got = Array1::ones(net.n_params());
        let quartic = |_: usize, v: &[f64], bar: &mut [f64]| {
            bar.iter_mut().zip(v).for_each(|(bar, v)| *bar = v * v * v);
            v.iter().map(|v| v.powi(4) / 4.0).sum()
        };
        let value = net.slope_gradient(&p.theta, &p.x, quartic, &mut got, &mut net.tape(ROWS)).unwrap();
        assert_relative_eq!(value, v.mapv(|v| v.powi(4) / 4.0).sum(), max_relative = 1e-13);
        close(&(got - 1.0), &want);
        assert!(!name.is_empty());
    });
}

#[test]
fn single_precision_is_close_to_double() {
    laws(|name, net| {
        let (p, q) = (point::<f64>(net), point::<f32>(net));
        let near = |a: f64, b: f64, what: &str| {
            assert!((a - b).abs() < 2e-4 * (1.0 + a.abs()), "{name}, {what}: {a} against {b}");
        };
        let ones = |n| Array1::from_elem(n, 1.0_f64);
        let sums = |(t, x): (Array1<f64>, Array2<f64>)| (dot(&t, &ones(t.len())), x.sum());
        let widened = |(t, x): (Array1<f32>, Array2<f32>)| (t.mapv(f64::from), x.mapv(f64::from));
        let (a, b) = (sums(vjp(net, &p)), sums(widened(vjp(net, &q))));
        near(a.0 / net.n_params() as f64, b.0 / net.n_params() as f64, "theta_bar");
        near(a.1, b.1, "xbar");
        let (a, b) = (sums(vjp_of_jvp(net, &p)), sums(widened(vjp_of_jvp(net, &q))));
        near(a.0 / net.n_params() as f64, b.0 / net.n_params() as f64, "theta_bar of jvp");
        near(a.1, b.1, "xbar of jvp");
    });
}

#[test]
fn loss_gradient_is_forward_then_vjp() {
    laws(|name, net| {
        let p = point::<f64>(net);
        let y = value(net, &p.theta, &p.x);
        let q = Point { ybar: y.mapv(|y| 2.0 * y), ..point(net) };
        let (want, _) = vjp(net, &q);
        let mut got = Array1::from_elem(net.n_params(), f64::NAN);
        let square = |_: usize, y: &[f64], ybar: &mut [f64]| {
            ybar.iter_mut().zip(y).for_each(|(g, y)| *g = 2.0 * y);
            y.iter().map(|y| y * y).sum()
        };
        let loss = net.loss_gradient(&p.theta, &p.x, square, &mut got, &mut net.tape(ROWS)).unwrap();
        assert_relative_eq!(loss, y.mapv(|y| y * y).sum(), max_relative = 1e-14);
        assert_eq!(got, want, "{name}");
    });
}

#[test]
fn vjp_adds_to_theta_bar_and_overwrites_xbar() {
    let net = Mlp::new(3, &[8], 2);
    let p = point::<f64>(&net);
    let (want, want_x) = vjp(&net, &p);
    let (mut theta_bar, mut xbar) = (Array1::ones(net.n_params()), Array2::ones(p.x.dim()));
    let (mut y, mut tape) = (Array2::zeros(p.ybar.dim()), net.tape(ROWS));
    net.forward(&p.theta, &p.x, &mut y, &mut tape).unwrap();
    net.vjp(&p.theta, &p.ybar, Some(&mut theta_bar), None, &mut tape).unwrap();
    net.vjp(&p.theta, &p.ybar, None, Some(&mut xbar), &mut tape).unwrap();
    close(&theta_bar, &(want + 1.0));
    assert_eq!(xbar, want_x);
}

#[test]
fn a_lean_tape_and_a_larger_one_give_the_same_bits() {
    let net = Mlp::velocity(2, &[64, 32]).time(TimeFeatures::Sinusoidal { pairs: 2, max_freq: 3.0 });
    let rows = 300;
    let (theta, x) = (parameters::<f32>(&net, 1), numbers(rows, 3, 2));
    let (ybar, dx) = (numbers(rows, 2, 3), numbers(rows, 3, 4));
    let results = [net.tape(rows), net.tape(1000), net.lean_tape(rows)].map(|mut tape| {
        let (mut y, mut dy) = (Array2::zeros((rows, 2)), Array2::zeros((rows, 2)));
        let (mut a, mut b) = (Array1::zeros(net.n_params()), Array1::zeros(net.n_params()));
        let (mut xa, mut xb) = (x.clone(), x.clone());
        net.forward(&theta, &x, &mut y, &mut tape).unwrap();
        net.vjp(&theta, &ybar, Some(&mut a), Some(&mut xa), &mut tape).unwrap();
        net.jvp(&theta, Some(&theta), Some(&dx), &mut dy, &mut tape).unwrap();
        net.vjp_of_jvp(&theta, &ybar, &dx, Some(&mut b), Some(&mut xb), &mut tape).unwrap();
        (y, dy, a, b, xa, xb)
    });
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
}

#[test]
fn rows_do_not_see_each_other() {
    let net = Mlp::velocity(2, &[40, 24]);
    let theta = parameters::<f32>(&net, 1);
    let x = numbers(700, 3, 2);
    let all = value(&net, &theta, &x);
    for first in [0, 63, 129, 699] {
        let one = value(&net, &theta, &x.slice(ndarray::s![first..first + 1, ..]).to_owned());
        assert_eq!(one.row(0), all.row(first));
    }
}

#[test]
fn nan_passes_through() {
    laws(|name, net| {
        let p = point::<f32>(net);
        let mut x = p.x.clone();
        x[[2, 0]] = f32::NAN;
        let (clean, spoilt) = (value(net, &p.theta, &p.x), value(net, &p.theta, &x));
        assert!(spoilt.row(2).iter().all(|v| v.is_nan()), "{name}");
        assert_eq!(spoilt.row(1), clean.row(1), "{name}");
        let (theta_bar, xbar) = vjp(net, &Point { x, ..point(net) });
        assert!(theta_bar.iter().any(|v| v.is_nan()) || net.layout().len() == 2, "{name}");
        assert!(xbar.row(1).iter().all(|v| v.is_finite()), "{name}");
    });
}

#[test]
fn spectral_normalisation_bounds_slopes_and_differentiates_itself() {
    for activation in [Activation::Tanh, Activation::Relu, Activation::Softplus] {
        let net = SpectralNorm::new(Mlp::new(3, &[9, 6], 1).activation(activation));
        let plain = Mlp::new(3, &[9, 6], 1);
        let (x, p) = (numbers::<f64>(ROWS, 3, 2), parameters::<f64>(&plain, 1));
        let (ybar, direction) = (numbers::<f64>(ROWS, 1, 3), parameters::<f64>(&plain, 9));
        let (mut tape, mut y) = (net.tape(ROWS), Array2::zeros((ROWS, 1)));
        let (mut theta_bar, mut dy) = (Array1::zeros(p.len()), y.clone());
        net.forward(&p, &x, &mut y, &mut tape).unwrap();
        let mut v = x.clone();
        net.vjp(&p, &Array2::ones((ROWS, 1)), None, Some(&mut v), &mut tape).unwrap();
        assert!(v.rows().into_iter().all(|r| r.dot(&r) <= 1.0 + 1e-12));
        net.vjp(&p, &ybar, Some(&mut theta_bar), None, &mut tape).unwrap();
        net.jvp(&p, Some(&direction), None, &mut dy, &mut tape).unwrap();
        // Duality, and difference quotients of the outputs and of a penalty on the slopes.
        let pushed = dot(&dy, &ybar);
        assert_relative_eq!(dot(&theta_bar, &direction), pushed, epsilon = 1e-12);
        let square = |_: usize, v: &[f64], bar: &mut [f64]| {
            bar.iter_mut().zip(v).for_each(|(bar, v)| *bar = 2.0 * v);
            v.iter().map(|v| v * v).sum()
        };
        let mut at = |s: f64| {
            let moved = &p + &(s * &direction);
            let mut g = Array1::zeros(p.len());
            net.forward(&moved, &x, &mut y, &mut tape).unwrap();
            let value = dot(&y, &ybar);
            let mut penalty = net.slope_gradient(&moved, &x, square, &mut g, &mut tape).unwrap();
            let fused = |_: usize, y: &[f64], bar: &mut [f64]| {
                bar.copy_from_slice(ybar.as_slice().unwrap());
                y.iter().zip(bar).map(|(y, b)| y * *b).sum::<f64>()
            };
            let mut h = g.clone();
            penalty += 0.0 * net.loss_gradient(&moved, &x, fused, &mut h, &mut tape).unwrap();
            (value, penalty, dot(&g, &direction), dot(&h, &direction))
        };
        let (up, here, down) = (at(1e-5), at(0.0), at(-1e-5));
        assert!(((up.0 - down.0) / 2e-5 - pushed).abs() < 1e-7, "{activation:?}");
        assert!(((up.1 - down.1) / 2e-5 - here.2).abs() < 1e-6, "{activation:?}");
        // The singular vectors are known to the square root of round-off.
        assert_relative_eq!(here.3, pushed, epsilon = 1e-7);
    }
}

#[test]
fn the_divergence_is_the_sum_of_the_tangents() {
    laws(|name, net| {
        if net.inputs() < net.outputs() {
            return;
        }
        let p = point::<f64>(net);
        let mut want = vec![0.0; ROWS];
        for k in 0..net.outputs() {
            let mut unit = Array2::zeros(p.x.dim());
            unit.column_mut(k).fill(1.0);
            let along = Point { dx: unit, ..point(net) };
            let dy = jvp(net, &along, &p.theta, &p.x, false);
            want.iter_mut().zip(dy.column(k)).for_each(|(w, d)| *w += d);
        }
        for tape in [net.tape(ROWS), net.lean_tape(ROWS), net.gradient_tape(ROWS)] {
            let (mut tape, mut y, mut div) = (tape, Array2::zeros(p.ybar.dim()), vec![f64::NAN; ROWS]);
            net.forward(&p.theta, &p.x, &mut y, &mut tape).unwrap();
            assert!(net.divergence(&p.theta, &mut div, &mut tape).unwrap());
            for (got, want) in div.iter().zip(&want) {
                assert!((got - want).abs() < 1e-13 * (1.0 + want.abs()), "{name}: {got} for {want}");
            }
            // Of other parameters on the same tape.
            let other = &p.theta * 0.5;
            net.forward(&other, &p.x, &mut y, &mut tape).unwrap();
            net.divergence(&other, &mut div, &mut tape).unwrap();
            let mut fresh = net.tape(ROWS);
            let mut again = vec![0.0; ROWS];
            net.forward(&other, &p.x, &mut y, &mut fresh).unwrap();
            net.divergence(&other, &mut again, &mut fresh).unwrap();
            assert_eq!(div, again, "{name}");
        }
    });
}

#[test]
fn a_smaller_record_gives_the_same_derivatives_and_can_be_exchanged() {
    laws(|name, net| {
        let (p, q) = (point::<f64>(net), Point { x: numbers(ROWS, net.inputs(), 9), ..point(net) });
        let (mut tape, mut spare) = (net.gradient_tape(ROWS), net.spare_record(ROWS));
        let (mut y, mut dy) = (Array2::zeros(p.ybar.dim()), Array2::zeros(p.ybar.dim()));
        net.forward(&p.theta, &p.x, &mut y, &mut tape).unwrap();
        net.exchange(&mut tape, &mut spare);
        net.forward(&q.theta, &q.x, &mut y, &mut tape).unwrap();
        for (point, exchange) in [(&q, false), (&p, true)] {
            if exchange {
                net.exchange(&mut tape, &mut spare);
            }
            let (mut theta_bar, mut xbar) = (Array1::zeros(net.n_params()), Array2::zeros(p.x.dim()));
            net.vjp(&point.theta, &point.ybar, Some(&mut theta_bar), Some(&mut xbar), &mut tape).unwrap();
            assert_eq!((theta_bar, xbar), vjp(net, point), "{name}");
            net.jvp(&point.theta, Some(&point.dtheta), Some(&point.dx), &mut dy, &mut tape).unwrap();
            assert_eq!(dy, jvp(net, point, &point.theta, &point.x, true), "{name}");
            let (mut theta_bar, mut xbar) = (Array1::zeros(net.n_params()), Array2::zeros(p.x.dim()));
            let (t, x) = (Some(&mut *theta_bar), Some(&mut *xbar));
            net.vjp_of_jvp(&point.theta, &point.ybar, &point.dx, t, x, &mut tape).unwrap();
            assert_eq!((theta_bar, xbar), vjp_of_jvp(net, point), "{name}");
        }
    });
}
