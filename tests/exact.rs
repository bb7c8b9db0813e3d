//! The closed forms against the equations that they solve.

mod common;

use flowfield::exact::{
    Barenblatt, Gaussian, OrnsteinUhlenbeck, aggregation, energy_distance_flow, fisher_rao,
    fisher_rao_gaussian, gaussian_jko, heat_kernel, keller_segel, sampler, wasserstein_fisher_rao_gaussian,
};
use flowfield::integrate::Tsit5;
use flowfield::{Flow, field};
use ndarray::{Array1, Array2, array};

/// Three coupled directions, and a law that does not commute with them.
fn process() -> (OrnsteinUhlenbeck, Gaussian) {
    let a = array![[2.0, 0.3, -0.4], [0.3, 1.0, 0.2], [-0.4, 0.2, 0.7]];
    let start = array![[0.5, 0.2, 0.1], [0.2, 1.5, -0.3], [0.1, -0.3, 0.8]];
    let process = OrnsteinUhlenbeck::new(a, array![1.0, -0.5, 0.2], 0.6).unwrap();
    (process, Gaussian::new(array![-1.0, 2.0, 0.5], start).unwrap())
}

fn largest(a: &Array2<f64>) -> f64 {
    a.iter().fold(0.0, |m, x| m.max(x.abs()))
}

#[test]
fn ornstein_uhlenbeck_solves_its_moment_equations_and_loses_energy_at_the_stated_rate() {
    let (process, start) = process();
    let a = array![[2.0, 0.3, -0.4], [0.3, 1.0, 0.2], [-0.4, 0.2, 0.7]];
    let h = 1e-4;
    for t in [0.1, 1.0, 3.0] {
        let at = |t| process.at(t, &start).unwrap();
        let (now, before, after) = (at(t), at(t - h), at(t + h));
        let slope = (after.covariance() - before.covariance()) / (2.0 * h);
        let s = now.covariance();
        let rhs = 1.2 * Array2::<f64>::eye(3) - s.dot(&a) - a.dot(s);
        assert!(largest(&(slope - rhs)) < 1e-7);
        let f = |g: &Gaussian| process.free_energy(g).unwrap();
        let rate = (f(&after) - f(&before)) / (2.0 * h);
        let dissipated = process.dissipation(&now).unwrap();
        assert!((rate + dissipated).abs() < 1e-7 * (1.0 + dissipated), "t = {t}: {rate} {dissipated}");
    }
    let rest = process.stationary().unwrap();
    assert!(process.dissipation(&rest).unwrap() < 1e-25);
    assert!(largest(&(process.at(50.0, &start).unwrap().covariance() - rest.covariance())) < 1e-14);
    // Convexity: W2 to the stationary law falls at least like exp(-λ t) with λ the least eigenvalue.
    let w = |t: f64| process.at(t, &start).unwrap().w2_squared(&rest).unwrap().sqrt();
    let lambda = 0.51;
    assert!([0.5, 1.0, 2.0].iter().all(|&t| w(t) <= (-lambda * t).exp() * w(0.0)));
}

#[test]
fn the_minimising_movement_on_gaussians_is_a_minimum() {
    let (m, sigma, lambda, d, tau) = (1.3, 0.4, 0.8, 0.5, 0.3);
    let objective = |a: f64, s: f64| {
        ((a - m).powi(2) + (s - sigma).powi(2)) / (2.0 * tau) + 0.5 * lambda * (a * a + s * s) - d * s.ln()
    };
    let (a, s) = gaussian_jko(m, sigma, lambda, d, tau).unwrap();
    let h = 1e-3;
    for (da, ds) in [(h, 0.0), (-h, 0.0), (0.0, h), (0.0, -h)] {
        assert!(objective(a + da, s + ds) > objective(a, s));
    }
    // First order in τ to the process.
    let error = |n: u32| {
        let (mut m, mut s) = (2.0, 0.5);
        for _ in 0..n {
            (m, s) = gaussian_jko(m, s, 1.0, 1.0, 0.5 / f64::from(n)).unwrap();
        }
        (m - 2.0 * (-0.5_f64).exp()).abs() + (s * s - (1.0 - 0.75 * (-1.0_f64).exp())).abs()
    };
    assert!((error(40) / error(80) - 2.0).abs() < 0.05);
}

#[test]
fn barenblatt_has_its_mass_energy_moment_and_rate() {
    for dim in 1..=3 {
        for m in [1.5, 2.0, 3.0] {
            let b = Barenblatt::new(dim, m, 0.7).unwrap();
            let sphere = [2.0, std::f64::consts::TAU, 2.0 * std::f64::consts::TAU][dim as usize - 1];
            let t = 0.8;
            let n = 200_000;
            let h = b.radius(t) / f64::from(n);
            let integral = |f: &dyn Fn(f64) -> f64| -> f64 {
                (0..n)
                    .map(|i| (f64::from(i) + 0.5) * h)
                    .map(|r| h * sphere * r.powi(dim as i32 - 1) * f(r))
                    .sum()
            };
            let rho = |r: f64| b.density(t, r);
            assert!((integral(&rho) - 0.7).abs() < 1e-6, "mass, d = {dim}, m = {m}");
            assert!((integral(&|r| rho(r).powf(m)) / (m - 1.0) - b.energy(t)).abs() < 1e-7);
            assert!((integral(&|r| r * r * rho(r)) - b.second_moment(t)).abs() < 1e-6);
            // The equation itself inside the support, by differences.
            let (r, e) = (0.5 * b.radius(t), 1e-4);
            let p = |r: f64| rho(r).powf(m);
            let slope = (p(r + e) - p(r - e)) / (2.0 * e);
            let laplacian = (p(r + e) - 2.0 * p(r) + p(r - e)) / (e * e) + (f64::from(dim) - 1.0) / r * slope;
            let in_time = (b.density(t + e, r) - b.density(t - e, r)) / (2.0 * e);
            assert!(
                (in_time - laplacian).abs() < 1e-5,
                "equation, d = {dim}, m = {m}: {in_time} {laplacian}"
            );
        }
    }
}

#[test]
fn fisher_rao_flows_follow_their_equations() {
    let (start, target) = (array![0.5, 0.2, 0.2, 0.1], array![0.1, 0.3, 0.2, 0.4]);
    let reaction = field(|_t, rho: &Array1<f64>, d: &mut Array1<f64>| {
        let log = (rho / &target).mapv(f64::ln);
        let kl = (rho * &log).sum();
        d.assign(&(-rho * &(log - kl)));
    });
    let sol = Flow::new(reaction, Tsit5::new()).tol(1e-12).solve(0.0, 0.7, start.clone()).unwrap();
    let exact = fisher_rao(&start, &target, 0.7).unwrap();
    assert!(common::distance(sol.y_end().as_slice().unwrap(), exact.as_slice().unwrap()) < 1e-11);

    let law = Gaussian::new(array![1.0, 0.0], array![[0.5, 0.1], [0.1, 0.3]]).unwrap();
    let goal = Gaussian::new(array![-1.0, 0.5], array![[1.0, -0.2], [-0.2, 0.6]]).unwrap();
    let log_density = |g: &Gaussian, x: f64, y: f64| {
        let s = g.covariance();
        let det = s[[0, 0]] * s[[1, 1]] - s[[0, 1]] * s[[0, 1]];
        let (u, v) = (x - g.mean()[0], y - g.mean()[1]);
        -0.5 * (s[[1, 1]] * u * u - 2.0 * s[[0, 1]] * u * v + s[[0, 0]] * v * v) / det
    };
    let later = fisher_rao_gaussian(&law, &goal, 0.4).unwrap();
    let keep = (-0.4_f64).exp();
    // log ρ(t) - e^{-t} log ρ(0) - (1 - e^{-t}) log π is the same at all points.
    let rest = |x, y| {
        log_density(&later, x, y) - keep * log_density(&law, x, y) - (1.0 - keep) * log_density(&goal, x, y)
    };
    assert!((rest(0.3, 1.0) - rest(-2.0, 0.1)).abs() < 1e-12);

    // Transport plus reaction: the two flows' rates add up.
    let (m, s) = wasserstein_fisher_rao_gaussian(&law, &goal).unwrap();
    let h = 1e-5;
    let (ahead, behind) =
        (fisher_rao_gaussian(&law, &goal, h).unwrap(), fisher_rao_gaussian(&law, &goal, -h).unwrap());
    let p = {
        let c = goal.covariance();
        let det = c[[0, 0]] * c[[1, 1]] - c[[0, 1]] * c[[0, 1]];
        array![[c[[1, 1]], -c[[0, 1]]], [-c[[0, 1]], c[[0, 0]]]] / det
    };
    let transport = OrnsteinUhlenbeck::new(p, goal.mean().clone(), 1.0).unwrap();
    let (on, back) = (transport.at(h, &law).unwrap(), transport.at(-h, &law).unwrap());
    let rate = |a: &Gaussian, b: &Gaussian| (a.covariance() - b.covariance()) / (2.0 * h);
    assert!(largest(&(rate(&ahead, &behind) + rate(&on, &back) - s)) < 1e-8);
    let rate = |a: &Gaussian, b: &Gaussian| (a.mean() - b.mean()) / (2.0 * h);
    assert!((rate(&ahead, &behind) + rate(&on, &back) - m).iter().all(|e| e.abs() < 1e-8));
}

#[test]
fn particles_on_the_line_follow_the_closed_forms() {
    let n = 7;
    let start: Vec<f64> = (0..n).map(|i| (0.3 * i as f64).powi(2) - 0.5).collect();
    let pulls = field(move |_t, x: &Array1<f64>, d: &mut Array1<f64>| {
        for i in 0..n {
            let sum: f64 = (0..n).filter(|&j| j != i).map(|j| (x[i] - x[j]) - (x[i] - x[j]).signum()).sum();
            d[i] = -sum / n as f64;
        }
    });
    let sol =
        Flow::new(pulls, Tsit5::new()).tol(1e-11).solve(0.0, 1.5, Array1::from_vec(start.clone())).unwrap();
    assert!(common::distance(sol.y_end().as_slice().unwrap(), &aggregation::line(&start, 1.5)) < 1e-9);
    assert_eq!(aggregation::disk_radius(1.0, 3.0), 1.0);
    assert!((aggregation::RING_RADIUS * aggregation::RING_RADIUS - 1.0 / 3.0).abs() < 1e-15);
    assert!((aggregation::quadratic_contraction(2.0, 0.5) - (-1.0_f64).exp()).abs() < 1e-15);
    assert_eq!(energy_distance_flow(0.3, 0.3, 9.0), 0.3);
    let mass = keller_segel::critical_mass(1.0);
    assert!((keller_segel::second_moment_slope(0.5 * mass, 1.0) - mass).abs() < 1e-12);
    assert!(keller_segel::line_second_moment_slope(2.0, 1.0).abs() < 1e-15);
    assert!((heat_kernel(2, 1.0, 0.25, 0.0).unwrap() - 1.0 / std::f64::consts::PI).abs() < 1e-15);
    assert!((sampler::obabo_variance(1.0, 1.0) - 4.0 / 3.0).abs() < 1e-15);
}

#[test]
fn what_makes_no_sense_is_refused() {
    assert!(OrnsteinUhlenbeck::new(array![[0.0]], array![0.0], 1.0).is_err());
    assert!(OrnsteinUhlenbeck::new(array![[1.0]], array![0.0], -1.0).is_err());
    assert!(gaussian_jko(0.0, 1.0, 1.0, 1.0, 0.0).is_err());
    assert!(gaussian_jko(0.0, 1.0, -2.0, 1.0, 1.0).is_err());
    assert!(Barenblatt::new(2, 1.0, 1.0).is_err() && Barenblatt::new(0, 2.0, 1.0).is_err());
    assert!(heat_kernel(1, 1.0, 0.0, 1.0).is_err());
    assert!(fisher_rao(&array![1.0, 0.0], &array![0.5, 0.5], 1.0).is_err());
}
