//! Low-precision fields, states and gradients.

use flowfield::dataset::normal;
use flowfield::integrate::{Adam, Euler, Momentum, Sgd};
use flowfield::nn::{Activation, Mlp, Network};
use flowfield::precision::{Format, LossScale, LossScaler, LowPrecision, Rounded, Rounding};
use flowfield::{Error, Flow, VectorField, field};
use ndarray::{Array1, Array2};

#[test]
fn small_updates_are_lost_in_bf16_and_kept_by_other_means() {
    let falling = || field(|_t, _y: &Array1<f32>, dy: &mut Array1<f32>| dy.fill(-1.0));
    let run = |rounding, n| {
        let mut y = Array1::<f32>::ones(n);
        let method = LowPrecision::new(Euler::new(), Format::Bf16).rounding(rounding);
        Flow::new(falling(), method).steps(1000, 1e-3, &mut y).unwrap();
        y
    };
    assert_eq!(run(Rounding::Nearest, 1)[0], 1.0);
    assert!(run(Rounding::Compensated, 1)[0].abs() < 5e-3);
    let stochastic = run(Rounding::Stochastic { seed: 1 }, 4096);
    let mean = stochastic.mean().unwrap();
    let deviation = stochastic.mapv(|y| (y - mean).powi(2)).mean().unwrap().sqrt();
    assert!(mean.abs() < 3e-3 && (0.01..0.1).contains(&deviation), "{mean}, {deviation}");
    assert_eq!(stochastic, run(Rounding::Stochastic { seed: 1 }, 4096));
    let mut master = Array1::<f32>::ones(1);
    Flow::new(falling(), Euler::new()).steps(1000, 1e-3, &mut master).unwrap();
    assert!(master[0].abs() < 2e-5);
}

/// y' = A y in 64 dimensions to t = 1, against double precision; the relative error.
fn linear(state: Option<(Format, Rounding)>, slope: Format, steps: usize) -> f64 {
    let a = normal::<f32>((64, 64), 1).mapv(|v| v / 8.0);
    let start = normal::<f32>((1, 64), 2).row(0).to_owned();
    let wide = a.mapv(f64::from);
    let mut exact = start.mapv(f64::from);
    let flow = field(|_t, y: &Array1<f64>, dy: &mut Array1<f64>| *dy = wide.dot(y));
    Flow::new(flow, flowfield::integrate::Rk4::new()).steps(400, 1.0 / 400.0, &mut exact).unwrap();
    let rounded = a.mapv(|v| slope.round(v));
    let field = Rounded::new(field(|_t, y: &Array1<f32>, dy: &mut Array1<f32>| *dy = rounded.dot(y)), slope);
    let (mut y, h) = (start, 1.0 / steps as f32);
    match state {
        None => Flow::new(field, Euler::new()).steps(steps, h, &mut y).unwrap(),
        Some((format, rounding)) => {
            let method = LowPrecision::new(Euler::new(), format).rounding(rounding);
            Flow::new(field, method).steps(steps, h, &mut y).unwrap();
        }
    }
    let gap: f64 = y.iter().zip(&exact).map(|(&y, e)| (f64::from(y) - e).powi(2)).sum();
    (gap / exact.dot(&exact)).sqrt()
}

#[test]
fn a_low_precision_field_sets_a_floor_and_a_low_precision_state_makes_small_steps_worse() {
    let (coarse, fine, finest) = (16, 256, 4096);
    let full = |n| linear(None, Format::Full, n);
    assert!((full(coarse) / full(fine) / 16.0 - 1.0).abs() < 0.3 && full(finest) < full(fine) / 8.0);
    let field = |n| linear(None, Format::Bf16, n);
    assert!((field(coarse) / full(coarse) - 1.0).abs() < 0.2);
    assert!(field(finest) > 2.0 * full(finest) && field(finest) < 5e-3, "{:e}", field(finest));
    let state = |n| linear(Some((Format::Bf16, Rounding::Nearest)), Format::Full, n);
    assert!(state(finest) > 3.0 * state(coarse), "{:e} after {:e}", state(finest), state(coarse));
    let kahan = linear(Some((Format::Bf16, Rounding::Compensated)), Format::Full, finest);
    assert!(kahan < 1e-2, "{kahan:e}");
    let f16 = linear(Some((Format::F16, Rounding::Nearest)), Format::Full, finest);
    assert!(f16 > 10.0 * kahan, "{f16:e}");
}

/// Minus the gradient of m · mean (g(theta, x) - target)², and the loss without m.
struct Regression<'a, N: Network<f32>> {
    net: &'a N,
    x: Array2<f32>,
    target: Array2<f32>,
    by: f32,
    tape: N::Tape,
    loss: f32,
}

impl<'a, N: Network<f32>> Regression<'a, N> {
    fn new(net: &'a N, by: f32) -> Self {
        let x = normal::<f32>((256, 16), 1);
        let target = Array2::from_shape_fn((256, 1), |(i, _)| (x[[i, 0]] + 0.5 * x[[i, 1]]).sin());
        Regression { net, x, target, by, tape: net.tape(256), loss: f32::NAN }
    }
}

impl<N: Network<f32>> VectorField<Array1<f32>> for Regression<'_, N> {
    fn eval(&mut self, _t: f32, theta: &Array1<f32>, dtheta: &mut Array1<f32>) {
        let (target, by) = (self.target.as_slice().unwrap(), self.by);
        let loss = |first: usize, y: &[f32], ybar: &mut [f32]| {
            let target = &target[first..first + y.len()];
            ybar.iter_mut().zip(y.iter().zip(target)).for_each(|(b, (y, t))| *b = by * (t - y) / 128.0);
            y.iter().zip(target).map(|(y, t)| (y - t).powi(2)).sum::<f32>() / 256.0
        };
        self.loss = self.net.loss_gradient(theta, &self.x, loss, dtheta, &mut self.tape).unwrap();
        // Divided back outside of the network: what underflowed there is gone.
        dtheta.mapv_inplace(|g| g / by);
    }
    fn check(&self, _theta: &Array1<f32>) -> flowfield::Result<()> {
        self.net.check()
    }
}

fn net() -> Mlp {
    Mlp::new(16, &[64], 1).activation(Activation::Tanh)
}

fn trained(format: Format, by: f32, scale: LossScale) -> (f32, u64) {
    let net = net().compute(format);
    let scaler = LossScaler::new(scale);
    let scaled = scaler.network(&net);
    let mut theta = Network::<f32>::init(&net, 0);
    let mut training = Flow::new(Regression::new(&scaled, by), scaler.guard(Momentum::new(0.9)));
    training.steps(600, 0.01, &mut theta).unwrap();
    (training.field().loss, scaler.skipped())
}

#[test]
fn bf16_with_master_parameters_trains_like_f32() {
    let (full, _) = trained(Format::Full, 1.0, LossScale::Static(1.0));
    let (half, _) = trained(Format::Bf16, 1.0, LossScale::Static(1.0));
    assert!(full > 1e-3 && (half / full - 1.0).abs() < 0.01, "{half} against {full}");
    // Without master parameters the updates get lost.
    let net = net().compute(Format::Bf16);
    let mut theta = Network::<f32>::init(&net, 0);
    let method = LowPrecision::new(Momentum::new(0.9), Format::Bf16);
    let mut training = Flow::new(Regression::new(&net, 1.0), method);
    training.steps(600, 0.01, &mut theta).unwrap();
    assert!(training.field().loss > 1.05 * full, "{}", training.field().loss);
    // Rounding them stochastically keeps the updates in the mean.
    let mut theta = Network::<f32>::init(&net, 0);
    let method =
        LowPrecision::new(Momentum::new(0.9), Format::Bf16).rounding(Rounding::Stochastic { seed: 3 });
    let mut training = Flow::new(Regression::new(&net, 1.0), method);
    training.steps(600, 0.01, &mut theta).unwrap();
    assert!((training.field().loss / full - 1.0).abs() < 0.05, "{} against {full}", training.field().loss);
}

#[test]
fn unscaled_gradients_vanish_in_f16_and_scaled_ones_do_not() {
    let net = net().compute(Format::F16);
    let theta = Network::<f32>::init(&net, 0);
    let zeros = |scale: f64| {
        let scaler = LossScaler::new(LossScale::Static(scale));
        let scaled = scaler.network(&net);
        let mut slope = theta.clone();
        Regression::new(&scaled, 1e-8).eval(0.0, &theta, &mut slope);
        // Of the first layer's weights.
        slope.iter().take(16 * 64).filter(|g| **g == 0.0).count() as f64 / 1024.0
    };
    assert!(zeros(1.0) > 0.99 && zeros(2f64.powi(20)) < 0.05, "{}, {}", zeros(1.0), zeros(2f64.powi(20)));
}

/// Momentum and Adam as they are written down, an array operation at a time.
fn unfused(
    adam: bool,
    mut y: Array1<f32>,
    slope: impl Fn(&Array1<f32>) -> Array1<f32>,
    h: f32,
) -> Array1<f32> {
    let (mut m, mut v) = (Array1::<f32>::zeros(y.len()), Array1::<f32>::zeros(y.len()));
    for k in 1..=20 {
        let f = slope(&y);
        if adam {
            m = &m * 0.9 + &f * (1.0 - 0.9_f64) as f32;
            v = &v * 0.999 + (&f * (1.0 - 0.999_f64) as f32) * &f;
            let scale = ((1.0 / (1.0 - 0.999_f64.powi(k))) as f32).sqrt();
            let lr = h * (1.0 / (1.0 - 0.9_f64.powi(k))) as f32;
            y = &y + &m * lr / (v.mapv(f32::sqrt) * scale + 1e-8);
        } else {
            m = &m * 0.9 + &f;
            y = &y + &m * h;
        }
    }
    y
}

#[test]
fn fused_updates_are_the_written_ones_to_the_last_bit() {
    // Beyond a block, off whole groups, and large enough for memory that is set apart.
    for n in [7, 5_003, 70_001] {
        let start = normal::<f32>((1, n), 1).row(0).to_owned();
        let slope = |y: &Array1<f32>| y.mapv(|y| 0.3 - y * y * y);
        let field = || field(|_t, y: &Array1<f32>, dy: &mut Array1<f32>| dy.assign(&slope(y)));
        let (mut momentum, mut adam) = (start.clone(), start.clone());
        Flow::new(field(), Momentum::new(0.9)).steps(20, 1e-2, &mut momentum).unwrap();
        Flow::new(field(), Adam::default()).steps(20, 1e-2, &mut adam).unwrap();
        assert_eq!(momentum, unfused(false, start.clone(), slope, 1e-2));
        assert_eq!(adam, unfused(true, start, slope, 1e-2));
    }
}

#[test]
fn an_update_that_is_not_finite_keeps_the_last_state() {
    for n in [3, 4_099] {
        let burst = || {
            field(move |_t, y: &Array1<f32>, dy: &mut Array1<f32>| {
                dy.fill(1.0);
                if y[0] > 0.5 {
                    dy[n - 1] = f32::INFINITY;
                }
            })
        };
        let mut y = Array1::<f32>::zeros(n);
        let error = Flow::new(burst(), Momentum::new(0.0)).steps(20, 0.1, &mut y).unwrap_err();
        assert!(matches!(error, Error::Diverged { component, .. } if component == n - 1), "{error}");
        assert!(y.iter().all(|y| (y - 0.6).abs() < 1e-5), "{y}");
        let mut y = Array1::<f32>::zeros(n);
        let error = Flow::new(burst(), Adam::default()).steps(20, 0.1, &mut y).unwrap_err();
        assert!(matches!(error, Error::Diverged { component, .. } if component == n - 1), "{error}");
        assert!(y.iter().all(|y| y.is_finite()));
    }
}

#[test]
fn f16_needs_its_loss_scaled() {
    let (full, _) = trained(Format::Full, 1.0, LossScale::Static(1.0));
    let (lost, _) = trained(Format::F16, 1e-7, LossScale::Static(1.0));
    assert!(lost > 5.0 * full, "{lost} against {full}");
    for scale in [LossScale::Static(2f64.powi(20)), LossScale::dynamic()] {
        let (kept, _) = trained(Format::F16, 1e-7, scale);
        assert!((kept / full - 1.0).abs() < 0.05, "{kept} against {full}");
    }
    // From far too large a scale some steps are skipped, and no more.
    let high =
        LossScale::Dynamic { init: 2f64.powi(30), growth: 2.0, backoff: 0.5, interval: 2000, min: 1.0 };
    let (kept, skipped) = trained(Format::F16, 1.0, high);
    assert!((kept / full - 1.0).abs() < 0.05 && (3..20).contains(&skipped), "{kept}, {skipped}");
}

#[test]
fn adam_on_a_scaled_loss_is_adam_with_a_smaller_eps() {
    let scale = 1024.0_f64;
    let net = net();
    let run = |by: f32, eps: f64| {
        let mut theta = Network::<f32>::init(&net, 0);
        let mut regression = Regression::new(&net, by);
        let up = field(move |t, theta: &Array1<f32>, dtheta: &mut Array1<f32>| {
            regression.eval(t, theta, dtheta);
            dtheta.mapv_inplace(|g| g * by);
        });
        Flow::new(up, Adam::default().eps(eps)).steps(50, 1e-3, &mut theta).unwrap();
        theta
    };
    // Powers of two change no digit: equal to the last bit.
    assert_eq!(run(scale as f32, 1e-4), run(1.0, 1e-4 / scale));
}

#[test]
fn skipped_steps_move_nothing() {
    let mut calls = 0;
    let sometimes = field(|_t, y: &Array1<f32>, dy: &mut Array1<f32>| {
        calls += 1;
        dy.assign(&y.mapv(|v| -v));
        if calls == 3 {
            dy[0] = f32::INFINITY;
        }
    });
    let scaler = LossScaler::new(LossScale::dynamic());
    let mut y = Array1::<f32>::ones(2);
    Flow::new(sometimes, scaler.guard(Adam::default())).steps(5, 1e-2, &mut y).unwrap();
    let mut smooth = Array1::<f32>::ones(2);
    Flow::new(field(|_t, y: &Array1<f32>, dy: &mut Array1<f32>| *dy = -y), Adam::default())
        .steps(4, 1e-2, &mut smooth)
        .unwrap();
    assert_eq!(y, smooth);
    assert_eq!((scaler.skipped(), scaler.scale()), (1, 32768.0));
}

#[test]
fn the_schedule_grows_and_backs_off() {
    let scaler =
        LossScaler::new(LossScale::Dynamic { init: 8.0, growth: 2.0, backoff: 0.5, interval: 3, min: 1.0 });
    let mut y = [1.0_f32];
    let mut flow = Flow::new(field(|_t, y: &[f32; 1], dy| *dy = [-y[0]]), scaler.guard(Sgd::new()));
    flow.steps(3, 0.1, &mut y).unwrap();
    assert_eq!(scaler.scale(), 16.0);
    flow.steps(7, 0.1, &mut y).unwrap();
    assert_eq!(scaler.scale(), 64.0);
}

#[test]
fn gradients_that_stay_bad_end_the_run_with_the_state_kept() {
    let scaler = LossScaler::new(LossScale::dynamic());
    let bad = field(|_t, _y: &[f32; 2], dy: &mut [f32; 2]| *dy = [f32::NAN, 1.0]);
    let mut y = [1.0, 2.0];
    let error = Flow::new(bad, scaler.guard(Sgd::new())).steps(100, 0.1, &mut y).unwrap_err();
    assert!(matches!(error, Error::GradientsNotFinite { steps: 20, .. }), "{error}");
    assert_eq!((y, scaler.scale()), ([1.0, 2.0], 1.0));
    for rule in [
        LossScale::Static(0.0),
        LossScale::Dynamic { init: 1.0, growth: 0.5, backoff: 0.5, interval: 1, min: 1.0 },
        LossScale::Dynamic { init: 1.0, growth: 2.0, backoff: 1.5, interval: 1, min: 1.0 },
        LossScale::Dynamic { init: 1.0, growth: 2.0, backoff: 0.5, interval: 1, min: 0.0 },
        // Would sink to 0, as the scale is kept in f32.
        LossScale::Dynamic { init: 1.0, growth: 2.0, backoff: 1e-3, interval: 1, min: 1e-60 },
        LossScale::Static(1e-60),
    ] {
        let scaler = LossScaler::new(rule);
        let still = field(|_t, y: &[f32; 2], dy| *dy = *y);
        let refused = Flow::new(still, scaler.guard(Sgd::new())).step(0.1, &mut y);
        assert!(matches!(refused, Err(Error::Setting { .. })));
    }
    // A scale that has sunk to its least is in the message, with what to do.
    let text = error.to_string();
    assert!(text.contains("20") && text.contains('1'), "{text}");
}

/// Value, gradient and cotangent of the input in a format, for f32 (which may have its own instructions) and f64 (which has not).
#[test]
fn native_products_are_those_of_rounded_operands() {
    for hidden in [&[33, 70][..], &[128, 128], &[1]] {
        let net = Mlp::new(5, hidden, 3).activation(Activation::Silu).compute(Format::Bf16);
        let theta = Network::<f32>::init(&net, 1);
        let (x, ybar) = (normal::<f32>((131, 5), 2), normal::<f32>((131, 3), 3));
        let (mut y, mut theta_bar, mut xbar) = (ybar.clone(), Array1::zeros(theta.len()), x.clone());
        let mut tape = net.tape(131);
        net.forward(&theta, &x, &mut y, &mut tape).unwrap();
        net.vjp(&theta, &ybar, Some(&mut theta_bar), Some(&mut xbar), &mut tape).unwrap();
        let wide = |a: &Array2<f32>| a.mapv(f64::from);
        let (theta64, x64, ybar64) = (theta.mapv(f64::from), wide(&x), wide(&ybar));
        let (mut y64, mut bar64, mut xbar64) = (ybar64.clone(), Array1::zeros(theta.len()), x64.clone());
        let mut tape = net.tape(131);
        net.forward(&theta64, &x64, &mut y64, &mut tape).unwrap();
        net.vjp(&theta64, &ybar64, Some(&mut bar64), Some(&mut xbar64), &mut tape).unwrap();
        // A value that lies next to a rounding boundary may fall on its other side: a few parts in 2⁸ of single terms.
        let close = |a: Vec<f64>, b: Vec<f64>, what: &str| {
            let scale = b.iter().map(|v| v * v).sum::<f64>().sqrt();
            let gap = a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt() / scale;
            assert!(gap < 1e-3, "{hidden:?} {what}: {gap:e}");
        };
        close(wide(&y).into_iter().collect(), y64.into_iter().collect(), "values");
        close(theta_bar.mapv(f64::from).to_vec(), bar64.to_vec(), "gradient");
        close(wide(&xbar).into_iter().collect(), xbar64.into_iter().collect(), "cotangent");
        // And the rounding is there.
        let full = net.clone().compute(Format::Full);
        let mut plain = y.clone();
        full.forward(&theta, &x, &mut plain, &mut full.tape(131)).unwrap();
        assert!(plain != y);
    }
}
