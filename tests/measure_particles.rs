//! Energies of clouds and the flows down them: laws over the list, then closed forms.

mod common;

use common::slope;
use flowfield::dataset::normal;
use flowfield::exact::{aggregation, energy_distance_flow, keller_segel, sampler};
use flowfield::gradient::Dissipative;
use flowfield::integrate::{Baoab, Dop853, Euler, EulerMaruyama, Heun, Mala, Obabo, Proximal, Tsit5};
use flowfield::measure::{
    Bandwidth, BlobEntropy, Cloud, Descent, Energy, FeatureMmd, GaussianMixture, Injected, Interaction, Mmd,
    Potential, ScoreField, SinkhornEnergy, SlicedEnergy, SteinDiscrepancy, SteinKernel, Svgd, Target,
    WassersteinFisherRao, relative_entropy,
};
use flowfield::noise::{Langevin, Overdamped, Sde};
use flowfield::pairs::RadialKernel;
use flowfield::{Error, Flow, VectorField};
use ndarray::{Array1, Array2, Axis, array};

fn bowl(x: &[f64], g: &mut [f64]) -> f64 {
    g.iter_mut().zip(x).for_each(|(g, x)| *g = x + 0.1 * x.powi(3));
    x.iter().map(|x| 0.5 * x * x + 0.025 * x.powi(4)).sum()
}

/// A named energy, whether it only sees differences of positions (with the target moved along), and the tolerance
/// of its gradient.
type Entry = (&'static str, Box<dyn Fn(&Array2<f64>) -> Box<dyn Erased>>, bool, f64);

/// An energy behind a pointer.
trait Erased {
    fn value(&mut self, cloud: &Cloud<'_, f64>) -> f64;
    fn gradient(&mut self, cloud: &Cloud<'_, f64>, g: &mut Array2<f64>);
    fn variation(&mut self, cloud: &Cloud<'_, f64>, out: &mut [f64]) -> bool;
}

impl<E: Energy<f64>> Erased for E {
    fn value(&mut self, cloud: &Cloud<'_, f64>) -> f64 {
        Energy::value(self, cloud)
    }
    fn gradient(&mut self, cloud: &Cloud<'_, f64>, g: &mut Array2<f64>) {
        Energy::gradient(self, cloud, g);
    }
    fn variation(&mut self, cloud: &Cloud<'_, f64>, out: &mut [f64]) -> bool {
        Energy::variation(self, cloud, out)
    }
}

fn entry<E: Energy<f64> + 'static>(
    name: &'static str,
    invariant: bool,
    tol: f64,
    make: impl Fn(&Array2<f64>) -> E + 'static,
) -> Entry {
    (name, Box::new(move |y| Box::new(make(y)) as Box<dyn Erased>), invariant, tol)
}

/// Every energy, as a function of the target sample.
fn energies() -> Vec<Entry> {
    let gauss = RadialKernel::Gaussian { width: 0.8 };
    vec![
        entry("potential", false, 1e-8, |_| Potential::new(bowl)),
        entry("attraction", true, 1e-8, |_| Interaction::power_law(2.0, 0.0)),
        entry("attraction and repulsion", true, 1e-8, |_| Interaction::attraction_repulsion(3.0, 1.0)),
        entry("keller-segel", true, 1e-7, |_| Interaction::keller_segel(3.0)),
        entry("morse", true, 1e-8, |_| Interaction::morse((1.0, 2.0), (2.0, 0.5))),
        entry("mmd gaussian", true, 1e-8, move |y| Mmd::new(gauss, y).unwrap()),
        entry("mmd imq", true, 1e-8, |y| {
            Mmd::new(RadialKernel::InverseMultiquadric { width: 1.0 }, y).unwrap()
        }),
        entry("mmd energy", true, 1e-8, |y| Mmd::new(RadialKernel::Energy, y).unwrap()),
        entry("mmd laplace", true, 1e-8, |y| Mmd::new(RadialKernel::Laplace { width: 1.0 }, y).unwrap()),
        entry("mmd by features", true, 1e-8, |y| FeatureMmd::new(0.8, y, 64, 3).unwrap()),
        entry("stein", false, 1e-6, |_| {
            SteinDiscrepancy::new(GaussianMixture::new(array![[-1.0, 0.0], [1.0, 0.5]], 0.8).unwrap(), 1.2)
                .unwrap()
        }),
        entry("sinkhorn", true, 1e-5, |y| SinkhornEnergy::new(0.5, y).unwrap().tol(1e-11)),
        entry("sliced", true, 1e-7, |y| SlicedEnergy::new(y, 20, 1).unwrap()),
        entry("blob entropy", true, 1e-8, |_| BlobEntropy::new(0.6, 0.7).unwrap()),
        entry("relative entropy", false, 1e-8, |_| relative_entropy(bowl, 0.6).unwrap()),
        entry("a sum", false, 1e-8, move |y| (Potential::new(bowl), Mmd::new(gauss, y).unwrap())),
    ]
}

fn clouds() -> (Array2<f64>, Array2<f64>) {
    (normal((12, 2), 1), normal::<f64>((9, 2), 2) * 0.7 + 0.8)
}

#[test]
fn gradients_are_differences_of_values() {
    let (x, y) = clouds();
    for (name, make, _, tol) in energies() {
        let mut energy = make(&y);
        let mut g = Array2::from_elem(x.dim(), 0.25);
        energy.gradient(&Cloud::uniform(&x), &mut g);
        let h = if tol < 1e-5 { 1e-5 } else { 1e-4 };
        for i in [0, 5, 11] {
            for k in 0..2 {
                let (mut up, mut down) = (x.clone(), x.clone());
                up[[i, k]] += h;
                down[[i, k]] -= h;
                let rise = energy.value(&Cloud::uniform(&up)) - energy.value(&Cloud::uniform(&down));
                let slope = 12.0 * rise / (2.0 * h);
                // The gradient is added to what was there.
                assert!(
                    (g[[i, k]] - 0.25 - slope).abs() < 20.0 * tol,
                    "{name}: {} {slope}",
                    g[[i, k]] - 0.25
                );
            }
        }
    }
}

#[test]
fn first_variations_are_derivatives_in_the_weights_and_their_slopes_the_gradients() {
    let (x, y) = clouds();
    let w: Array1<f64> = (0..12).map(|i| (1.0 + i as f64) / 78.0).collect();
    for (name, make, _, tol) in energies() {
        let mut energy = make(&y);
        let mut potential = vec![0.0; 12];
        if !energy.variation(&Cloud::weighted(&x, &w), &mut potential) {
            continue;
        }
        let h = 1e-5;
        let (mut up, mut down) = (w.clone(), w.clone());
        (up[2], up[7], down[2], down[7]) = (w[2] + h, w[7] - h, w[2] - h, w[7] + h);
        let rise = energy.value(&Cloud::weighted(&x, &up)) - energy.value(&Cloud::weighted(&x, &down));
        let slope = rise / (2.0 * h);
        assert!((potential[2] - potential[7] - slope).abs() < 100.0 * tol, "{name}");
        let mut g = Array2::zeros(x.dim());
        energy.gradient(&Cloud::weighted(&x, &w), &mut g);
        let (mut up, mut down) = (x.clone(), x.clone());
        (up[[3, 1]], down[[3, 1]]) = (x[[3, 1]] + h, x[[3, 1]] - h);
        let rise = energy.value(&Cloud::weighted(&up, &w)) - energy.value(&Cloud::weighted(&down, &w));
        assert!((g[[3, 1]] - rise / (2.0 * h) / w[3]).abs() < 100.0 * tol, "{name}: weighted gradient");
    }
}

#[test]
fn what_sees_differences_only_is_translation_invariant_and_keeps_the_centre() {
    let (x, y) = clouds();
    let shift = array![3.0, -2.0];
    for (name, make, invariant, tol) in energies() {
        if !invariant {
            continue;
        }
        let (mut here, mut there) = (make(&y), make(&(&y + &shift)));
        let (moved, n) = (&x + &shift, 12.0);
        let (a, b) = (here.value(&Cloud::uniform(&x)), there.value(&Cloud::uniform(&moved)));
        assert!((a - b).abs() < 100.0 * tol * (1.0 + a.abs()), "{name}: {a} {b}");
        let (mut g, mut h) = (Array2::zeros(x.dim()), Array2::zeros(x.dim()));
        here.gradient(&Cloud::uniform(&x), &mut g);
        there.gradient(&Cloud::uniform(&moved), &mut h);
        assert!((&g - &h).iter().all(|e| e.abs() < 100.0 * tol), "{name}");
        if ["attraction", "attraction and repulsion", "keller-segel", "morse", "blob entropy"].contains(&name)
        {
            let drift = g.sum_axis(Axis(0)) / n;
            assert!(drift.iter().all(|d| d.abs() < 1e-12), "{name} moves the centre by {drift}");
        }
    }
}

#[test]
fn energies_fall_at_the_stated_rate() {
    let (x, y) = clouds();
    let check = |name: &str, c: flowfield::gradient::Certificate, gap: f64| {
        assert!(c.is_monotone() && c.identity_gap < gap, "{name}: {:?}, gap {:e}", c.status, c.identity_gap);
    };
    macro_rules! run {
        ($name:expr, $energy:expr, $gap:expr) => {
            let mut flow = Flow::new(Descent($energy), Dop853::new()).tol(1e-8);
            check($name, flow.solve_certified(0.0, 1.0, x.clone()).unwrap().1, $gap);
        };
    }
    run!("potential", Potential::new(bowl), 1e-5);
    run!("attraction and repulsion", Interaction::attraction_repulsion(4.0, 2.0), 1e-5);
    run!("gaussian mmd", Mmd::new(RadialKernel::Gaussian { width: 1.0 }, &y).unwrap(), 1e-5);
    run!("mmd by features", FeatureMmd::new(1.0, &y, 64, 0).unwrap(), 1e-5);
    run!("blob", (Potential::new(bowl), BlobEntropy::new(0.5, 1.0).unwrap()), 1e-5);
    let mixture = GaussianMixture::new(array![[-1.0, 0.0], [1.0, 0.5]], 0.8).unwrap();
    run!("stein", SteinDiscrepancy::new(mixture, 1.2).unwrap(), 1e-4);
    let c = Flow::new(Descent(SinkhornEnergy::new(0.5, &y).unwrap().tol(1e-9)), Heun::new())
        .steps_certified(20, 0.05, &mut x.clone())
        .unwrap();
    check("sinkhorn", c, 1e-2);
    let c = Flow::new(Descent(SlicedEnergy::new(&y, 50, 0).unwrap()), Heun::new())
        .steps_certified(50, 0.05, &mut x.clone())
        .unwrap();
    check("sliced", c, 3e-2);
    // Implicit Euler: the proximal step never gains energy, whatever its size.
    let crowd = Interaction::attraction_repulsion(4.0, 2.0);
    let c = Flow::new(Descent(crowd), Proximal::new()).steps_certified(5, 2.0, &mut x.clone()).unwrap();
    assert!(c.is_monotone());
}

#[test]
fn particles_on_the_line_and_in_the_plane_follow_closed_forms() {
    let start: Vec<f64> = (0..9).map(|i| 0.2 * f64::from(i) - 0.5).collect();
    let x = Array2::from_shape_vec((9, 1), start.clone()).unwrap();
    let crowd = Descent(Interaction::attraction_repulsion(2.0, 1.0));
    let sol = Flow::new(crowd, Tsit5::new()).tol(1e-10).solve(0.0, 1.3, x).unwrap();
    assert!(common::distance(sol.y_end().as_slice().unwrap(), &aggregation::line(&start, 1.3)) < 1e-8);

    // W = r⁴/4 - r²/2: two points at ±1/2 on the line, a ring of radius 1/√3 in the plane.
    let ring = Descent(Interaction::attraction_repulsion(4.0, 2.0));
    let circle = Array2::from_shape_fn((24, 2), |(i, k)| {
        let a = std::f64::consts::TAU * i as f64 / 24.0;
        0.8 * if k == 0 { a.cos() } else { a.sin() }
    });
    let sol = Flow::new(ring, Tsit5::new()).tol(1e-10).solve(0.0, 60.0, circle).unwrap();
    let radii = sol.y_end().rows().into_iter().map(|r| r.dot(&r).sqrt());
    assert!(radii.into_iter().all(|r| (r - aggregation::RING_RADIUS).abs() < 1e-7));

    // Chemotactic attraction: the second moment's slope is exact for any cloud.
    let x = normal::<f64>((40, 2), 5);
    let mut flow = Descent(Interaction::keller_segel(2.5));
    let mut v = x.clone();
    flow.eval(0.0, &x, &mut v);
    let slope = 2.0 * (&x * &v).sum() / 40.0;
    assert!((slope - keller_segel::particle_slope(40, 2.5)).abs() < 1e-13);

    // The energy kernel on the line: with the target's mid-quantiles, quantiles relax like e^{-2t}.
    let n = 200;
    let level = |i: usize| (i as f64 + 0.5) / n as f64;
    let y = Array2::from_shape_fn((n, 1), |(i, _)| level(i));
    let x = Array2::from_shape_fn((n, 1), |(i, _)| level(i) * level(i));
    let flow = Descent(Mmd::new(RadialKernel::Energy, &y).unwrap());
    let mut moved = x.clone();
    Flow::new(flow, Heun::new()).steps(100, 0.005, &mut moved).unwrap();
    let worst = (0..n)
        .map(|i| (moved[[i, 0]] - energy_distance_flow(level(i), x[[i, 0]], 0.5)).abs())
        .fold(0.0, f64::max);
    assert!(worst < 1.5 / n as f64, "{worst}");
}

#[test]
fn sinkhorn_undoes_translations_and_sliced_ones_decay() {
    let x = normal::<f64>((80, 3), 0);
    let shift = array![1.0, -2.0, 0.5];
    for eps in [0.3, 3.0] {
        let mut energy = SinkhornEnergy::new(eps, &(&x + &shift)).unwrap().tol(1e-10);
        let value = Energy::value(&mut energy, &Cloud::uniform(&x));
        assert!((value - 0.5 * 5.25).abs() < 1e-6);
        let mut g = Array2::zeros(x.dim());
        Energy::gradient(&mut energy, &Cloud::uniform(&x), &mut g);
        assert!((&g + &shift).iter().all(|e| e.abs() < 1e-5), "eps = {eps}");
    }
    // E θθᵀ = I/3: the shift decays like e^{-t/3}, up to the directions' sampling error.
    let flow = Descent(SlicedEnergy::new(&x, 2000, 0).unwrap());
    let mut moved = &x + &shift;
    Flow::new(flow, Heun::new()).steps(10, 0.1, &mut moved).unwrap();
    let left = (&moved - &x).mean_axis(Axis(0)).unwrap();
    assert!((&left - &(&shift * (-1.0_f64 / 3.0).exp())).iter().all(|e| e.abs() < 0.05), "{left}");
}

#[test]
fn random_features_approach_the_kernel() {
    let (x, y) = (normal::<f64>((60, 2), 0), normal::<f64>((70, 2), 1) + 0.5);
    let exact =
        Energy::value(&mut Mmd::new(RadialKernel::Gaussian { width: 1.0 }, &y).unwrap(), &Cloud::uniform(&x));
    let error = |features: usize| {
        let errors = (0..8).map(|seed| {
            let mut energy = FeatureMmd::new(1.0, &y, features, seed).unwrap();
            (Energy::value(&mut energy, &Cloud::uniform(&x)) - exact).powi(2)
        });
        (errors.sum::<f64>() / 8.0).sqrt()
    };
    assert!(error(4096) < 0.1 * exact && error(4096) < 0.5 * error(256));
}

fn moments(x: &Array2<f64>) -> (Array1<f64>, Array2<f64>) {
    let m = x.mean_axis(Axis(0)).unwrap();
    let c = x - &m;
    (m, c.t().dot(&c) / x.nrows() as f64)
}

#[test]
fn svgd_finds_the_gaussian_of_the_reference_and_the_mixture() {
    // The two-dimensional Gaussian of the published code: precision, mean, 10 particles; here 100.
    let (precision, mean) = (array![[0.2260, 0.1652], [0.1652, 0.6779]], array![-0.6871, 0.8010]);
    let score = |x: &Array2<f64>, s: &mut Array2<f64>| s.assign(&(-(x - &mean).dot(&precision)));
    let mut x = normal::<f64>((100, 2), 0);
    Flow::new(Svgd::new(score), Euler::new()).steps(3000, 0.3, &mut x).unwrap();
    let (m, c) = moments(&x);
    assert!((&m - &mean).iter().all(|e| e.abs() < 0.02), "{m}");
    let det = 0.2260 * 0.6779 - 0.1652 * 0.1652;
    let exact = array![[0.6779, -0.1652], [-0.1652, 0.2260]] / det;
    assert!((&c - &exact).iter().all(|e| e.abs() < 0.12 * exact[[0, 0]]), "{c} {exact}");

    // The one-dimensional mixture of the paper, from far away: mean 1/3·(-2) + 2/3·2, second moment 5.
    for kernel in [SteinKernel::Rbf(Bandwidth::Median), SteinKernel::InverseMultiquadric(Bandwidth::Median)] {
        let target = GaussianMixture::new(array![[-2.0], [2.0]], 1.0).unwrap().weights(&[1.0, 2.0]).unwrap();
        let mut x = normal::<f64>((100, 1), 1) - 10.0;
        Flow::new(Svgd::new(target).kernel(kernel), Euler::new()).steps(3000, 1.0, &mut x).unwrap();
        let (m, c) = moments(&x);
        assert!((m[0] - 2.0 / 3.0).abs() < 0.08, "{kernel:?}: mean {m}");
        assert!((c[[0, 0]] - (5.0 - 4.0 / 9.0)).abs() < 0.35, "{kernel:?}: variance {c}");
    }
}

#[test]
fn langevin_samplers_have_the_stated_variances() {
    let (lambda, n) = (2.0, 4000);
    let run = |x: &Array2<f64>| x.iter().take(n).map(|x| x * x).sum::<f64>() / n as f64;
    let spread = 4.0 * (2.0 / n as f64).sqrt();
    let close = |got: f64, want: f64| assert!((got / want - 1.0).abs() < spread, "{got} {want}");
    let h = 0.3;
    let score = move |x: &Array2<f64>, s: &mut Array2<f64>| s.assign(&(x * -lambda));
    let mut x = Array2::zeros((n, 1));
    let ula = Sde::additive(ScoreField::new(score), &[2.0_f64.sqrt()]).fresh(1);
    Flow::new(ula, EulerMaruyama::new()).steps(60, h, &mut x).unwrap();
    close(run(&x), sampler::ula_variance(lambda, h));
    let energy = move |x: &[f64]| 0.5 * lambda * x[0] * x[0];
    let gradient = move |x: &[f64], g: &mut [f64]| g[0] = lambda * x[0];
    let mut x = Array2::zeros((n, 1));
    Flow::new(Overdamped::new(energy, gradient).fresh(2), Mala::new()).steps(80, h, &mut x).unwrap();
    close(run(&x), 1.0 / lambda);
    let pull =
        move |_t: f64, q: &[f64], a: &mut [f64]| a.iter_mut().zip(q).for_each(|(a, q)| *a = -lambda * q);
    let mut y = Array2::zeros((2 * n, 1));
    Flow::new(Langevin::new(pull).fresh(3), Baoab::new()).steps(60, 0.6, &mut y).unwrap();
    close(run(&y), sampler::baoab_variance(lambda));
    let mut y = Array2::zeros((2 * n, 1));
    Flow::new(Langevin::new(pull).fresh(4), Obabo::new()).steps(60, 0.6, &mut y).unwrap();
    close(run(&y), sampler::obabo_variance(lambda, 0.6));
}

#[test]
fn the_mixture_score_is_the_slope_of_its_log_density() {
    for d in [1, 2, 3, 5] {
        let centres = normal::<f64>((4, d), 7);
        let weights = [0.1, 0.4, 0.2, 0.3];
        let mut target = GaussianMixture::new(centres.clone(), 0.6).unwrap().weights(&weights).unwrap();
        let log = |x: &Array1<f64>| {
            let terms = centres.rows().into_iter().zip(weights);
            terms.map(|(c, w)| w * (-(x - &c).mapv(|v| v * v).sum() / 0.72).exp()).sum::<f64>().ln()
        };
        for n in [1, 33, 70] {
            let x = normal::<f64>((n, d), 8);
            let mut s = x.clone();
            target.score(&x, &mut s);
            for (x, s) in x.rows().into_iter().zip(s.rows()) {
                for k in 0..d {
                    let (mut up, mut down) = (x.to_owned(), x.to_owned());
                    up[k] += 1e-5;
                    down[k] -= 1e-5;
                    assert!((s[k] - (log(&up) - log(&down)) / 2e-5).abs() < 1e-7);
                }
            }
        }
        let (m, c) = target.moments();
        let (mean, cov) = moments(&target.sample(40_000, 0));
        assert!(mean.iter().zip(&m).all(|(a, b)| (a - b).abs() < 0.03));
        assert!((&cov - &c).iter().all(|e| e.abs() < 0.06));
    }
}

#[test]
fn birth_and_death_follow_the_fisher_rao_flow_and_keep_their_account() {
    // Weights alone, in a potential plus interaction: the certificate's identity.
    let (x, _) = clouds();
    let energy = (
        Potential::new(bowl),
        Interaction::attraction_repulsion(4.0, 2.0),
        BlobEntropy::new(0.5, 1.0).unwrap(),
    );
    let flow = WassersteinFisherRao::new(energy, 1.0, 0.7);
    let start = flow.state(&x);
    let (y, c) = Flow::new(flow, Tsit5::new()).tol(1e-9).solve_certified(0.0, 1.0, start).unwrap();
    assert!(c.is_monotone() && c.identity_gap < 1e-5, "{}", c.identity_gap);
    assert!(c.mass_drift.unwrap() < 1e-14 && c.least_density.unwrap() > 0.0);
    let (_, w) = WassersteinFisherRao::<()>::cloud(&y);
    assert!((w.sum() - 1.0).abs() < 1e-14);
}

#[test]
fn noise_injection_carries_particles_to_a_target_that_they_do_not_see() {
    let y = normal::<f64>((150, 2), 1) + 4.0;
    let start = normal::<f64>((60, 2), 0) * 0.2;
    let energy = || Mmd::new(RadialKernel::Gaussian { width: 1.0 }, &y).unwrap();
    let (mut stuck, mut free) = (start.clone(), start.clone());
    Flow::new(Descent(energy()), Euler::new()).steps(300, 1.0, &mut stuck).unwrap();
    Flow::new(Injected::new(energy(), 2.5, 0.05, 0), Euler::new()).steps(1200, 1.0, &mut free).unwrap();
    let off = |x: &Array2<f64>| (x.mean().unwrap() - 4.0).abs();
    assert!(off(&stuck) > 2.5 && off(&free) < 0.6 * off(&stuck), "{} {}", off(&stuck), off(&free));
}

#[test]
fn the_sum_of_a_flow_does_not_depend_on_threads() {
    let x = normal::<f32>((700, 2), 0);
    let y = normal::<f32>((900, 2), 1);
    let run = || {
        let (mut a, mut b, mut c) = (x.clone(), x.clone(), x.clone());
        Flow::new(Descent(Mmd::new(RadialKernel::Energy, &y).unwrap()), Euler::new())
            .steps(3, 0.1, &mut a)
            .unwrap();
        let score = |x: &Array2<f32>, s: &mut Array2<f32>| s.assign(&(-x));
        Flow::new(Svgd::new(score), Euler::new()).steps(3, 0.1, &mut b).unwrap();
        Flow::new(Descent(FeatureMmd::new(1.0, &y, 64, 0).unwrap()), Euler::new())
            .steps(3, 0.1, &mut c)
            .unwrap();
        [a, b, c]
    };
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    assert_eq!(pool(1).install(run), pool(3).install(run));
}

#[test]
fn euler_is_of_first_order_on_interactions() {
    let (x, _) = clouds();
    let crowd = || Descent(Interaction::attraction_repulsion(4.0, 2.0));
    let exact = Flow::new(crowd(), Dop853::new()).tol(1e-11).solve(0.0, 0.5, x.clone()).unwrap();
    let error = |n: usize| {
        let mut moved = x.clone();
        Flow::new(crowd(), Euler::new()).steps(n, 0.5 / n as f64, &mut moved).unwrap();
        common::distance(moved.as_slice().unwrap(), exact.y_end().as_slice().unwrap())
    };
    let points: Vec<_> = [40, 80, 160].map(|n| (1.0 / n as f64, error(n))).to_vec();
    assert!((slope(&points) - 1.0).abs() < 0.1, "{points:?}");
}

#[test]
fn bad_input_is_refused_before_the_first_step() {
    let mut x = normal::<f64>((5, 2), 0);
    let nan = |_: &Array2<f64>, s: &mut Array2<f64>| s.fill(f64::NAN);
    assert!(matches!(
        Flow::new(Svgd::new(nan), Euler::new()).step(0.1, &mut x),
        Err(Error::NotFinite { row: 0, .. })
    ));
    assert!(
        Flow::new(Descent(SteinDiscrepancy::new(nan, 1.0).unwrap()), Euler::new()).step(0.1, &mut x).is_err()
    );
    let score = |x: &Array2<f64>, s: &mut Array2<f64>| s.assign(&(-x));
    let mut same = Array2::ones((5, 2));
    let outcome = Flow::new(Svgd::new(score), Euler::new()).step(0.1, &mut same);
    assert!(matches!(&outcome, Err(Error::Setting { what: "the median distance", .. })), "{outcome:?}");
    let fixed = |h| Svgd::new(score).kernel(SteinKernel::Rbf(Bandwidth::Fixed(h)));
    assert!(Flow::new(fixed(0.0), Euler::new()).step(0.1, &mut same).is_err());
    assert!(Flow::new(fixed(1.0), Euler::new()).step(0.1, &mut same).is_ok());
    assert!(Mmd::new(RadialKernel::Gaussian { width: 0.0 }, &x).is_err());
    assert!(Mmd::<f64>::new(RadialKernel::Energy, &Array2::zeros((0, 2))).is_err());
    assert!(BlobEntropy::<f64>::new(0.0, 1.0).is_err() && BlobEntropy::<f64>::new(1.0, -1.0).is_err());
    assert!(SinkhornEnergy::new(0.0, &x).is_err() && FeatureMmd::new(1.0, &x, 0, 0).is_err());
    let wrong = Mmd::new(RadialKernel::Energy, &Array2::<f64>::zeros((3, 4))).unwrap();
    assert!(matches!(Flow::new(Descent(wrong), Euler::new()).step(0.1, &mut x), Err(Error::Shape { .. })));
    let law = Interaction::attraction_repulsion(1.0, 2.0);
    assert!(Flow::new(Descent(law), Euler::new()).step(0.1, &mut x).is_err());
    assert!(GaussianMixture::<f64>::new(x.clone(), 0.0).is_err());
    let sliced = SlicedEnergy::new(&x, 4, 0).unwrap();
    let flow = WassersteinFisherRao::new(sliced, 1.0, 0.0);
    let state = flow.state(&x);
    assert!(VectorField::check(&flow, &state).is_err());
    let _ = Dissipative::<Array2<f64>>::total_mass(&flow, &state);
}
