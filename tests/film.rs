//! Modulated networks: their derivatives, their start, and what a checkpoint calls their parts.

use flowfield::dataset::{moons, normal};
use flowfield::integrate::{Adam, Ema};
use flowfield::matching::Matching;
use flowfield::nn::{Activation, Film, Network, Norm, TimeFeatures, one_hot};
use flowfield::{Error, Flow, Real, VectorField};
use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, s};

/// Widths off and on whole groups, with and without norms, features and conditions.
fn networks() -> Vec<Film> {
    let features = TimeFeatures::Sinusoidal { pairs: 3, max_freq: 6.0 };
    let small = Film::velocity(2, 5, 2).inner(9).embedding(7);
    vec![
        small.clone(),
        small.clone().norm(None).activation(Activation::Tanh).time(features),
        small.clone().norm(Some(Norm::Rms)).condition(3).activation(Activation::Softplus),
        small.condition(2).time(features).activation(Activation::Selu),
        Film::velocity(3, 16, 3).inner(32).embedding(17).time(features).activation(Activation::Relu),
    ]
}

/// Beyond one block of 64 rows.
const ROWS: usize = 67;

fn vector<F: Real>(n: usize, seed: u64) -> Array1<F> {
    normal::<F>((1, n), seed).row(0).to_owned()
}

/// Initial parameters with modulations and biases that are not zero.
fn parameters<F: Real>(net: &Film) -> Array1<F> {
    Network::<F>::init(net, 1) + vector::<F>(net.n_params(), 2) * F::of(0.1)
}

fn inputs(net: &Film) -> usize {
    Network::<f64>::inputs(net)
}

struct Point<F> {
    theta: Array1<F>,
    dtheta: Array1<F>,
    x: Array2<F>,
    dx: Array2<F>,
    ybar: Array2<F>,
}

fn point<F: Real>(net: &Film) -> Point<F> {
    let (n, d) = (net.n_params(), Network::<F>::outputs(net));
    let rows = |seed| normal::<F>((ROWS, inputs(net)), seed);
    Point {
        theta: parameters(net),
        dtheta: vector(n, 3),
        x: rows(4),
        dx: rows(5),
        ybar: normal((ROWS, d), 6),
    }
}

fn value<F: Real>(net: &Film, theta: &Array1<F>, x: &Array2<F>) -> Array2<F> {
    let mut y = Array2::zeros((x.nrows(), Network::<F>::outputs(net)));
    net.forward(theta, x, &mut y, &mut net.tape(x.nrows())).unwrap();
    y
}

fn jvp<F: Real>(net: &Film, p: &Point<F>, theta: &Array1<F>, x: &Array2<F>, along: [bool; 2]) -> Array2<F> {
    let (mut dy, mut tape) = (value(net, theta, x), net.tape(ROWS));
    net.forward(theta, x, &mut dy, &mut tape).unwrap();
    let (dtheta, dx) = (along[0].then_some(&*p.dtheta), along[1].then_some(&*p.dx));
    net.jvp(theta, dtheta, dx, &mut dy, &mut tape).unwrap();
    dy
}

type Along<'a, F> = (Option<&'a ArrayRef1<F>>, Option<&'a ArrayRef2<F>>);

/// (theta_bar, xbar) of the outputs, or of the tangent along what is given.
fn reverse<F: Real>(net: &Film, p: &Point<F>, along: Option<Along<'_, F>>) -> (Array1<F>, Array2<F>) {
    let (mut theta_bar, mut xbar) = (Array1::zeros(net.n_params()), Array2::zeros(p.x.dim()));
    let (mut y, mut tape) = (p.ybar.clone(), net.tape(ROWS));
    net.forward(&p.theta, &p.x, &mut y, &mut tape).unwrap();
    let (t, x) = (Some(&mut *theta_bar), Some(&mut *xbar));
    match along {
        None => net.vjp(&p.theta, &p.ybar, t, x, &mut tape).unwrap(),
        Some(along) => net.vjp_of_tangent(&p.theta, &p.ybar, along, t, x, &mut tape).unwrap(),
    }
    (theta_bar, xbar)
}

fn dot<F: Real>(a: &[F], b: &[F]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a.f64() * b.f64()).sum()
}

fn dot2<F: Real>(a: (&Array1<F>, &Array2<F>), b: (&Array1<F>, &Array2<F>)) -> f64 {
    dot(a.0.as_slice().unwrap(), b.0.as_slice().unwrap())
        + dot(a.1.as_slice().unwrap(), b.1.as_slice().unwrap())
}

/// Central difference along (dtheta, dx).
fn difference(
    p: &Point<f64>,
    along: (&Array1<f64>, &Array2<f64>),
    f: impl Fn(&Array1<f64>, &Array2<f64>) -> f64,
) -> f64 {
    let h = 1e-6;
    let at = |s: f64| f(&(&p.theta + &(s * along.0)), &(&p.x + &(s * along.1)));
    (at(h) - at(-h)) / (2.0 * h)
}

fn near(got: f64, want: f64, limit: f64, what: &str) {
    assert!((got - want).abs() < limit * (1.0 + want.abs()), "{what}: {got} against {want}");
}

#[test]
fn the_network_is_what_its_formula_says() {
    let net = Film::velocity(1, 2, 1).inner(1).embedding(1).norm(None).activation(Activation::Tanh);
    let t = vector::<f64>(net.n_params(), 1);
    let (x, time) = (0.4, 0.7);
    // input 1 → 2, embedding 1 → 1, scale, shift and gate 1 → 2, up 2 → 1, down 1 → 2, output 2 → 1.
    let h = [x * t[0] + t[2], x * t[1] + t[3]];
    let e = (time * t[4] + t[5]).tanh();
    let modulation = |first: usize, k: usize| e * t[first + k] + t[first + 2 + k];
    let u = [0, 1].map(|k| h[k] * (1.0 + modulation(6, k)) + modulation(10, k));
    let a = (u[0] * t[18] + u[1] * t[19] + t[20]).tanh();
    let end = [0, 1].map(|k| h[k] + modulation(14, k) * (a * t[21 + k] + t[23 + k]));
    let want = end[0] * t[25] + end[1] * t[26] + t[27];
    let got = value(&net, &t, &ndarray::array![[x, time]]);
    near(got[[0, 0]], want, 1e-14, "y");
}

#[test]
fn reverse_mode_is_the_difference_quotient_and_forward_mode_its_dual() {
    for net in networks() {
        let p = point::<f64>(&net);
        let (t, x) = reverse(&net, &p, None);
        let pulled = dot2((&t, &x), (&p.dtheta, &p.dx));
        let pushed = jvp(&net, &p, &p.theta, &p.x, [true, true]);
        near(dot(p.ybar.as_slice().unwrap(), pushed.as_slice().unwrap()), pulled, 1e-12, "duality");
        let f = |t: &Array1<f64>, x: &Array2<f64>| (value(&net, t, x) * &p.ybar).sum();
        near(pulled, difference(&p, (&p.dtheta, &p.dx), f), 2e-6, &format!("{net:?}"));
        // Each on its own.
        let [only_t, only_x] =
            [[true, false], [false, true]].map(|a| (jvp(&net, &p, &p.theta, &p.x, a) * &p.ybar).sum());
        near(only_t, t.dot(&p.dtheta), 1e-12, "theta alone");
        near(only_x, (&x * &p.dx).sum(), 1e-12, "x alone");
    }
}

#[test]
fn reverse_over_forward_is_the_difference_quotient_of_the_tangent() {
    for net in networks() {
        for along in [[false, true], [true, true], [true, false]] {
            let p = point::<f64>(&net);
            let tangents = (along[0].then_some(&*p.dtheta), along[1].then_some(&*p.dx));
            let (t, x) = reverse(&net, &p, Some(tangents));
            // Along another direction than the tangent's.
            let (dtheta, dx) = (vector(net.n_params(), 7), normal::<f64>(p.x.dim(), 8));
            let got = dot2((&t, &x), (&dtheta, &dx));
            let f = |t: &Array1<f64>, x: &Array2<f64>| (jvp(&net, &p, t, x, along) * &p.ybar).sum();
            near(got, difference(&p, (&dtheta, &dx), f), 2e-5, &format!("{along:?} {net:?}"));
        }
    }
}

#[test]
fn the_loss_gradient_is_forward_then_reverse_and_single_precision_is_close() {
    for net in networks() {
        let (p, q) = (point::<f64>(&net), point::<f32>(&net));
        let y = value(&net, &p.theta, &p.x);
        let (want, _) = reverse(&net, &Point { ybar: 2.0 * &y, ..point(&net) }, None);
        let mut got = Array1::from_elem(net.n_params(), f64::NAN);
        let loss = |_: usize, y: &[f64], ybar: &mut [f64]| {
            ybar.iter_mut().zip(y).for_each(|(g, y)| *g = 2.0 * y);
            y.iter().map(|y| y * y).sum()
        };
        let sum = net.loss_gradient(&p.theta, &p.x, loss, &mut got, &mut net.tape(ROWS)).unwrap();
        near(sum, (&y * &y).sum(), 1e-13, "loss");
        assert_eq!(got, want);
        let single = value(&net, &q.theta, &q.x);
        let worst = single.iter().zip(&y).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-4, "{worst}");
    }
}

#[test]
fn blocks_start_as_the_identity_and_time_reaches_them_once_trained() {
    let net = Film::velocity(2, 16, 2).condition(2);
    let theta = Network::<f64>::init(&net, 0);
    let mut x = normal::<f64>((4, 5), 1);
    let before = value(&net, &theta, &x);
    x.slice_mut(s![.., 2..]).fill(0.3);
    assert_eq!(value(&net, &theta, &x), before);
    let moved = parameters::<f64>(&net);
    let one = value(&net, &moved, &x);
    x.slice_mut(s![.., 2]).fill(0.9);
    assert_ne!(value(&net, &moved, &x), one);
}

#[test]
fn it_trains_conditionally_and_bit_by_bit_again() {
    let data = moons::<f32>(400, 0.05, 0);
    let labels: Vec<usize> = (0..400).map(|i| i % 2).collect();
    let condition = one_hot::<f32>(&labels, 2).unwrap();
    let net =
        Film::velocity(2, 32, 2).condition(2).time(TimeFeatures::Sinusoidal { pairs: 4, max_freq: 20.0 });
    let run = || {
        let field = Matching::new(&net, &data, 100).condition(&condition).condition_dropout(0.1);
        let mut theta = net.init(0);
        let mut flow = Flow::new(field, Ema::new(Adam::with_decay(1e-4), 0.99));
        flow.steps(50, 3e-3, &mut theta).unwrap();
        let first = flow.field_mut().mean_loss();
        flow.steps(250, 3e-3, &mut theta).unwrap();
        flow.field_mut().mean_loss();
        flow.steps(50, 3e-3, &mut theta).unwrap();
        (theta, first, flow.field_mut().mean_loss())
    };
    let ((one, first, last), (two, ..)) = (run(), run());
    assert_eq!(one, two);
    assert!(last < 0.8 * first, "{first} to {last}");
    let mut v = net.field(&one).condition(&condition).guidance(1.5);
    let mut dx = data.clone();
    v.check(&data).unwrap();
    v.eval(0.5, &data, &mut dx);
    assert!(dx.iter().all(|v| v.is_finite()));
}

#[test]
fn parts_are_named_without_gaps_and_what_cannot_be_is_refused() {
    let net = Film::velocity(2, 8, 2).condition(1);
    let mut next = 0;
    for p in Network::<f32>::layout(&net) {
        assert_eq!(p.offset, next, "{}", p.name);
        next += p.shape.iter().product::<usize>();
    }
    assert_eq!(next, net.n_params());
    let names: Vec<String> = Network::<f32>::layout(&net).into_iter().map(|p| p.name).collect();
    for name in ["input.weight", "embedding.bias", "blocks.1.gate.weight", "output.bias"] {
        assert!(names.iter().any(|n| n == name), "{name}");
    }
    assert!(matches!(Network::<f32>::check(&Film::velocity(2, 0, 1)), Err(Error::ZeroWidth { layer: 1 })));
    assert!(matches!(Network::<f32>::check(&Film::velocity(2, 4, 0)), Err(Error::Setting { .. })));
    let (theta, mut y) = (Network::<f32>::init(&net, 0), Array2::zeros((3, 2)));
    let x = Array2::zeros((3, 4));
    let mut small: flowfield::nn::FilmTape<f32> = net.tape(2);
    assert!(matches!(net.forward(&theta, &x, &mut y, &mut small), Err(Error::Setting { .. })));
    let mut other = Film::velocity(2, 9, 2).condition(1).tape(3);
    assert!(matches!(net.forward(&theta, &x, &mut y, &mut other), Err(Error::Shape { .. })));
}
