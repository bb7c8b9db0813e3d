//! Minimising movements of clouds: closed forms, laws for every energy and step, order in the step.

mod common;

use common::slope;
use flowfield::dataset::normal;
use flowfield::exact::gaussian_jko;
use flowfield::integrate::{Dop853, Proximal};
use flowfield::measure::{
    BlobEntropy, Cloud, Descent, Energy, Interaction, Mmd, ParticleJko, Potential, SlicedEnergy,
    relative_entropy,
};
use flowfield::pairs::RadialKernel;
use flowfield::transport::{Assignment, PointCost};
use flowfield::{Error, Flow, Real};
use ndarray::{Array2, array};

/// `½ λ |x|²`.
fn bowl<F: Real>(lambda: f64) -> impl FnMut(&[F], &mut [F]) -> F {
    move |x, g| {
        g.iter_mut().zip(x).for_each(|(g, &x)| *g = F::of(lambda) * x);
        F::of(0.5 * lambda) * x.iter().fold(F::zero(), |s, &x| s + x * x)
    }
}

/// Ridges across the plane, and a bowl that keeps everything together: far from convex.
fn ridges(x: &[f64], g: &mut [f64]) -> f64 {
    let (a, b) = (4.0 * x[0], 3.0 * x[1]);
    (g[0], g[1]) = (4.0 * a.cos() + 0.1 * x[0], -3.0 * b.sin() + 0.1 * x[1]);
    a.sin() + b.cos() + 0.05 * (x[0] * x[0] + x[1] * x[1])
}

fn step<F: Real, E: Energy<F>>(energy: E, tau: f64, x: &Array2<F>) -> Array2<F> {
    let mut x = x.clone();
    let mut flow = Flow::new(ParticleJko::new(energy), Proximal::new());
    assert!(flow.steps_certified(1, F::of(tau), &mut x).unwrap().is_monotone());
    x
}

fn squares(x: &Array2<f64>, y: &Array2<f64>) -> f64 {
    (x - y).mapv(|v| v * v).sum() / x.nrows() as f64
}

#[test]
fn a_quadratic_potential_shrinks_by_its_factor() {
    for tau in [1e-3, 0.5, 100.0] {
        let x = normal::<f64>((40, 3), 0) + 1.0;
        let gap = step(Potential::new(bowl(2.0)), tau, &x) - &x / (1.0 + 2.0 * tau);
        assert!(gap.iter().all(|g| g.abs() < 1e-12), "tau = {tau}");
        let x = x.mapv(|v| v as f32);
        let gap = step(Potential::new(bowl(2.0)), tau, &x) - &x / (1.0 + 2.0 * tau as f32);
        assert!(gap.iter().all(|g| g.abs() < 5e-4), "f32, tau = {tau}");
    }
}

/// Mean and standard deviation of a cloud on the line.
fn moments(x: &Array2<f64>) -> (f64, f64) {
    let m = x.mean().unwrap();
    (m, x.mapv(|v| (v - m).powi(2)).mean().unwrap().sqrt())
}

#[test]
fn steps_on_gaussians_are_the_closed_ones() {
    // Attraction ½|x - y|² acts on deviations from the mean only: λ for the mean, λ + 1 for the rest.
    let (lambda, tau) = (0.7, 0.4);
    let mut x = normal::<f64>((60, 1), 1) * 0.8 + 2.0;
    let (mut m, mut s) = moments(&x);
    for _ in 0..4 {
        x = step((Potential::new(bowl(lambda)), Interaction::power_law(2.0, 0.0)), tau, &x);
        m = gaussian_jko(m, s, lambda, 0.0, tau).unwrap().0;
        s = gaussian_jko(m, s, lambda + 1.0, 0.0, tau).unwrap().1;
        let found = moments(&x);
        assert!((found.0 - m).abs() < 1e-12 && (found.1 - s).abs() < 1e-12, "{found:?}, not {m} {s}");
    }
}

#[test]
fn the_blob_entropy_approaches_the_gaussian_step_as_its_width_falls() {
    let quantiles = normal_quantiles(160) * 0.5 + 1.0;
    let (m0, s0) = moments(&quantiles);
    let (tau, steps) = (0.2, 3);
    let (mut m, mut s) = (m0, s0);
    (0..steps).for_each(|_| (m, s) = gaussian_jko(m, s, 1.0, 1.0, tau).unwrap());
    let error = |eps: f64| {
        let mut x = quantiles.clone();
        for _ in 0..steps {
            x = step((Potential::new(bowl(1.0)), BlobEntropy::new(eps, 1.0).unwrap()), tau, &x);
        }
        let found = moments(&x);
        assert!((found.0 - m).abs() < 1e-9, "the mean: {} {m}", found.0);
        (found.1 - s).abs()
    };
    let errors = [0.8, 0.4, 0.2].map(error);
    assert!(errors[2] < 5e-3 && errors.windows(2).all(|e| e[0] > 2.5 * e[1]), "{errors:?}");
}

/// Quantiles of the standard normal at (i + ½)/n, by bisection on an integral.
fn normal_quantiles(n: usize) -> Array2<f64> {
    let (cells, h) = (80_000, 2e-4);
    let density =
        |k: usize| (-0.5 * ((k as f64 + 0.5) * h - 8.0).powi(2)).exp() * h / std::f64::consts::TAU.sqrt();
    let mut below = vec![0.0; cells + 1];
    (0..cells).for_each(|k| below[k + 1] = below[k] + density(k));
    Array2::from_shape_fn((n, 1), |(i, _)| {
        below.partition_point(|&b| b < (i as f64 + 0.5) / n as f64) as f64 * h - 8.0
    })
}

/// One run of a few steps: F falls by at least the distance's price, and that distance is the cheapest pairing's.
fn keeps_the_law<E: Energy<f64>>(name: &str, energy: impl Fn() -> E, taus: &[f64]) {
    for &tau in taus {
        let mut x = normal::<f64>((40, 2), 3);
        let mut flow = Flow::new(ParticleJko::new(energy()), Proximal::new());
        let mut measure = energy();
        for _ in 0..3 {
            let old = x.clone();
            flow.step(tau, &mut x).unwrap_or_else(|e| panic!("{name}, tau = {tau}: {e}"));
            let (before, after) = (measure.value(&Cloud::uniform(&old)), measure.value(&Cloud::uniform(&x)));
            let cost = PointCost::squared_euclidean(&old, &x).unwrap();
            let plan = Assignment::new().solve(&cost).unwrap();
            let own = squares(&old, &x);
            assert!((plan.cost - own).abs() <= 1e-8 * own, "{name}, tau = {tau}: {} {own}", plan.cost);
            let objective = after + own / (2.0 * tau);
            assert!(objective <= before + 1e-12, "{name}, tau = {tau}: {objective} above {before}");
        }
    }
}

#[test]
fn energies_fall_by_the_price_of_the_distance_and_pairings_are_the_cheapest() {
    let target = normal::<f64>((50, 2), 4) * 0.5 + 1.5;
    let all = [1e-2, 1.0, 30.0];
    keeps_the_law("bowl", || Potential::new(bowl(1.0)), &all);
    keeps_the_law("ridges", || Potential::new(ridges), &all);
    keeps_the_law("crowd", || Interaction::attraction_repulsion(4.0, 2.0), &all);
    keeps_the_law("mmd", || Mmd::new(RadialKernel::Gaussian { width: 1.5 }, &target).unwrap(), &all);
    keeps_the_law("sliced", || SlicedEnergy::new(&target, 20, 0).unwrap(), &[1e-2, 0.1]);
    keeps_the_law("relative entropy", || relative_entropy(bowl(1.0), 0.5).unwrap(), &all);
}

#[test]
fn a_cheaper_pairing_is_found_where_particles_pass_each_other() {
    let x = normal::<f64>((60, 2), 5);
    let tau = 3.0;
    let mut flow = Flow::new(ParticleJko::new(Potential::new(ridges)), Proximal::new());
    let (mut paired, mut frozen) = (x.clone(), x.clone());
    flow.step(tau, &mut paired).unwrap();
    assert!(flow.field().pairings_changed() > 0);
    Flow::new(Descent(Potential::new(ridges)), Proximal::new()).step(tau, &mut frozen).unwrap();
    let mut v = Potential::new(ridges);
    let mut objective = |y: &Array2<f64>| v.value(&Cloud::uniform(y)) + squares(&x, y) / (2.0 * tau);
    let (paired, frozen) = (objective(&paired), objective(&frozen));
    assert!(paired < frozen, "{paired} {frozen}");
}

#[test]
fn steps_are_of_first_order_in_tau() {
    let x = normal::<f64>((30, 2), 6);
    let energy = || (Potential::new(bowl(1.0)), Interaction::attraction_repulsion(4.0, 2.0));
    let exact = Flow::new(Descent(energy()), Dop853::new()).tol(1e-11).solve(0.0, 0.5, x.clone()).unwrap();
    let error = |n: usize| {
        let mut moved = x.clone();
        let mut flow = Flow::new(ParticleJko::new(energy()), Proximal::new());
        let certificate = flow.steps_certified(n, 0.5 / n as f64, &mut moved).unwrap();
        assert!(certificate.is_monotone() && flow.field().pairings_changed() == 0);
        assert!(flow.field().iterations() <= 12 * n as u64, "{} in {n} steps", flow.field().iterations());
        common::distance(moved.as_slice().unwrap(), exact.y_end().as_slice().unwrap())
    };
    let points: Vec<_> = [10, 20, 40].map(|n| (1.0 / n as f64, error(n))).to_vec();
    assert!((slope(&points) - 1.0).abs() < 0.1, "{points:?}");
}

#[test]
fn bad_input_is_refused() {
    let mut x = array![[0.0, 1.0], [1.0, 0.0]];
    for tau in [0.0, -1.0, f64::INFINITY, f64::NAN] {
        let outcome =
            Flow::new(ParticleJko::new(Potential::new(bowl(1.0))), Proximal::new()).step(tau, &mut x);
        assert!(outcome.is_err(), "tau = {tau}");
    }
    let outcome = Flow::new(ParticleJko::new(Potential::new(bowl(1.0))), Proximal::new()).step(-1.0, &mut x);
    assert!(matches!(outcome, Err(Error::Setting { what: "tau", .. })), "{outcome:?}");
    let nan = Potential::new(|_: &[f64], g: &mut [f64]| {
        g.fill(f64::NAN);
        f64::NAN
    });
    assert!(Flow::new(ParticleJko::new(nan), Proximal::new()).step(0.1, &mut x).is_err());
    let wrong = Mmd::new(RadialKernel::Energy, &Array2::<f64>::zeros((3, 4))).unwrap();
    let outcome = Flow::new(ParticleJko::new(wrong), Proximal::new()).step(0.1, &mut x);
    assert!(matches!(outcome, Err(Error::Shape { .. })), "{outcome:?}");
}
