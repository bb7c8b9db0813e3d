//! Residual networks: derivatives, depth as time, and what makes depth trainable.

use flowfield::dataset::normal;
use flowfield::integrate::{Euler, Integrator, Midpoint, Rk4, Sgd};
use flowfield::nn::{Activation, DeepNorm, DepthStep, Network, Norm, NormPlacement, Optimiser, Residual};
use flowfield::{Error, Flow, VectorField, field};
use ndarray::{Array1, Array2};

const PLACEMENTS: [NormPlacement; 5] = [
    NormPlacement::None,
    NormPlacement::Pre,
    NormPlacement::Post,
    NormPlacement::Deep { alpha: 1.7 },
    NormPlacement::Sub,
];

/// Every placement and norm, kept and recomputed, with widths off and on whole groups.
fn networks() -> Vec<Residual> {
    let mut all = Vec::new();
    for placement in PLACEMENTS {
        for norm in [Norm::Layer, Norm::Rms] {
            let net = Residual::new(3, 7, 5, 2).inner(9).activation(Activation::Tanh);
            let net = net.norm(placement).norm_kind(norm).step(DepthStep::Fixed(0.7));
            all.push(net.clone());
            all.push(net.recompute());
        }
    }
    all.push(Residual::velocity(2, 16, 3).inner(32).norm(NormPlacement::Pre));
    all
}

fn vector(n: usize, seed: u64) -> Array1<f64> {
    normal::<f64>((1, n), seed).row(0).to_owned()
}

/// Initial parameters with biases that are not zero.
fn parameters(net: &Residual) -> Array1<f64> {
    Network::<f64>::init(net, 1) + vector(net.n_params(), 2) * 0.1
}

fn value(net: &Residual, theta: &Array1<f64>, x: &Array2<f64>) -> Array2<f64> {
    let mut y = Array2::zeros((x.nrows(), Network::<f64>::outputs(net)));
    net.forward(theta, x, &mut y, &mut net.tape(x.nrows())).unwrap();
    y
}

/// Rows beyond one block of 64.
const ROWS: usize = 67;

#[test]
fn forward_mode_is_a_difference_quotient_and_reverse_mode_its_dual() {
    for net in networks() {
        let (theta, dtheta) = (parameters(&net), vector(net.n_params(), 3));
        let inputs = Network::<f64>::inputs(&net);
        let (x, dx) = (normal::<f64>((ROWS, inputs), 4), normal::<f64>((ROWS, inputs), 5));
        let mut y = value(&net, &theta, &x);
        let (mut tape, ybar, h) = (net.tape(ROWS), normal::<f64>(y.dim(), 6), 1e-6);
        net.forward(&theta, &x, &mut y, &mut tape).unwrap();
        let mut dy = y.clone();
        net.jvp(&theta, Some(&dtheta), Some(&dx), &mut dy, &mut tape).unwrap();
        let moved = |s: f64| value(&net, &(&theta + &(&dtheta * s)), &(&x + &(&dx * s)));
        let slope = (moved(h) - moved(-h)) / (2.0 * h);
        let scale = slope.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
        assert!((&dy - &slope).iter().all(|d| d.abs() < 1e-6 * scale), "{net:?}");
        let (mut theta_bar, mut xbar) = (Array1::zeros(theta.len()), x.clone());
        net.vjp(&theta, &ybar, Some(&mut theta_bar), Some(&mut xbar), &mut tape).unwrap();
        let (pulled, pushed) = ((&theta_bar * &dtheta).sum() + (&xbar * &dx).sum(), (&ybar * &dy).sum());
        assert!((pulled - pushed).abs() < 1e-10 * (1.0 + pushed.abs()), "{net:?}: {pulled}, {pushed}");
    }
}

#[test]
fn reverse_over_forward_is_a_difference_quotient() {
    for net in networks() {
        let (theta, dtheta) = (parameters(&net), vector(net.n_params(), 3));
        let inputs = Network::<f64>::inputs(&net);
        let (x, dx, move_x) = (
            normal::<f64>((ROWS, inputs), 4),
            normal::<f64>((ROWS, inputs), 5),
            normal::<f64>((ROWS, inputs), 7),
        );
        let ybar = normal::<f64>((ROWS, Network::<f64>::outputs(&net)), 6);
        let (mut tape, h) = (net.tape(ROWS), 1e-5);
        let mut directional = |theta: &Array1<f64>, x: &Array2<f64>| {
            let (mut y, mut dy) = (ybar.clone(), ybar.clone());
            net.forward(theta, x, &mut y, &mut tape).unwrap();
            net.jvp(theta, None, Some(&dx), &mut dy, &mut tape).unwrap();
            (&dy * &ybar).sum()
        };
        let in_theta = (directional(&(&theta + &(&dtheta * h)), &x)
            - directional(&(&theta - &(&dtheta * h)), &x))
            / (2.0 * h);
        let in_x = (directional(&theta, &(&x + &(&move_x * h)))
            - directional(&theta, &(&x - &(&move_x * h))))
            / (2.0 * h);
        directional(&theta, &x);
        let (mut theta_bar, mut xbar) = (Array1::zeros(theta.len()), x.clone());
        net.vjp_of_jvp(&theta, &ybar, &dx, Some(&mut theta_bar), Some(&mut xbar), &mut tape).unwrap();
        let (got, want) = ((&theta_bar * &dtheta).sum(), in_theta);
        assert!((got - want).abs() < 1e-5 * (1.0 + want.abs()), "{net:?}: theta {got}, {want}");
        let (got, want) = ((&xbar * &move_x).sum(), in_x);
        assert!((got - want).abs() < 1e-5 * (1.0 + want.abs()), "{net:?}: x {got}, {want}");
    }
}

fn squares(_: usize, y: &[f64], ybar: &mut [f64]) -> f64 {
    ybar.copy_from_slice(y);
    0.5 * y.iter().map(|y| y * y).sum::<f64>()
}

#[test]
fn recomputing_and_fusing_change_nothing() {
    for net in networks() {
        let (theta, x) = (parameters(&net), normal::<f64>((ROWS, Network::<f64>::inputs(&net)), 4));
        let y = value(&net, &theta, &x);
        let (mut plain, mut fused, mut again) =
            (Array1::zeros(theta.len()), Array1::zeros(theta.len()), Array1::zeros(theta.len()));
        let mut tape = net.tape(ROWS);
        net.forward(&theta, &x, &mut y.clone(), &mut tape).unwrap();
        net.vjp(&theta, &y, Some(&mut plain), None, &mut tape).unwrap();
        net.loss_gradient(&theta, &x, squares, &mut fused, &mut tape).unwrap();
        assert_eq!(plain, fused, "{net:?}");
        let other = net.clone().recompute();
        other.loss_gradient(&theta, &x, squares, &mut again, &mut other.tape(ROWS)).unwrap();
        assert_eq!(fused, again, "{net:?}");
    }
}

#[test]
fn blocks_are_euler_steps_of_the_depth_field() {
    for placement in [NormPlacement::None, NormPlacement::Pre, NormPlacement::Sub] {
        // Square ends that are the identity: the network is its blocks.
        let net = Residual::new(6, 6, 8, 6).norm(placement).step(DepthStep::InverseDepth);
        let mut theta = parameters(&net);
        let parts = Network::<f64>::layout(&net);
        for name in ["input", "output"] {
            for part in parts.iter().filter(|p| p.name.starts_with(name)) {
                for i in 0..part.shape.iter().product() {
                    theta[part.offset + i] = if part.shape.len() == 2 && i % 7 == 0 { 1.0 } else { 0.0 };
                }
            }
        }
        let x = normal::<f64>((5, 6), 1);
        let mut h = x.clone();
        Flow::new(net.depth_field(&theta), Euler::new()).steps(8, 0.125, &mut h).unwrap();
        let y = value(&net, &theta, &x);
        if placement == NormPlacement::None {
            assert!((&h - &y).iter().all(|d| d.abs() < 1e-13));
        } else {
            // The network's last norm.
            for (h, y) in h.rows().into_iter().zip(y.rows()) {
                let mean = h.mean().unwrap();
                let sigma = (h.mapv(|v| (v - mean).powi(2)).mean().unwrap()).sqrt();
                assert!(h.iter().zip(y).all(|(h, y)| ((h - mean) / sigma - y).abs() < 1e-9));
            }
        }
    }
}

#[test]
fn every_integrator_follows_smooth_depth_with_its_own_order() {
    // x' = tanh(x A(t)) with A smooth in t.
    let (a, b) = (normal::<f64>((16, 16), 1) * 0.3, normal::<f64>((16, 16), 2) * 0.3);
    let depth = || {
        field(|t, x: &Array2<f64>, dx| *dx = x.dot(&(&a * t.cos() + &b * (2.0 * t).sin())).mapv(f64::tanh))
    };
    fn run(
        flow: impl VectorField<Array2<f64>>,
        method: impl Integrator<Array2<f64>>,
        n: usize,
    ) -> Array2<f64> {
        let mut x = normal::<f64>((4, 16), 3);
        Flow::new(flow, method).steps(n, 1.0 / n as f64, &mut x).unwrap();
        x
    }
    let reference = run(depth(), Rk4::new(), 2048);
    let error = |x: Array2<f64>| (x - &reference).iter().map(|d| d * d).sum::<f64>().sqrt();
    let order = |coarse: Array2<f64>, fine: Array2<f64>| (error(coarse) / error(fine)).log2();
    let euler = order(run(depth(), Euler::new(), 32), run(depth(), Euler::new(), 64));
    let midpoint = order(run(depth(), Midpoint::new(), 32), run(depth(), Midpoint::new(), 64));
    let rk4 = order(run(depth(), Rk4::new(), 16), run(depth(), Rk4::new(), 32));
    for (order, want) in [(euler, 1.0), (midpoint, 2.0), (rk4, 4.0)] {
        assert!((order - want).abs() < 0.12, "{order} against {want}");
    }
}

#[test]
fn interpolated_weights_make_depth_smooth() {
    // Parameters on a line in depth: the interpolated field does not depend on the number of blocks' spacing.
    let net = Residual::new(5, 5, 4, 5).activation(Activation::Tanh).step(DepthStep::InverseDepth);
    let mut theta = Array1::<f64>::zeros(net.n_params());
    let (from, by) = (vector(net.block_range(0).len(), 1) * 0.5, vector(net.block_range(0).len(), 2) * 0.1);
    for l in 0..4 {
        theta.slice_mut(ndarray::s![net.block_range(l)]).assign(&(&from + &(&by * l as f64)));
    }
    let run = |n: usize| {
        let mut h = normal::<f64>((3, 5), 3);
        Flow::new(net.depth_field(&theta).interpolated(), Rk4::new())
            .steps(n, 0.75 / n as f64, &mut h)
            .unwrap();
        h
    };
    let (coarse, fine, finest) = (run(6), run(12), run(96));
    let gap = |a: &Array2<f64>| (a - &finest).iter().map(|d| d * d).sum::<f64>().sqrt();
    assert!((gap(&coarse) / gap(&fine)).log2() > 3.5, "{:e}, {:e}", gap(&coarse), gap(&fine));
}

/// u' = (I - u uᵀ) F(u): the flow of F on the sphere; and x' = F(x/|x|).
fn sphere(dim: usize) -> (impl Fn(&Array1<f64>) -> Array1<f64>, Array1<f64>) {
    let w = normal::<f64>((dim, dim), 1) * (1.0 / (dim as f64).sqrt());
    let start = vector(dim, 2);
    (move |u: &Array1<f64>| w.dot(&u.mapv(|v| (3.0 * v).tanh())), start)
}

#[test]
fn pre_norm_is_the_sphere_flow_in_slow_time() {
    let (f, start) = sphere(24);
    let unit = |x: &Array1<f64>| x / x.dot(x).sqrt();
    for (t, tol) in [(5.0, 1e-11), (20.0, 1e-10), (80.0, 1e-8)] {
        // State (x, s) with ds = dt/|x|, then the sphere flow for the time s.
        let pre = field(|_t, y: &Array1<f64>, dy: &mut Array1<f64>| {
            let x = y.slice(ndarray::s![..24]).to_owned();
            dy.slice_mut(ndarray::s![..24]).assign(&f(&unit(&x)));
            dy[24] = x.dot(&x).sqrt().recip();
        });
        let mut y = Array1::from_iter(start.iter().copied().chain([0.0]));
        Flow::new(pre, Rk4::new()).steps((t * 1000.0) as usize, 1e-3, &mut y).unwrap();
        let on_sphere = field(|_t, u: &Array1<f64>, du: &mut Array1<f64>| {
            let slope = f(u);
            *du = &slope - &(u * u.dot(&slope));
        });
        let mut u = unit(&start);
        let (s, steps) = (y[24], (t * 1000.0) as usize);
        Flow::new(on_sphere, Rk4::new()).steps(steps, s / steps as f64, &mut u).unwrap();
        let direction = unit(&y.slice(ndarray::s![..24]).to_owned());
        let gap = (&direction - &u).iter().fold(0.0_f64, |m, d| m.max(d.abs()));
        assert!(gap < tol, "T = {t}: {gap:e}");
    }
}

#[test]
fn post_norm_by_the_root_mean_square_is_retraction_euler_on_the_sphere() {
    // One linear block shared by all layers, through the network: n(h + ε f(h)).
    let dim = 8;
    let w = normal::<f64>((dim, dim), 1) * 0.5;
    let error = |n: usize| {
        let net = Residual::new(dim, dim, n, dim).activation(Activation::Identity).norm_kind(Norm::Rms);
        let net = net.norm(NormPlacement::Post).step(DepthStep::InverseDepth);
        let mut theta = Array1::<f64>::zeros(net.n_params());
        for part in Network::<f64>::layout(&net).iter().filter(|p| p.shape.len() == 2) {
            let second = part.name.starts_with("blocks") && part.name.contains(".1.");
            for i in 0..dim {
                for j in 0..dim {
                    let identity = f64::from(u8::from(i == j));
                    theta[part.offset + i * dim + j] = if second { w[[i, j]] } else { identity };
                }
            }
        }
        let mut x = normal::<f64>((1, dim), 4);
        let scale = (dim as f64).sqrt() / x.iter().map(|v| v * v).sum::<f64>().sqrt();
        x.mapv_inplace(|v| v * scale);
        let y = value(&net, &theta, &x);
        // On the sphere of radius √d: v' = (I - v vᵀ/d) F(v).
        let mut v = x;
        let flow = field(|_t, v: &Array2<f64>, dv: &mut Array2<f64>| {
            let slope = v.dot(&w);
            let along = (v * &slope).sum() / dim as f64;
            *dv = &slope - &(v * along);
        });
        Flow::new(flow, Rk4::new()).steps(400, 1.0 / 400.0, &mut v).unwrap();
        (y - v).iter().map(|d| d * d).sum::<f64>().sqrt()
    };
    let errors: Vec<f64> = [25, 50, 100, 200].map(error).to_vec();
    for pair in errors.windows(2) {
        assert!(((pair[0] / pair[1]).log2() - 1.0).abs() < 0.15, "{errors:?}");
    }
}

/// Relative change of the output, squared gradients of all blocks, for one small descent step of ½|y - t|².
fn probe(net: &Residual, seed: u64) -> (f64, Vec<f64>, f64, f64) {
    let theta: Array1<f64> = net.init(seed);
    let (x, target) = (normal::<f64>((8, 32), seed + 50), normal::<f64>((8, 32), seed + 60));
    let mut tape = net.tape(8);
    let mut gradient = Array1::zeros(theta.len());
    let loss = |first: usize, y: &[f64], ybar: &mut [f64]| {
        let target = &target.as_slice().unwrap()[first * 32..][..y.len()];
        ybar.iter_mut().zip(y.iter().zip(target)).for_each(|(b, (y, t))| *b = (y - t) / 8.0);
        0.5 * y.iter().zip(target).map(|(y, t)| (y - t).powi(2)).sum::<f64>() / 8.0
    };
    let before = net.loss_gradient(&theta, &x, loss, &mut gradient, &mut tape).unwrap();
    // The ends and the biases, which DeepNorm does not scale, stand still.
    let mut blocks = Array1::zeros(theta.len());
    for part in
        Network::<f64>::layout(net).iter().filter(|p| p.name.starts_with("blocks") && p.shape.len() == 2)
    {
        let range = part.offset..part.offset + part.shape.iter().product::<usize>();
        blocks.slice_mut(ndarray::s![range.clone()]).assign(&gradient.slice(ndarray::s![range]));
    }
    let step = &blocks * -1e-3;
    let after = net.loss_gradient(&(&theta + &step), &x, loss, &mut gradient, &mut tape).unwrap();
    let norms = net.block_norms(&blocks).unwrap();
    let linear = -1e-3 * blocks.dot(&blocks);
    (net.update_magnitude(&theta, &step, &x).unwrap(), norms, linear, after - before)
}

fn deep(blocks: usize, placement: NormPlacement, gain: f64) -> Residual {
    Residual::new(32, 32, blocks, 32).activation(Activation::Relu).norm(placement).gain(gain)
}

/// One sublayer a block, so that a network of S blocks has S/2 layers of the paper.
fn deep_norm(blocks: usize) -> Residual {
    let constants = DeepNorm::encoder_only(blocks.div_ceil(2));
    deep(blocks, NormPlacement::Deep { alpha: constants.alpha }, constants.beta)
}

#[test]
fn deep_norm_makes_the_update_independent_of_depth() {
    for seed in 0..3 {
        let mut updates = Vec::new();
        for blocks in [6, 18, 100, 300, 1000] {
            let (update, norms, linear, actual) = probe(&deep_norm(blocks), seed);
            updates.push(update);
            let ratio = norms[0] / norms[norms.len() - 1];
            assert!((0.7..1.5).contains(&ratio), "seed {seed}, {blocks} blocks: first to last {ratio}");
            assert!((linear / actual - 1.0).abs() < 0.05, "seed {seed}, {blocks}: {linear}, {actual}");
        }
        let most = updates.iter().fold(0.0_f64, |m, &u| m.max(u));
        let least = updates.iter().fold(f64::MAX, |m, &u| m.min(u));
        assert!(most / least < 1.6, "seed {seed}: {updates:?}");
        let (post, ..) = probe(&deep(300, NormPlacement::Post, 1.0), seed);
        assert!(post > 20.0 * most, "seed {seed}: post-norm {post} against {most}");
    }
}

#[test]
fn post_norm_loses_the_gradient_of_the_first_blocks_and_pre_norm_that_of_the_last() {
    let ends = |net: &Residual| {
        let (_, norms, ..) = probe(net, 0);
        norms[0] / norms[norms.len() - 1]
    };
    assert!(ends(&deep(1000, NormPlacement::Post, 1.0)) < 1e-6);
    assert!(ends(&deep(1000, NormPlacement::Pre, 1.0)) > 5.0);
}

#[test]
fn relative_increments_along_the_depth() {
    let report = |placement| {
        let net = Residual::new(64, 64, 1000, 64).activation(Activation::Relu).norm(placement);
        let theta: Array1<f64> = net.init(3);
        net.depth_report(&theta, &normal::<f64>((16, 64), 1)).unwrap()
    };
    let slope = |increments: &[f64]| {
        // Least squares of log increment on log l, over l = 4 … 1000.
        let points = (4..=1000).map(|l| ((l as f64).ln(), increments[l - 1].ln()));
        let (n, sx, sy, sxx, sxy) = points.fold((0.0, 0.0, 0.0, 0.0, 0.0), |s, (x, y)| {
            (s.0 + 1.0, s.1 + x, s.2 + y, s.3 + x * x, s.4 + x * y)
        });
        (n * sxy - sx * sy) / (n * sxx - sx * sx)
    };
    let (pre, post) = (report(NormPlacement::Pre), report(NormPlacement::Post));
    assert!((slope(&pre.increment) + 0.5).abs() < 0.08, "{}", slope(&pre.increment));
    assert!(slope(&post.increment).abs() < 0.05 && post.increment[999] > 0.4, "{}", slope(&post.increment));
    // √L for independent weights in pre-norm, L in post-norm.
    assert!((30.0..100.0).contains(&pre.effective_depth()), "{}", pre.effective_depth());
    assert!(post.effective_depth() > 400.0);
}

#[test]
fn a_thousand_layers_train_with_deep_norm_and_not_with_post_norm() {
    // Learn a rotation of the plane; 1000 blocks of width 8, 60 steps.
    let x = normal::<f64>((32, 2), 1);
    let target = Array2::from_shape_fn((32, 2), |(i, j)| if j == 0 { x[[i, 1]] } else { -x[[i, 0]] });
    struct Regression<'a> {
        net: &'a Residual,
        x: &'a Array2<f64>,
        target: &'a Array2<f64>,
        loss: f64,
    }
    impl VectorField<Array1<f64>> for Regression<'_> {
        fn eval(&mut self, _t: f64, theta: &Array1<f64>, dtheta: &mut Array1<f64>) {
            let target = self.target.as_slice().unwrap();
            let loss = |first: usize, y: &[f64], ybar: &mut [f64]| {
                let target = &target[first * 2..][..y.len()];
                ybar.iter_mut().zip(y.iter().zip(target)).for_each(|(b, (y, t))| *b = (t - y) / 32.0);
                0.5 * y.iter().zip(target).map(|(y, t)| (y - t).powi(2)).sum::<f64>() / 32.0
            };
            self.loss = self.net.loss_gradient(theta, self.x, loss, dtheta, &mut self.net.tape(32)).unwrap();
        }
    }
    let run = |net: &Residual| {
        let mut theta: Array1<f64> = net.init(0);
        let regression = Regression { net, x: &x, target: &target, loss: 0.0 };
        let mut training = Flow::new(regression, Sgd::new());
        training.step(0.02, &mut theta).unwrap();
        let first = training.field().loss;
        let outcome = training.steps(60, 0.02, &mut theta);
        let last = if outcome.is_ok() { training.field().loss } else { f64::INFINITY };
        last / first
    };
    let constants = DeepNorm::encoder_only(500);
    let small = |placement, gain| Residual::new(2, 8, 1000, 2).norm(placement).gain(gain);
    let deep = run(&small(NormPlacement::Deep { alpha: constants.alpha }, constants.beta));
    let post = run(&small(NormPlacement::Post, 1.0));
    assert!(deep < 0.5, "{deep}");
    assert!(post.is_nan() || post >= 0.8, "{post}");
}

/// The stream of a network whose ends are the identity.
fn identity_ends(net: &Residual, seed: u64) -> Array1<f64> {
    let mut theta: Array1<f64> = net.init(seed);
    for part in Network::<f64>::layout(net).iter().filter(|p| !p.name.starts_with("blocks")) {
        let columns = *part.shape.last().unwrap();
        for i in 0..part.shape.iter().product() {
            theta[part.offset + i] = if part.shape.len() == 2 && i % (columns + 1) == 0 { 1.0 } else { 0.0 };
        }
    }
    theta
}

#[test]
fn neighbouring_pre_norm_blocks_merge_into_one_as_the_depth_grows() {
    let net = Residual::new(64, 64, 1000, 64).activation(Activation::Relu).norm(NormPlacement::Pre);
    let theta = identity_ends(&net, 2);
    let mut field = net.depth_field(&theta);
    let mut block = |l: usize, h: &Array2<f64>| {
        let mut dh = h.clone();
        field.eval(l as f64 / 1000.0, h, &mut dh);
        dh / 1000.0
    };
    let size = |a: &Array2<f64>| a.iter().map(|v| v * v).sum::<f64>().sqrt();
    let mut h = normal::<f64>((16, 64), 1);
    let mut errors = Vec::new();
    for l in 0..902 {
        let step = block(l, &h);
        if [4, 16, 64, 256, 901].contains(&l) {
            // Both blocks of the same stream, against one after the other.
            let (second, parallel) = (block(l + 1, &(&h + &step)), block(l + 1, &h));
            errors.push((l, size(&(&second - &parallel)) / size(&(&step + &second)) * (l as f64).sqrt()));
        }
        h += &step;
    }
    assert!(errors.iter().all(|(_, e)| (0.4..1.2).contains(e)), "relative errors times √l: {errors:?}");
}

#[test]
fn what_the_last_block_contributes() {
    // A block of zeros passes the (normalised) stream on: it is removed.
    let change = |placement, gain, blocks: usize| {
        let net = Residual::new(64, 64, blocks, 64).activation(Activation::Relu).norm(placement).gain(gain);
        let theta = identity_ends(&net, 3);
        let mut without = theta.clone();
        without.slice_mut(ndarray::s![net.block_range(blocks - 1)]).fill(0.0);
        let x = normal::<f64>((16, 64), 1);
        let (y, removed) = (value(&net, &theta, &x), value(&net, &without, &x));
        let size = |a: &Array2<f64>| a.iter().map(|v| v * v).sum::<f64>().sqrt();
        size(&(&removed - &y)) / size(&y)
    };
    let all = |f: &dyn Fn(usize) -> f64| [64, 256, 1000].map(f);
    let pre = all(&|n| change(NormPlacement::Pre, 1.0, n));
    let post = all(&|n| change(NormPlacement::Post, 1.0, n));
    let deep = all(&|n| {
        let d = DeepNorm::encoder_only(n / 2);
        change(NormPlacement::Deep { alpha: d.alpha }, d.beta, n)
    });
    for (i, n) in [64.0_f64, 256.0, 1000.0].into_iter().enumerate() {
        assert!((0.5..1.5).contains(&(pre[i] * n.sqrt())), "pre {pre:?}");
        assert!(post[i] > 0.5, "post {post:?}");
        // At its start DeepNorm is closer to the identity than pre-norm is.
        assert!(deep[i] < 0.3 * pre[i], "deep {deep:?} against {pre:?}");
    }
}

#[test]
fn effective_depth_grows_like_the_root_of_the_depth_or_its_logarithm() {
    let depth = |blocks: usize, shared: bool| {
        let net = Residual::new(32, 32, blocks, 32).activation(Activation::Relu).norm(NormPlacement::Pre);
        let mut theta = identity_ends(&net, 5);
        if shared {
            let first = theta.slice(ndarray::s![net.block_range(0)]).to_owned();
            (1..blocks).for_each(|l| theta.slice_mut(ndarray::s![net.block_range(l)]).assign(&first));
        }
        net.depth_report(&theta, &normal::<f64>((8, 32), 1)).unwrap().effective_depth()
    };
    let [a, b, c] = [20, 200, 2000].map(|n| depth(n, false));
    let root = 10f64.sqrt();
    assert!((b / a / root - 1.0).abs() < 0.25 && (c / b / root - 1.0).abs() < 0.15, "{a}, {b}, {c}");
    // Aligned increments: a harmonic sum, ln 10 for every factor of ten.
    let [a, b, c] = [20, 200, 2000].map(|n| depth(n, true));
    assert!((c - b - 10f64.ln()).abs() < 0.3 && c < 12.0, "{a}, {b}, {c}");
}

#[test]
fn independent_linear_blocks_grow_as_their_variance_says() {
    // |Π (1 + ε W₂W₁) v|² grows like (1 + ε²)^N: bounded for 1/√N, not for 1, and not at all for 1/N.
    let growth = |blocks: usize, step| {
        let net = Residual::new(64, 64, blocks, 64).activation(Activation::Identity).step(step);
        let theta = identity_ends(&net, 4);
        let x = normal::<f64>((16, 64), 1);
        let report = net.depth_report(&theta, &x).unwrap();
        let start = (x.iter().map(|v| v * v).sum::<f64>() / 16.0).sqrt();
        2.0 * (report.stream[blocks - 1] / start).ln()
    };
    let unit = growth(100, DepthStep::Unit);
    assert!((unit / (100.0 * 2f64.ln()) - 1.0).abs() < 0.1, "{unit}");
    for n in [10, 100, 1000] {
        let want = n as f64 * (1.0 / n as f64).ln_1p();
        let got = growth(n, DepthStep::InverseSqrtDepth);
        assert!((got / want - 1.0).abs() < 0.2, "{n}: {got} against {want}");
    }
    assert!(growth(1000, DepthStep::InverseDepth).abs() < 0.05);
}

#[test]
fn the_step_of_a_block_scales_the_gradient_of_the_parameters() {
    let squared = |blocks: usize, step| {
        let net = deep(blocks, NormPlacement::None, 1.0).step(step);
        probe(&net, 0).1.iter().map(|n| n * n).sum::<f64>()
    };
    let root = [6, 100, 1000].map(|n| squared(n, DepthStep::InverseSqrtDepth));
    let (most, least) =
        (root.iter().fold(0.0, |m: f64, &v| m.max(v)), root.iter().fold(f64::MAX, |m, &v| m.min(v)));
    assert!(most / least < 5.0, "1/√N: {root:?}");
    let [a, b, c] = [6, 100, 1000].map(|n| squared(n, DepthStep::InverseDepth));
    assert!((5.0..60.0).contains(&(a / b)) && (6.0..16.0).contains(&(b / c)), "1/N: {a}, {b}, {c}");
    assert!(squared(100, DepthStep::Unit) > 1e6 * root[1]);
}

#[test]
fn constants_for_the_optimiser() {
    let table = [(Optimiser::Sgd, 0.25, 0.25), (Optimiser::Adam, 0.5, 0.5), (Optimiser::Lamb, 0.0, 0.5)];
    for (optimiser, alpha, beta) in table {
        let d = DeepNorm::for_optimiser(50, optimiser);
        assert!(
            (d.alpha.ln() / 100f64.ln() - alpha).abs() < 1e-12
                && (d.beta.ln() / 100f64.ln() + beta).abs() < 1e-12
        );
    }
    // Su's constants for gradient descent give twice DeepNorm's squared gradient.
    let squared = |constants: DeepNorm| {
        let (_, norms, ..) =
            probe(&deep(300, NormPlacement::Deep { alpha: constants.alpha }, constants.beta), 1);
        norms.iter().map(|n| n * n).sum::<f64>()
    };
    let ratio = squared(DeepNorm::for_optimiser(150, Optimiser::Sgd)) / squared(DeepNorm::encoder_only(150));
    assert!((1.8..2.2).contains(&ratio), "{ratio}");
    // And those for Adam a gradient that falls, |g|² like 1/N, as Adam's update is |g|₁.
    let adam = |layers| {
        let d = DeepNorm::for_optimiser(layers, Optimiser::Adam);
        let net = deep(2 * layers, NormPlacement::Deep { alpha: d.alpha }, d.beta);
        probe(&net, 1).1.iter().map(|n| n * n).sum::<f64>()
    };
    let fall = adam(50) / adam(500);
    assert!((7.0..14.0).contains(&fall), "{fall}");
    let omega = flowfield::nn::admin_omega(12);
    assert!((omega * omega - (13.0 / 13f64.ln() - 1.0)).abs() < 1e-12);
}

#[test]
fn unusable_architectures_are_refused() {
    let setting = |net: Residual| matches!(Network::<f64>::check(&net), Err(Error::Setting { .. }));
    assert!(setting(Residual::new(2, 4, 0, 1)));
    assert!(setting(Residual::new(2, 4, 3, 1).norm(NormPlacement::Deep { alpha: 0.0 })));
    assert!(setting(Residual::new(2, 4, 3, 1).norm(NormPlacement::Deep { alpha: -1.0 })));
    assert!(setting(Residual::new(2, 4, 3, 1).gain(f64::NAN)));
    assert!(setting(Residual::new(2, 4, 3, 1).step(DepthStep::Fixed(0.0))));
    assert!(matches!(Network::<f64>::check(&Residual::new(2, 0, 3, 1)), Err(Error::ZeroWidth { layer: 1 })));
    let net = Residual::new(4, 4, 3, 4).norm(NormPlacement::Post);
    let theta: Array1<f64> = net.init(0);
    let mut h = Array2::zeros((2, 4));
    let refused = Flow::new(net.depth_field(&theta), Euler::new()).step(0.1, &mut h);
    assert!(matches!(refused, Err(Error::Unsupported { .. })));
}
