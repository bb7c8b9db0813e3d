//! From rectified flow to Wasserstein GANs: the identities that make a generator's update the particle flow of its critic.

use flowfield::dataset::{eight_gaussians, normal};
use flowfield::game::{DiscriminatorFlow, Estimator, Gan, GanLoss, LatentFlow, Penalty, PullBack};
use flowfield::integrate::{Adam, Ema, Euler, Rk4, Schedule};
use flowfield::matching::Matching;
use flowfield::nn::{Activation, Mlp, Network};
use flowfield::transport::Gaussian;
use flowfield::{Error, Flow, ParameterFlow, Result, VectorField, field};
use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, Axis, array};

fn players() -> (Mlp, Mlp) {
    (Mlp::new(3, &[7], 2).activation(Activation::Tanh), Mlp::new(2, &[6, 5], 1).activation(Activation::Silu))
}

fn samples(generator: &Mlp, theta: &ArrayRef1<f64>, z: &Array2<f64>) -> Array2<f64> {
    let mut x = Array2::zeros((z.nrows(), generator.outputs()));
    generator.forward(theta, z, &mut x, &mut generator.tape(z.nrows())).unwrap();
    x
}

/// Nodes and weights of the Gauss–Legendre rule on [0, 1], by Newton's method on the Legendre polynomial.
fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    (0..n)
        .map(|i| {
            let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..100 {
                let (mut p, mut before) = (x, 1.0);
                for k in 2..=n {
                    let k = k as f64;
                    (p, before) = (((2.0 * k - 1.0) * x * p - (k - 1.0) * before) / k, p);
                }
                slope = n as f64 * (x * p - before) / (x * x - 1.0);
                x -= p / slope;
            }
            ((1.0 + x) / 2.0, 1.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect()
}

/// Critic values and slopes at rows.
fn critic_at(critic: &Mlp, theta: &Array1<f64>, x: &Array2<f64>) -> (Array2<f64>, Array2<f64>) {
    let mut tape = critic.tape(x.nrows());
    let (mut d, mut slope) = (Array2::zeros((x.nrows(), 1)), x.clone());
    critic.forward(theta, x, &mut d, &mut tape).unwrap();
    critic.vjp(theta, &Array2::ones((x.nrows(), 1)), None, Some(&mut slope), &mut tape).unwrap();
    (d, slope)
}

#[test]
fn the_rectified_flow_loss_of_a_gradient_is_a_wgan_objective_with_a_penalty() {
    // E ∫ ½|∇D(x_t) - (x1 - x0)|² dt = E[D(x0) - D(x1)] + ½ E∫|∇D(x_t)|² dt + ½ E|x1 - x0|²: exact pair by pair,
    // for any critic without time and any coupling.
    let critic = Mlp::new(2, &[16, 16], 1).activation(Activation::Tanh);
    let theta = critic.init(1);
    let (x0, x1) = (normal::<f64>((12, 2), 0), eight_gaussians::<f64>(12, 2.0, 0.2, 1));
    let chord = &x1 - &x0;
    let (mut left, mut slopes) = (Array1::<f64>::zeros(12), Array1::<f64>::zeros(12));
    for (t, w) in gauss_legendre(40) {
        let (_, g) = critic_at(&critic, &theta, &(&x0 + &(t * &chord)));
        left = left + 0.5 * w * (&g - &chord).mapv(|v| v * v).sum_axis(Axis(1));
        slopes = slopes + 0.5 * w * g.mapv(|v| v * v).sum_axis(Axis(1));
    }
    let (d0, d1) = (critic_at(&critic, &theta, &x0).0, critic_at(&critic, &theta, &x1).0);
    let right: Array1<f64> =
        (&d0 - &d1).column(0).to_owned() + &slopes + 0.5 * chord.mapv(|v| v * v).sum_axis(Axis(1));
    let worst = left.iter().zip(&right).map(|(l, r): (&f64, &f64)| (l - r).abs()).fold(0.0, f64::max);
    assert!(worst < 1e-10, "{worst:e}");
}

#[test]
fn and_so_are_their_gradients() {
    let critic = Mlp::new(2, &[16, 16], 1).activation(Activation::Tanh);
    let theta = critic.init(1);
    let (x0, x1) = (normal::<f64>((12, 2), 0), eight_gaussians::<f64>(12, 2.0, 0.2, 1));
    let chord = (&x1 - &x0).into_raw_vec_and_offset().0;
    let (mut left, mut right) = (Array1::<f64>::zeros(theta.len()), Array1::<f64>::zeros(theta.len()));
    let mut tape = critic.tape(12);
    for (t, w) in gauss_legendre(40) {
        let x = &x0 + &(t * (&x1 - &x0));
        // ½|v - c|² on the left, ½|v|² on the right.
        for (sum, chord) in [(&mut left, chord.as_slice()), (&mut right, &[0.0; 24][..])] {
            let square = |first: usize, v: &[f64], bar: &mut [f64]| {
                let rows = bar.iter_mut().zip(v.iter().zip(&chord[2 * first..]));
                rows.map(|(bar, (v, c))| {
                    *bar = w * (v - c);
                    0.5 * w * (v - c) * (v - c)
                })
                .sum()
            };
            critic.slope_gradient(&theta, &x, square, sum, &mut tape).unwrap();
        }
    }
    for (x, sign) in [(&x0, 1.0), (&x1, -1.0)] {
        critic.forward(&theta, x, &mut Array2::zeros((12, 1)), &mut tape).unwrap();
        let ybar = Array2::from_elem((12, 1), sign);
        critic.vjp(&theta, &ybar, Some(&mut right), None, &mut tape).unwrap();
    }
    let worst = left.iter().zip(&right).map(|(l, r): (&f64, &f64)| (l - r).abs()).fold(0.0, f64::max);
    assert!(worst < 1e-10, "{worst:e}");
}

#[test]
fn both_estimators_of_the_critics_objective_agree_in_mean() {
    let (generator, critic) = players();
    let data = eight_gaussians::<f64>(60, 1.5, 0.1, 0);
    let mut games = [Estimator::Endpoint, Estimator::Line].map(|estimator| {
        let game = Gan::new(&generator, &critic, &data, 16).loss(GanLoss::Wasserstein);
        game.penalty(Penalty::wgan_gp(1.0)).estimator(estimator)
    });
    let theta = games[0].init(2);
    let mut direction = Array1::from_shape_fn(theta.len(), |k| (1.3 * k as f64).sin());
    direction.slice_mut(ndarray::s![games[0].generator()]).fill(0.0);
    // Differences on the same minibatches: loss and a component of the gradient; their mean is zero.
    let n = 3000;
    let mut sums = [[0.0; 2]; 2];
    let mut field = theta.clone();
    for _ in 0..n {
        let [end, line] = [0, 1].map(|k: usize| {
            games[k].redraw();
            games[k].eval(0.0, &theta, &mut field);
            [games[k].losses()[1], field.dot(&direction)]
        });
        for k in 0..2 {
            sums[k][0] += end[k] - line[k];
            sums[k][1] += (end[k] - line[k]).powi(2);
        }
    }
    for [sum, square] in sums {
        let (mean, n) = (sum / f64::from(n), f64::from(n));
        let error = ((square / n - mean * mean) / n).sqrt();
        assert!(mean.abs() < 4.0 * error && error < 0.02 && error > 1e-5, "{mean} {error}");
    }
}

#[test]
fn moving_samples_and_refitting_is_an_euler_step_of_the_generators_flow() {
    let (generator, critic) = players();
    let (phi, psi) = (Network::<f64>::init(&generator, 5), Network::<f64>::init(&critic, 6));
    let z = normal::<f64>((16, 3), 9);
    let x = samples(&generator, &phi, &z);
    let v = critic_at(&critic, &psi, &x).1;
    // One gradient step of rate eta on half the mean squared distance to the targets x + eps v ...
    let (eta, eps) = (0.5, 0.25);
    let target = &x + &(eps * &v);
    let (mut refitted, mut tape) = (phi.clone(), generator.tape(16));
    let residual = (&target - &x) / 16.0;
    let mut descent = Array1::zeros(phi.len());
    generator.forward(&phi, &z, &mut x.clone(), &mut tape).unwrap();
    generator.vjp(&phi, &residual, Some(&mut descent), None, &mut tape).unwrap();
    refitted.scaled_add(eta, &descent);
    // ... is one Euler step of size eta eps of the particle flow, pulled back.
    let mut flowed = phi.clone();
    let flow = PullBack::new(&generator, DiscriminatorFlow::new(&critic, &psi), 16).latents(&z);
    Flow::new(flow, Euler::new()).step(eta * eps, &mut flowed).unwrap();
    let worst = refitted.iter().zip(&flowed).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < 1e-15 && refitted != phi, "{worst:e}");

    // The step moves the samples by h J Jᵀ v + O(h²).
    let pull = &descent / eps;
    let mut linear = x.clone();
    generator.jvp(&phi, Some(&pull), None, &mut linear, &mut tape).unwrap();
    let gap = |h: f64| {
        let moved = samples(&generator, &(&phi + &(h * &pull)), &z) - &x;
        (moved - &(h * &linear)).mapv(|r| r * r).sum().sqrt()
    };
    let ratio = gap(1e-2) / gap(5e-3);
    assert!((ratio - 4.0).abs() < 0.1, "{ratio}");
}

/// A generator whose parameters are its samples.
struct Table {
    rows: usize,
}

impl Network<f64> for Table {
    type Tape = ();
    fn inputs(&self) -> usize {
        1
    }
    fn outputs(&self) -> usize {
        2
    }
    fn n_params(&self) -> usize {
        2 * self.rows
    }
    fn check(&self) -> Result<()> {
        Ok(())
    }
    fn init(&self, seed: u64) -> Array1<f64> {
        Array1::from_vec(normal((self.rows, 2), seed).into_raw_vec_and_offset().0)
    }
    fn tape(&self, _: usize) {}
    fn forward(
        &self,
        theta: &ArrayRef1<f64>,
        _: &ArrayRef2<f64>,
        y: &mut ArrayRef2<f64>,
        _: &mut (),
    ) -> Result<()> {
        y.iter_mut().zip(theta).for_each(|(y, t)| *y = *t);
        Ok(())
    }
    fn vjp(
        &self,
        _: &ArrayRef1<f64>,
        ybar: &ArrayRef2<f64>,
        theta_bar: Option<&mut ArrayRef1<f64>>,
        _: Option<&mut ArrayRef2<f64>>,
        _: &mut (),
    ) -> Result<()> {
        theta_bar.into_iter().for_each(|t| t.iter_mut().zip(ybar).for_each(|(t, y)| *t += *y));
        Ok(())
    }
    fn jvp(
        &self,
        _: &ArrayRef1<f64>,
        _: Option<&ArrayRef1<f64>>,
        _: Option<&ArrayRef2<f64>>,
        _: &mut ArrayRef2<f64>,
        _: &mut (),
    ) -> Result<()> {
        Err(Error::Empty { what: "the tangent" })
    }
    fn vjp_of_jvp(
        &self,
        _: &ArrayRef1<f64>,
        _: &ArrayRef2<f64>,
        _: &ArrayRef2<f64>,
        _: Option<&mut ArrayRef1<f64>>,
        _: Option<&mut ArrayRef2<f64>>,
        _: &mut (),
    ) -> Result<()> {
        Err(Error::Empty { what: "the tangent" })
    }
    fn loss_gradient<L>(
        &self,
        _: &ArrayRef1<f64>,
        _: &ArrayRef2<f64>,
        _: L,
        _: &mut ArrayRef1<f64>,
        _: &mut (),
    ) -> Result<f64>
    where
        L: Fn(usize, &[f64], &mut [f64]) -> f64 + Sync,
    {
        Err(Error::Empty { what: "the loss" })
    }
}

#[test]
fn a_generator_that_is_a_table_of_samples_is_its_particles() {
    let (rows, critic) = (16, players().1);
    let (table, data) = (Table { rows }, normal::<f64>((40, 2), 1));
    for loss in GanLoss::ALL {
        let game = Gan::new(&table, &critic, &data, rows).loss(loss).rates(1.0, 0.0);
        let mut theta = game.init(3);
        let psi = game.critic_part(&theta);
        let mut x = Array2::from_shape_vec((rows, 2), game.generator_part(&theta).to_vec()).unwrap();
        let flow = DiscriminatorFlow::new(&critic, &psi).loss(loss);
        // The mean over 16 rows moves each at 1/16 of its velocity: the same step in another unit of time, exactly.
        Flow::new(game, Rk4::new()).steps(5, 0.16, &mut theta).unwrap();
        Flow::new(flow, Rk4::new()).steps(5, 0.01, &mut x).unwrap();
        let worst = x.iter().zip(&theta).map(|(x, t)| (x - t).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-14, "{loss:?}: {worst:e}");
    }
}

#[test]
fn samples_and_latents_move_along_the_gradient_of_the_critic() {
    let (generator, critic) = players();
    let (phi, psi) = (Network::<f64>::init(&generator, 5), Network::<f64>::init(&critic, 6));
    for loss in GanLoss::ALL {
        // Of Σ h(D) in both cases.
        let height = |x: &Array2<f64>| critic_at(&critic, &psi, x).0.mapv(|d| loss.for_generator(d)[0]).sum();
        let (x, z) = (normal::<f64>((4, 2), 1), normal::<f64>((4, 3), 2));
        let (mut dx, mut dz) = (x.clone(), z.clone());
        DiscriminatorFlow::new(&critic, &psi).loss(loss).eval(0.0, &x, &mut dx);
        let along = DiscriminatorFlow::new(&critic, &psi).loss(loss);
        LatentFlow::new(&generator, &phi, along).eval(0.0, &z, &mut dz);
        let up = |h: f64| height(&(&x + &(h * &dx)));
        let slope = (up(1e-6) - up(-1e-6)) / 2e-6;
        let want = dx.mapv(|d| d * d).sum();
        assert!((slope / want - 1.0).abs() < 1e-6, "{loss:?}: {slope} {want}");
        let up = |h: f64| height(&samples(&generator, &phi, &(&z + &(h * &dz))));
        let slope = (up(1e-6) - up(-1e-6)) / 2e-6;
        let want = dz.mapv(|d| d * d).sum();
        assert!((slope / want - 1.0).abs() < 1e-6, "{loss:?}: {slope} {want}");
    }
}

/// Latents with mean zero and unit covariance, exactly.
fn whitened(n: usize) -> Array2<f64> {
    let z = normal::<f64>((n, 2), 0);
    let law = Gaussian::fit(&z).unwrap();
    let standard = Gaussian::new(array![0.0, 0.0], Array2::eye(2)).unwrap();
    law.map(&standard).unwrap().apply(&z).unwrap()
}

/// The law of the samples of a linear generator `z W + b` on standard normal latents.
fn law(theta: &Array1<f64>) -> Gaussian {
    let w = Array2::from_shape_vec((2, 2), theta.to_vec()[..4].to_vec()).unwrap();
    Gaussian::new(array![theta[4], theta[5]], w.t().dot(&w)).unwrap()
}

#[test]
fn a_linear_generator_follows_the_bures_wasserstein_geodesic() {
    let generator = Mlp::new(2, &[], 2);
    let start = array![1.0, 0.3, -0.2, 0.8, -1.0, 0.5];
    let (source, target) =
        (law(&start), Gaussian::new(array![2.0, 1.0], array![[0.5, 0.3], [0.3, 0.9]]).unwrap());
    let z = whitened(50);
    // The critic that is optimal for the transport from where the samples are now: its slope is T(x) - x. The samples then
    // go e^-s of the way that is left: the geodesic, run through in the time t = 1 - e^-s.
    let now = std::cell::RefCell::new(source.clone());
    let slope = field(|_t, x: &Array2<f64>, v: &mut Array2<f64>| {
        let law = Gaussian::fit(x).unwrap();
        v.assign(&(law.map(&target).unwrap().apply(x).unwrap() - x));
        *now.borrow_mut() = law;
    });
    let mut theta = start.clone();
    let mut flow = Flow::new(PullBack::new(&generator, slope, 50).latents(&z), Rk4::new());
    for k in 1..=5 {
        flow.steps(20, 0.02, &mut theta).unwrap();
        let on_the_way = source.geodesic(&target, 1.0 - (-0.4 * f64::from(k)).exp()).unwrap();
        let gap = law(&theta).w2_squared(&on_the_way).unwrap().sqrt();
        assert!(gap < 1e-6, "{k}: {gap:e}");
    }
    drop(flow);
    assert!(now.borrow().w2_squared(&source).unwrap() > 1.0);
}

#[test]
fn the_optimal_critic_of_two_gaussians_is_reached() {
    // With the flow penalty, from N(0, 1) to N(2, 1/4): D'(x) = (F_q(x) - F_p(x)) / ∫ρ_t(x) dt.
    let want = [(-1.0, 3.397), (0.0, 2.567), (1.0, 1.806), (2.0, 1.662), (2.5, 1.931)];
    let data = normal::<f32>((20_000, 1), 1).mapv(|z| 2.0 + 0.5 * z);
    let (generator, critic) =
        (Mlp::new(1, &[], 1), Mlp::new(1, &[32, 32], 1).activation(Activation::Softplus));
    for estimator in [Estimator::Endpoint, Estimator::Line] {
        let game =
            Gan::new(&generator, &critic, &data, 256).loss(GanLoss::Wasserstein).penalty(Penalty::reflow());
        let game = game.rates(0.0, 1.0).estimator(estimator);
        let mut theta = game.init(0);
        // The generator passes its noise on.
        (theta[0], theta[1]) = (1.0, 0.0);
        let mut flow = Flow::new(game, Ema::new(Adam::default(), 0.999)).controller(Schedule::cosine(4000));
        flow.steps(4000, 5e-3, &mut theta).unwrap();
        let psi = flow.field().critic_part(flow.integrator().average().unwrap()).mapv(f64::from);
        for (x, want) in want {
            let got = critic_at(&critic, &psi, &array![[x]]).1[[0, 0]];
            assert!((got / want - 1.0).abs() < 0.12, "{estimator:?} at {x}: {got} {want}");
        }
    }
}

#[test]
fn along_a_velocity_that_knows_the_time_a_generator_collapses_to_the_mean_of_the_data() {
    // Between independent pairs v(x, 0) = E[x₁] - x, whatever the data: no sample is told where to go.
    let data = eight_gaussians::<f32>(4000, 2.0, 0.05, 0).mapv(|x| x + 1.0);
    let velocity = Mlp::velocity(2, &[48, 48]);
    let mut psi = velocity.init(0);
    let mut training = Flow::new(Matching::new(&velocity, &data, 256), Ema::new(Adam::default(), 0.99));
    training.steps(1500, 3e-3, &mut psi).unwrap();
    let psi = training.integrator().average().unwrap().clone();
    let generator = Mlp::new(2, &[], 2);
    let mut theta = array![1.0, 0.0, 0.0, 1.0, 0.0, 0.0];
    let mut frozen = velocity.field(&psi);
    let at_zero = field(move |_t, x: &Array2<f32>, v: &mut Array2<f32>| frozen.eval(0.0, x, v));
    let z = whitened(200).mapv(|z| z as f32);
    Flow::new(PullBack::new(&generator, at_zero, 200).latents(&z), Euler::new())
        .steps(80, 0.1, &mut theta)
        .unwrap();
    let spread = theta.iter().take(4).fold(0.0_f32, |m, w| m.max(w.abs()));
    assert!(spread < 0.25, "{theta}");
    assert!((theta[4] - 1.0).abs() < 0.3 && (theta[5] - 1.0).abs() < 0.3, "{theta}");

    // A potential without time tells: with the critic of the flow penalty the samples keep their spread.
    let critic = Mlp::new(2, &[48, 48], 1);
    let game =
        Gan::new(&generator, &critic, &data, 256).loss(GanLoss::Wasserstein).penalty(Penalty::reflow());
    let mut both = game.init(0);
    let mut flow = Flow::new(game.rates(1.0, 1.0), Adam::default().betas(0.5, 0.9));
    flow.steps(2000, 2e-3, &mut both).unwrap();
    let w = Array2::from_shape_vec((2, 2), both.to_vec()[..4].to_vec()).unwrap();
    let law = w.t().dot(&w);
    assert!(law[[0, 0]].sqrt() > 0.8 && law[[1, 1]].sqrt() > 0.8, "{law}");
    assert!((both[4] - 1.0).abs() < 0.4 && (both[5] - 1.0).abs() < 0.4, "{both}");
}
