//! Networks seen through low-rank increments.

use flowfield::integrate::{Adam, Sgd};
use flowfield::low_rank::{LoraScale, LowRankFactors};
use flowfield::matching::Matching;
use flowfield::nn::{Activation, Lora, Mlp, Network};
use flowfield::{Error, Flow, Real, dataset, field};
use ndarray::{Array1, Array2, s};

fn net() -> Mlp {
    Mlp::new(3, &[7, 9], 2).activation(Activation::Tanh)
}

fn numbers(n: usize, m: usize, seed: u64) -> Array2<f64> {
    dataset::normal((n, m), seed)
}

fn vector(n: usize, seed: u64) -> Array1<f64> {
    numbers(1, n, seed).row(0).to_owned()
}

#[test]
fn derivatives_are_those_of_the_merged_network() {
    let (net, rows) = (net(), 5);
    let base: Array1<f64> = net.init(0);
    let lora = Lora::new(&net, &base, 2, LoraScale::RankStabilized { alpha: 3.0 }).plus(4.0);
    let phi = vector(lora.n_params(), 1);
    let (x, ybar, dx) = (numbers(rows, 3, 2), numbers(rows, 2, 3), numbers(rows, 3, 4));
    let dphi = vector(lora.n_params(), 5);
    let mut tape = lora.tape(rows);
    let at = |phi: &Array1<f64>, x: &Array2<f64>| {
        let mut y = Array2::zeros((rows, 2));
        net.forward(&lora.merge(phi).unwrap(), x, &mut y, &mut net.tape(rows)).unwrap();
        y
    };
    let mut y = Array2::zeros((rows, 2));
    lora.forward(&phi, &x, &mut y, &mut tape).unwrap();
    assert_eq!(y, at(&phi, &x));

    let h = 1e-6;
    let mut dy = y.clone();
    lora.jvp(&phi, Some(&dphi), Some(&dx), &mut dy, &mut tape).unwrap();
    let moved = |s: f64| at(&(&phi + &(&dphi * s)), &(&x + &(&dx * s)));
    let slope = (moved(h) - moved(-h)) / (2.0 * h);
    let scale = slope.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
    assert!((&dy - &slope).iter().all(|d| d.abs() < 1e-7 * scale), "{dy}, {slope}");

    let (mut phi_bar, mut xbar) = (Array1::zeros(phi.len()), x.clone());
    lora.vjp(&phi, &ybar, Some(&mut phi_bar), Some(&mut xbar), &mut tape).unwrap();
    let (pulled, pushed) = ((&phi_bar * &dphi).sum() + (&xbar * &dx).sum(), (&ybar * &dy).sum());
    assert!((pulled - pushed).abs() < 1e-12 * pushed.abs().max(1.0));

    let directional = |phi: &Array1<f64>| {
        let (mut y, mut dy, mut tape) = (y.clone(), y.clone(), lora.tape(rows));
        lora.forward(phi, &x, &mut y, &mut tape).unwrap();
        lora.jvp(phi, None, Some(&dx), &mut dy, &mut tape).unwrap();
        (&dy * &ybar).sum()
    };
    let mut second = Array1::zeros(phi.len());
    lora.vjp_of_jvp(&phi, &ybar, &dx, Some(&mut second), None, &mut tape).unwrap();
    let slope = (directional(&(&phi + &(&dphi * h))) - directional(&(&phi - &(&dphi * h)))) / (2.0 * h);
    assert!(((&second * &dphi).sum() - slope).abs() < 1e-7 * slope.abs().max(1.0));

    let loss = |_: usize, y: &[f64], b: &mut [f64]| {
        b.copy_from_slice(y);
        0.5 * y.iter().map(|y| y * y).sum::<f64>()
    };
    let mut fused = Array1::zeros(phi.len());
    lora.loss_gradient(&phi, &x, loss, &mut fused, &mut tape).unwrap();
    let mut plain = Array1::zeros(phi.len());
    lora.forward(&phi, &x, &mut y, &mut tape).unwrap();
    lora.vjp(&phi, &y.clone(), Some(&mut plain), None, &mut tape).unwrap();
    assert!((&fused - &plain).iter().all(|d| d.abs() < 1e-12));
}

/// A layer with factors, and the whole matrix moved by what its factors' steps amount to: their largest difference.
fn views<F: Real>(adam: bool) -> f64 {
    let (n, m, r) = (24, 20, 4);
    let numbers = |n, m, seed| dataset::normal::<F>((n, m), seed);
    let (target, w0) = (numbers(n, m, 1), numbers(n, m, 2));
    let small = |a: Array2<F>| a.mapv(|v| v * F::of(0.3));
    let (a0, b0) = (small(numbers(n, r, 3)), small(numbers(r, m, 4)));
    let split = |phi: &Array1<F>| {
        let a = phi.slice(s![..n * r]).to_owned().into_shape_with_order((n, r)).unwrap();
        let b = phi.slice(s![n * r..]).to_owned().into_shape_with_order((r, m)).unwrap();
        LowRankFactors::new(a, b, LoraScale::Plain).unwrap()
    };
    let gradient = |f: &LowRankFactors<F>, w: &Array2<F>| {
        let (ga, gb) = f.project_gradient(&(w - &target).mapv(|v| v * F::of(0.1))).unwrap();
        Array1::from_iter(ga.iter().chain(gb.iter()).map(|&g| -g))
    };
    // W is carried along by W ← W + A⁺B⁺ - AB, and the gradient is taken at it.
    let start = Array1::from_iter(a0.iter().chain(b0.iter()).copied());
    let carried = std::cell::RefCell::new((start.clone(), &w0 + &split(&start).product()));
    let view = field(|_t, phi: &Array1<F>, dphi: &mut Array1<F>| {
        let (before, w) = &mut *carried.borrow_mut();
        *w = &*w + &(split(phi).product() - split(before).product());
        before.assign(phi);
        dphi.assign(&gradient(&split(phi), w));
    });
    let layer = field(|_t, phi: &Array1<F>, dphi: &mut Array1<F>| {
        dphi.assign(&gradient(&split(phi), &(&w0 + &split(phi).product())));
    });
    let (mut one, mut two, h) = (start.clone(), start, F::of(1e-2));
    if adam {
        Flow::new(view, Adam::default()).steps(500, h, &mut one).unwrap();
        Flow::new(layer, Adam::default()).steps(500, h, &mut two).unwrap();
    } else {
        Flow::new(view, Sgd::new()).steps(500, h, &mut one).unwrap();
        Flow::new(layer, Sgd::new()).steps(500, h, &mut two).unwrap();
    }
    let difference = split(&one).product() - split(&two).product();
    difference.iter().fold(0.0_f64, |m, d| m.max(d.f64().abs()))
}

#[test]
fn training_the_factors_is_the_optimiser_view() {
    for adam in [false, true] {
        let (double, single) = (views::<f64>(adam), views::<f32>(adam));
        assert!(double < 1e-12 && single < 1e-5, "adam {adam}: {double:e}, {single:e}");
    }
}

#[test]
fn a_fresh_increment_is_zero_and_both_factors_zero_never_move() {
    let net = net();
    let base: Array1<f64> = net.init(0);
    let lora = Lora::new(&net, &base, 2, LoraScale::Plain);
    assert_eq!(lora.merge(&lora.init(3)).unwrap(), base);
    assert_eq!(lora.init(3), lora.init(3));
    let (x, ybar) = (numbers(4, 3, 1), numbers(4, 2, 2));
    let (mut tape, mut y) = (lora.tape(4), ybar.clone());
    let nothing = Array1::zeros(lora.n_params());
    lora.forward(&nothing, &x, &mut y, &mut tape).unwrap();
    let mut gradient = nothing.clone();
    lora.vjp(&nothing, &ybar, Some(&mut gradient), None, &mut tape).unwrap();
    assert_eq!(gradient, nothing);
    let mut next = 0;
    for part in lora.layout() {
        assert_eq!(part.offset, next, "{}", part.name);
        next += part.shape.iter().product::<usize>();
    }
    assert_eq!(next, lora.n_params());
}

#[test]
fn unusable_increments_are_refused_before_the_first_step() {
    let net = Mlp::velocity(2, &[8]);
    let base: Array1<f32> = net.init(0);
    let data = dataset::moons::<f32>(100, 0.1, 0);
    let refuse = |lora: Lora<'_, f32, Mlp>| {
        let mut phi = Array1::zeros(Network::<f32>::n_params(&lora));
        Flow::new(Matching::new(&lora, &data, 10), Adam::default()).steps(1, 1e-3, &mut phi).unwrap_err()
    };
    assert!(matches!(refuse(Lora::new(&net, &base, 9, LoraScale::Plain)), Error::Setting { .. }));
    assert!(matches!(
        refuse(Lora::new(&net, &base, 1, LoraScale::Standard { alpha: -1.0 })),
        Error::Setting { .. }
    ));
    assert!(matches!(refuse(Lora::new(&net, &base, 1, LoraScale::Plain).plus(0.0)), Error::Setting { .. }));
    let short = base.slice(s![1..]).to_owned();
    assert!(matches!(refuse(Lora::new(&net, &short, 1, LoraScale::Plain)), Error::Shape { .. }));
    assert!(Lora::new(&net, &base, 1, LoraScale::Plain).merge(&Array1::zeros(3)).is_err());
}
