//! Laws of the stochastic methods: strong and weak orders against exact solutions, stationary variances, one path whatever the
//! steps, and what is refused.

#![allow(clippy::type_complexity, reason = "fields made of closures")]

mod common;

use common::slope;
use flowfield::integrate::*;
use flowfield::noise::{Brownian, Langevin, Overdamped, Sde};
use flowfield::{Error, Flow, VectorField, field};
use ndarray::{Array1, Array2};

const PATHS: usize = 2_000;
const A: f64 = 1.01;
const B: f64 = 0.87;

type Many = Array1<f64>;

/// Geometric Brownian motions `dx = a x dt + b x dW`, each with a motion of its own.
fn gbm(seed: u64) -> Sde<impl VectorField<Many>, impl FnMut(f64, &Many, &mut [f64]), Many> {
    let drift = field(|_t, x: &Many, dx: &mut Many| dx.zip_mut_with(x, |d, x| *d = A * x));
    let noise = |_t: f64, x: &Many, g: &mut [f64]| g.iter_mut().zip(x).for_each(|(g, x)| *g = B * x);
    Sde::diagonal(drift, noise).seed(seed)
}

/// Their values at time 1, for Itô's integral (`ito` = 1) or Stratonovich's (0).
fn gbm_exact(seed: u64, ito: f64) -> Vec<f64> {
    let mut path = Brownian::new(seed, PATHS);
    let w = path.at(1.0).unwrap().0;
    w.iter().map(|w| 0.5 * (A - ito * 0.5 * B * B + B * w).exp()).collect()
}

/// `dx = (b / √(1 + t) - x / (2 (1 + t))) dt + a b / √(1 + t) dW`, `x = (1 + b (t + a W)) / √(1 + t)`.
fn additive(seed: u64) -> Sde<impl VectorField<Many>, impl FnMut(f64, &Many, &mut [f64]), Many> {
    let drift = field(|t: f64, x: &Many, dx: &mut Many| {
        dx.zip_mut_with(x, |d, x| *d = 0.5 / (1.0 + t).sqrt() - x / (2.0 * (1.0 + t)));
    });
    let noise = |t: f64, _: &Many, g: &mut [f64]| g.fill(0.4 * 0.5 / (1.0 + t).sqrt());
    Sde::diagonal(drift, noise).constant().seed(seed)
}

fn additive_exact(seed: u64) -> Vec<f64> {
    let mut path = Brownian::new(seed, PATHS);
    let w = path.at(1.0).unwrap().0;
    w.iter().map(|w| (1.0 + 0.5 * (1.0 + 0.4 * w)) / 2.0_f64.sqrt()).collect()
}

fn mean_error(x: &Many, exact: &[f64]) -> f64 {
    x.iter().zip(exact).map(|(a, b)| (a - b).abs()).sum::<f64>() / exact.len() as f64
}

/// Slope of the mean error at time 1 over steps 2⁻⁴ .. 2⁻⁸.
fn strong_order<V, I>(make: impl Fn() -> (V, I), start: f64, exact: &[f64]) -> f64
where
    V: VectorField<Many>,
    I: Integrator<Many>,
{
    strong_order_over(4..9, make, start, exact)
}

/// The same over steps 2⁻ᵏ for these k.
fn strong_order_over<V, I>(
    exponents: std::ops::Range<u32>,
    make: impl Fn() -> (V, I),
    start: f64,
    exact: &[f64],
) -> f64
where
    V: VectorField<Many>,
    I: Integrator<Many>,
{
    let points: Vec<_> = exponents
        .map(|k| {
            let (n, mut x) = (1 << k, Many::from_elem(PATHS, start));
            let (sde, method) = make();
            Flow::new(sde, method).steps(n, 1.0 / n as f64, &mut x).unwrap();
            (1.0 / n as f64, mean_error(&x, exact))
        })
        .collect();
    slope(&points)
}

#[test]
fn strong_orders_for_diagonal_noise() {
    let (ito, strat) = (gbm_exact(1, 1.0), gbm_exact(1, 0.0));
    let close = |name: &str, got: f64, want: f64| {
        println!("{name}: strong order {got:.3}, theory {want}");
        assert!((got - want).abs() < 0.15, "{name}: {got} for {want}");
    };
    close("EulerMaruyama", strong_order(|| (gbm(1), EulerMaruyama::new()), 0.5, &ito), 0.5);
    close("Milstein", strong_order(|| (gbm(1), Milstein::new()), 0.5, &ito), 1.0);
    close("PlatenWeak2", strong_order(|| (gbm(1), PlatenWeak2::new()), 0.5, &ito), 1.0);
    close("Sriw1", strong_order(|| (gbm(1), Sriw1::new()), 0.5, &ito), 1.5);
    let s = || gbm(1).stratonovich();
    close("StratonovichHeun", strong_order(|| (s(), StratonovichHeun::new()), 0.5, &strat), 1.0);
}

#[test]
fn strong_orders_for_additive_noise() {
    let exact = additive_exact(2);
    let close = |name: &str, got: f64, want: f64| {
        println!("{name}: strong order {got:.3}, theory {want}");
        assert!((got - want).abs() < 0.15, "{name}: {got} for {want}");
    };
    close("EulerMaruyama", strong_order(|| (additive(2), EulerMaruyama::new()), 1.0, &exact), 1.0);
    // This equation is linear: one order is gained.
    close("Sra1", strong_order(|| (additive(2), Sra1::new()), 1.0, &exact), 2.0);
    // A nonlinear one, against its own path in short steps.
    let pendulums = || {
        let drift = field(|t: f64, x: &Many, dx: &mut Many| {
            dx.zip_mut_with(x, |d, x| *d = (2.0 * x).sin() + t.cos())
        });
        Sde::additive(drift, &[1.5]).seed(6)
    };
    let mut fine = Many::zeros(PATHS);
    Flow::new(pendulums(), Sra1::new()).steps(1 << 14, 1.0 / f64::from(1 << 14), &mut fine).unwrap();
    let fine = fine.to_vec();
    let over = 6..11;
    let euler = strong_order_over(over.clone(), || (pendulums(), EulerMaruyama::new()), 0.0, &fine);
    let heun = strong_order_over(over.clone(), || (pendulums(), StratonovichHeun::new()), 0.0, &fine);
    let sra = strong_order_over(over.clone(), || (pendulums(), Sra1::new()), 0.0, &fine);
    let sri = strong_order_over(over, || (pendulums(), Sriw1::new()), 0.0, &fine);
    close("EulerMaruyama, nonlinear", euler, 1.0);
    close("StratonovichHeun, nonlinear", heun, 1.0);
    close("Sra1, nonlinear", sra, 1.5);
    close("Sriw1, nonlinear", sri, 1.5);
}

/// Two equations, two motions, commuting columns: `dxᵢ = xᵢ (aᵢ dt + Σⱼ bᵢⱼ dWⱼ)`.
const MIX: [[f64; 2]; 2] = [[0.5, -0.3], [0.2, 0.6]];

fn mixed(seed: u64) -> Sde<impl VectorField<[f64; 2]>, impl FnMut(f64, &[f64; 2], &mut [f64]), [f64; 2]> {
    let drift = field(|_t, x: &[f64; 2], dx| *dx = [0.3 * x[0], -0.2 * x[1]]);
    let noise = |_t: f64, x: &[f64; 2], g: &mut [f64]| {
        (0..4).for_each(|k| g[k] = MIX[k / 2][k % 2] * x[k / 2]);
    };
    Sde::matrix(drift, 2, noise).commutative().seed(seed)
}

#[test]
fn strong_order_of_milstein_for_a_commutative_matrix() {
    let error = |k: u32, milstein: bool| {
        let n = 1 << k;
        let one = |seed: u64| {
            let mut x = [1.0, 1.0];
            let h = 1.0 / f64::from(n);
            if milstein {
                Flow::new(mixed(seed), Milstein::new()).steps(n as usize, h, &mut x).unwrap();
            } else {
                Flow::new(mixed(seed), EulerMaruyama::new()).steps(n as usize, h, &mut x).unwrap();
            }
            let mut path = Brownian::new(seed, 2);
            let w = path.at(1.0).unwrap().0;
            let exact = |i: usize, a: f64| {
                let [b, c] = MIX[i];
                (a - 0.5 * (b * b + c * c) + b * w[0] + c * w[1]).exp()
            };
            (x[0] - exact(0, 0.3)).abs() + (x[1] - exact(1, -0.2)).abs()
        };
        (0..400).map(one).sum::<f64>() / 400.0
    };
    let order = |milstein| slope(&[4, 5, 6, 7].map(|k| (1.0 / f64::from(1 << k), error(k, milstein))));
    let (euler, milstein) = (order(false), order(true));
    println!("matrix noise: EulerMaruyama {euler:.3}, Milstein {milstein:.3}");
    assert!((euler - 0.5).abs() < 0.15 && (milstein - 1.0).abs() < 0.15);
}

#[test]
fn strong_orders_where_one_motion_moves_all_components() {
    // dxᵢ = aᵢ xᵢ dt + bᵢ xᵢ dW, the same W: columns commute.
    let (a, b) = ([0.5, -0.4], [0.8, -0.5]);
    let error = |k: u32, which: u8| {
        let n = 1 << k;
        let one = |seed: u64| {
            let drift = field(move |_t, x: &[f64; 2], dx| *dx = [a[0] * x[0], a[1] * x[1]]);
            let noise = move |_t: f64, x: &[f64; 2], g: &mut [f64]| (0..2).for_each(|i| g[i] = b[i] * x[i]);
            let (sde, mut x, h) = (Sde::scalar(drift, noise).seed(seed), [1.0, 1.0], 1.0 / f64::from(n));
            match which {
                0 => Flow::new(sde, Milstein::new()).steps(n as usize, h, &mut x),
                1 => Flow::new(sde, Sriw1::new()).steps(n as usize, h, &mut x),
                _ => Flow::new(sde.stratonovich(), StratonovichHeun::new()).steps(n as usize, h, &mut x),
            }
            .unwrap();
            let w = Brownian::new(seed, 1).at(1.0).unwrap().0[0];
            let ito = if which < 2 { 0.5 } else { 0.0 };
            (0..2).map(|i| (x[i] - (a[i] - ito * b[i] * b[i] + b[i] * w).exp()).abs()).sum::<f64>()
        };
        (0..400).map(one).sum::<f64>() / 400.0
    };
    for (which, name, want) in [(0, "Milstein", 1.0), (1, "Sriw1", 1.5), (2, "StratonovichHeun", 1.0)] {
        let got = slope(&[4, 5, 6, 7].map(|k| (1.0 / f64::from(1 << k), error(k, which))));
        println!("{name}, scalar noise: strong order {got:.3}, theory {want}");
        assert!((got - want).abs() < 0.2, "{name}: {got} for {want}");
    }
}

/// Weak error of the second moment at time 1, the exact solution on the same paths as control variate.
fn weak_error<I: Integrator<Many>>(method: I, n: usize) -> f64 {
    let paths = 40_000;
    let (a, b) = (0.4, 0.4);
    let drift = field(move |_t, x: &Many, dx: &mut Many| dx.zip_mut_with(x, |d, x| *d = a * x));
    let noise = move |_t: f64, x: &Many, g: &mut [f64]| g.iter_mut().zip(x).for_each(|(g, x)| *g = b * x);
    let mut x = Many::ones(paths);
    Flow::new(Sde::diagonal(drift, noise).seed(3), method).steps(n, 1.0 / n as f64, &mut x).unwrap();
    let mut path = Brownian::new(3, paths);
    let w = path.at(1.0).unwrap().0;
    let exact = |w: &f64| (a - 0.5 * b * b + b * w).exp();
    x.iter().zip(w).map(|(x, w)| x * x - exact(w).powi(2)).sum::<f64>() / paths as f64
}

#[test]
fn weak_orders() {
    let order = |f: &dyn Fn(usize) -> f64| slope(&[2, 4, 8].map(|n| (1.0 / n as f64, f(n).abs())));
    let euler = order(&|n| weak_error(EulerMaruyama::new(), n));
    let platen = order(&|n| weak_error(PlatenWeak2::new(), n));
    println!("weak orders: EulerMaruyama {euler:.3}, PlatenWeak2 {platen:.3}");
    assert!((euler - 1.0).abs() < 0.3 && (platen - 2.0).abs() < 0.3);
}

#[test]
fn weak_order_two_where_the_columns_do_not_commute() {
    // dx = A x dt + B₁ x dW₁ + B₂ x dW₂; P = E x xᵀ obeys P' = A P + P Aᵀ + Σ B P Bᵀ.
    let (a, b1, b2) = ([-0.5, 0.8, -0.8, -0.5], [0.0, 0.7, 0.0, 0.0], [0.0, 0.0, 0.7, 0.3]);
    let times = |m: [f64; 4], x: [f64; 2]| [m[0] * x[0] + m[1] * x[1], m[2] * x[0] + m[3] * x[1]];
    let product = |m: [f64; 4], n: [f64; 4]| -> [f64; 4] {
        std::array::from_fn(|k| m[k / 2 * 2] * n[k % 2] + m[k / 2 * 2 + 1] * n[2 + k % 2])
    };
    let transpose = |m: [f64; 4]| [m[0], m[2], m[1], m[3]];
    let moments = field(move |_t, p: &[f64; 4], dp| {
        let (ap, s1, s2) = (
            product(a, *p),
            product(product(b1, *p), transpose(b1)),
            product(product(b2, *p), transpose(b2)),
        );
        *dp = std::array::from_fn(|k| ap[k] + transpose(ap)[k] + s1[k] + s2[k]);
    });
    let exact =
        *Flow::new(moments, Tsit5::new()).tol(1e-10).solve(0.0, 1.0, [1.0, 0.0, 0.0, 0.0]).unwrap().y_end();
    // Many independent copies one after another.
    let (copies, n) = (40_000, 4);
    let mut sums = [[0.0; 3]; 2];
    for seed in 0..copies {
        let drift = field(move |_t, x: &[f64; 2], dx| *dx = times(a, *x));
        let noise = move |_t: f64, x: &[f64; 2], g: &mut [f64]| {
            let (c1, c2) = (times(b1, *x), times(b2, *x));
            g.copy_from_slice(&[c1[0], c2[0], c1[1], c2[1]]);
        };
        let mut ends = [[1.0, 0.0]; 2];
        Flow::new(Sde::matrix(drift, 2, noise).fresh(seed), PlatenWeak2::new())
            .steps(n, 0.25, &mut ends[0])
            .unwrap();
        Flow::new(Sde::matrix(drift, 2, noise).fresh(seed), EulerMaruyama::new())
            .steps(n, 0.25, &mut ends[1])
            .unwrap();
        for (sums, [x, y]) in sums.iter_mut().zip(ends) {
            [x * x, x * y, y * y].iter().zip(sums).for_each(|(v, s)| *s += v / copies as f64);
        }
    }
    let want = [exact[0], exact[1], exact[3]];
    let [platen, euler] = sums.map(|s| s.iter().zip(want).map(|(s, w)| (s - w).abs()).fold(0.0, f64::max));
    println!(
        "non-commuting columns, h = 1/4: errors of second moments {platen:.4} (Platen), {euler:.4} (Euler)"
    );
    assert!(platen < 0.02 && euler > 4.0 * platen);
}

#[test]
fn the_same_path_for_any_steps_and_adaptive_steps_follow_it() {
    let exact = gbm_exact(1, 1.0);
    let mut before = f64::INFINITY;
    for tol in [1e-2, 1e-3, 1e-4] {
        let sol = Flow::new(gbm(1), Sriw1::new())
            .tol(tol)
            .save_last()
            .solve(0.0, 1.0, Many::from_elem(PATHS, 0.5))
            .unwrap();
        let error = mean_error(sol.y_end(), &exact);
        println!("Sriw1 at tol {tol:.0e}: error {error:.2e}, {}", sol.stats);
        assert!(error < 3.0 * tol && error < before);
        before = error;
    }
    let exact = additive_exact(2);
    let sol =
        Flow::new(additive(2), Sra1::new()).tol(1e-4).save_last().solve(0.0, 1.0, Many::ones(PATHS)).unwrap();
    println!("Sra1 at tol 1e-4: error {:.2e}, {}", mean_error(sol.y_end(), &exact), sol.stats);
    assert!(mean_error(sol.y_end(), &exact) < 1e-4);
    // A path that is forced to reject sees the same noise.
    let one = |first: f64| {
        let drift = field(|_t, x: &[f64; 1], dx| dx[0] = -x[0].powi(3));
        let sde = Sde::diagonal(drift, |_t, x: &[f64; 1], g: &mut [f64]| g[0] = 0.5 * x[0]).seed(11);
        let sol = Flow::new(sde, Sriw1::new())
            .tol(1e-6)
            .first_step(first)
            .save_last()
            .solve(0.0, 2.0, [2.0])
            .unwrap();
        (sol.y_end()[0], sol.stats.rejected)
    };
    let (smooth, rejecting) = (one(1e-4), one(1.0));
    assert!(rejecting.1 > 0 && (smooth.0 - rejecting.0).abs() < 1e-4, "{smooth:?} {rejecting:?}");
}

#[test]
fn same_seed_same_bits_other_seeds_differ_and_f32_runs() {
    let run = |seed| {
        let mut x = Many::from_elem(50, 0.5);
        Flow::new(gbm(seed), Milstein::new()).steps(30, 0.1, &mut x).unwrap();
        x
    };
    assert_eq!(run(4), run(4));
    assert_ne!(run(4), run(5));
    // One motion for one component is the same noise, however it is said to enter.
    fn ends<I: Integrator<[f64; 1]>>(make: fn() -> I) -> [f64; 2] {
        let drift = field(|_t, x: &[f64; 1], dx| dx[0] = 0.3 * x[0]);
        let noise = |_t: f64, x: &[f64; 1], g: &mut [f64]| g[0] = 0.4 * x[0].sin();
        let (mut a, mut b) = ([1.0], [1.0]);
        Flow::new(Sde::diagonal(drift, noise).seed(8), make()).steps(20, 0.1, &mut a).unwrap();
        Flow::new(Sde::scalar(drift, noise).seed(8), make()).steps(20, 0.1, &mut b).unwrap();
        [a[0], b[0]]
    }
    for [a, b] in [ends(EulerMaruyama::new), ends(Milstein::new), ends(Sriw1::new), ends(PlatenWeak2::new)] {
        assert!((a - b).abs() < 1e-14, "{a} {b}");
    }
    let drift = field(|_t, x: &[f32; 1], dx| dx[0] = -x[0]);
    let mut x = [1.0_f32];
    Flow::new(Sde::additive(drift, &[0.1]).seed(0), Sra1::new()).steps(100, 0.01, &mut x).unwrap();
    assert!(x[0].is_finite());
}

#[test]
fn stationary_variance_of_ornstein_uhlenbeck() {
    // Euler's variance for dx = -θ x dt + σ dW is σ² / (2θ - θ² h).
    let (theta, sigma, h, n) = (2.0, 0.8, 0.25, 4_000);
    let drift = field(move |_t, x: &Many, dx: &mut Many| dx.zip_mut_with(x, |d, x| *d = -theta * x));
    let mut flow = Flow::new(Sde::additive(drift, &[sigma]).fresh(5), EulerMaruyama::new());
    let mut x = Many::zeros(n);
    flow.steps(40, h, &mut x).unwrap();
    let mut variance = 0.0;
    for _ in 0..100 {
        flow.step(h, &mut x).unwrap();
        variance += x.dot(&x) / (100 * n) as f64;
    }
    let want = sigma * sigma / (2.0 * theta - theta * theta * h);
    println!("Ornstein–Uhlenbeck by Euler: variance {variance:.4}, theory {want:.4}");
    assert!((variance / want - 1.0).abs() < 0.02);
}

/// Variances of positions and velocities of oscillators of frequency 1 at temperature 0.7.
fn oscillators<I: Integrator<Many>>(method: I, h: f64) -> (f64, f64) {
    let n = 4_000;
    let well =
        Langevin::new(|_t: f64, q: &[f64], a: &mut [f64]| a.iter_mut().zip(q).for_each(|(a, q)| *a = -q));
    let mut flow = Flow::new(well.friction(1.0).temperature(0.7).fresh(9), method);
    let mut y = Many::zeros(2 * n);
    flow.steps(60, h, &mut y).unwrap();
    let (mut q, mut v, rounds) = (0.0, 0.0, 150);
    for _ in 0..rounds {
        flow.step(h, &mut y).unwrap();
        q += y.iter().take(n).map(|x| x * x).sum::<f64>() / (rounds * n) as f64;
        v += y.iter().skip(n).map(|x| x * x).sum::<f64>() / (rounds * n) as f64;
    }
    (q / 0.7, v / 0.7)
}

#[test]
fn stationary_variances_of_the_langevin_splittings() {
    for h in [0.3, 1.0, 1.5] {
        let verlet = 1.0 - h * h / 4.0;
        let (q, v) = oscillators(Baoab::new(), h);
        println!("BAOAB h = {h}: q {q:.4} (theory 1), v {v:.4} (theory {verlet:.4})");
        assert!((q - 1.0).abs() < 0.015 && (v - verlet).abs() < 0.015);
        let (q, v) = oscillators(Obabo::new(), h);
        println!("OBABO h = {h}: q {q:.4} (theory {:.4}), v {v:.4} (theory 1)", 1.0 / verlet);
        assert!((q * verlet - 1.0).abs() < 0.015 && (v - 1.0).abs() < 0.015);
    }
}

#[test]
fn splittings_without_friction_are_velocity_verlet() {
    let force = |_t: f64, q: &[f64], a: &mut [f64]| a[0] = -q[0].sin();
    let (mut y, mut z) = ([1.0, 0.3], [1.0, 0.3]);
    Flow::new(Langevin::new(force).friction(0.0).seed(0), Baoab::new()).steps(100, 0.1, &mut y).unwrap();
    Flow::new(flowfield::second_order(|t, q, _v, a| force(t, q, a)), StormerVerlet::new())
        .steps(100, 0.1, &mut z)
        .unwrap();
    assert!(common::distance(&y, &z) < 1e-13);
}

#[test]
fn mala_keeps_the_density_and_the_unadjusted_algorithm_its_bias() {
    let well =
        || Overdamped::new(|x: &[f64]| 0.5 * x[0] * x[0], |x: &[f64], g: &mut [f64]| g[0] = x[0]).fresh(3);
    let h = 0.8;
    fn variance<I: Integrator<Array2<f64>>>(
        flow: &mut Flow<'_, impl VectorField<Array2<f64>>, I, Array2<f64>>,
        h: f64,
    ) -> f64 {
        let mut x = Array2::zeros((4_000, 1));
        flow.steps(60, h, &mut x).unwrap();
        let mut sum = 0.0;
        for _ in 0..100 {
            flow.step(h, &mut x).unwrap();
            sum += x.iter().map(|x| x * x).sum::<f64>() / 4e5;
        }
        sum
    }
    let mut mala = Flow::new(well(), Mala::new());
    let (exact, biased) = (variance(&mut mala, h), variance(&mut Flow::new(well(), EulerMaruyama::new()), h));
    let rate = mala.integrator().acceptance();
    println!(
        "MALA variance {exact:.4} at acceptance {rate:.3}; unadjusted {biased:.4} (theory {:.4})",
        1.0 / (1.0 - h / 2.0)
    );
    assert!((exact - 1.0).abs() < 0.02 && (biased * (1.0 - h / 2.0) - 1.0).abs() < 0.02);
    assert!(rate > 0.5 && rate < 1.0);
}

#[test]
fn bad_input_is_named() {
    let drift = || field(|_t, x: &[f64; 2], dx| *dx = [-x[0], -x[1]]);
    let mut x = [1.0, 1.0];
    let unseeded = Flow::new(Sde::additive(drift(), &[1.0]), EulerMaruyama::new()).step(0.1, &mut x);
    assert_eq!(unseeded, Err(Error::MissingSeed));
    let unseeded =
        Flow::new(Langevin::new(|_t: f64, _q: &[f64], _a: &mut [f64]| ()), Baoab::new()).step(0.1, &mut x);
    assert_eq!(unseeded, Err(Error::MissingSeed));
    let negative = Flow::new(Sde::additive(drift(), &[-1.0]).seed(0), EulerMaruyama::new()).step(0.1, &mut x);
    assert!(matches!(negative, Err(Error::Setting { what: "the amplitude of the noise", .. })));
    let cold = Langevin::new(|_t: f64, _q: &[f64], _a: &mut [f64]| ()).temperature(-1.0).seed(0);
    assert!(matches!(Flow::new(cold, Baoab::new()).step(0.1, &mut x), Err(Error::Setting { .. })));
    let shape = Flow::new(Sde::additive(drift(), &[1.0; 3]).seed(0), EulerMaruyama::new()).step(0.1, &mut x);
    assert!(matches!(shape, Err(Error::Shape { what: "the amplitudes of the noise", .. })));
    let matrix = Sde::additive_matrix(drift(), 2, &[1.0; 6]).seed(0);
    let shape = Flow::new(matrix, EulerMaruyama::new()).step(0.1, &mut x);
    assert!(matches!(shape, Err(Error::Shape { what: "the diffusion matrix", .. })), "{shape:?}");
    let general = || Sde::matrix(drift(), 3, |_t, _x: &[f64; 2], g: &mut [f64]| g.fill(0.1)).seed(0);
    for refused in [
        Flow::new(general(), Milstein::new()).step(0.1, &mut x),
        Flow::new(general(), Sra1::new()).step(0.1, &mut x),
        Flow::new(general(), Sriw1::new()).step(0.1, &mut x),
        Flow::new(general(), StratonovichHeun::new()).step(0.1, &mut x),
        Flow::new(general().stratonovich(), EulerMaruyama::new()).step(0.1, &mut x),
        Flow::new(general(), Baoab::new()).step(0.1, &mut x),
        Flow::new(general(), Mala::new()).step(0.1, &mut x),
        Flow::new(general(), Tsit5::new()).step(0.1, &mut x),
        Flow::new(general().fresh(0), Sriw1::new()).solve(0.0, 1.0, x).map(|_| ()).map_err(|f| f.error),
    ] {
        let message = refused.clone().unwrap_err().to_string();
        assert!(matches!(refused, Err(Error::Unsupported { .. })) && message.len() > 40, "{refused:?}");
    }
    let plain = Flow::new(drift(), EulerMaruyama::new()).step(0.1, &mut x);
    assert_eq!(plain, Err(Error::NoNoise { method: "EulerMaruyama" }));
    let far = Flow::new(Sde::additive(drift(), &[1.0]).seed(0), EulerMaruyama::new())
        .start_at(1e9)
        .step(0.1, &mut x);
    assert!(matches!(far, Err(Error::OutsideSpan { .. })));
    assert_eq!(x, [1.0, 1.0]);
}
