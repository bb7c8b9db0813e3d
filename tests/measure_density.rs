//! Densities on grids and quantiles on the line: finite volumes and minimising movements against closed forms.

mod common;

use common::slope;
use flowfield::exact::{Barenblatt, gaussian_jko};
use flowfield::integrate::{Bdf, Proximal, Rock4, Rodas4, SspRk33, Tsit5};
use flowfield::measure::{BackAndForth, DensityFlow, EntropicJko, FreeEnergy, Grid, QuantileFlow};
use flowfield::{Error, Flow, VectorField};
use ndarray::{Array1, Ix1, Ix2, array};

fn normal(x: f64, mean: f64, variance: f64) -> f64 {
    (-0.5 * (x - mean).powi(2) / variance).exp() / (std::f64::consts::TAU * variance).sqrt()
}

/// Averages over cells, by 32 points in each.
fn averages(grid: &Grid<Ix1>, f: impl Fn(f64) -> f64) -> Array1<f64> {
    let h = grid.width()[0];
    grid.sample(|x| (0..32).map(|k| f(x[0] + h * ((f64::from(k) + 0.5) / 32.0 - 0.5))).sum::<f64>() / 32.0)
}

fn well(grid: &Grid<Ix1>) -> FreeEnergy<Ix1> {
    FreeEnergy::new(grid).diffusion(1.0).potential(|x| 0.5 * x[0] * x[0])
}

#[test]
fn fokker_planck_has_the_reference_errors_and_keeps_mass_and_positivity() {
    // L1 errors of an independent computation (Crank–Nicolson in time, the same fluxes): order 2.00.
    let reference = [(50, 8.01e-3), (100, 2.007e-3), (200, 5.03e-4)];
    for (cells, expected) in reference {
        let grid = Grid::line(-6.0, 6.0, cells).unwrap();
        let start = averages(&grid, |x| normal(x, 2.0, 0.25));
        let (rho, c) = Flow::new(DensityFlow::new(well(&grid)), Rock4::new())
            .tol(1e-7)
            .solve_certified(0.0, 0.5, start)
            .unwrap();
        let variance = 1.0 - 0.75 * (-1.0_f64).exp();
        let exact = averages(&grid, |x| normal(x, 2.0 * (-0.5_f64).exp(), variance));
        let error = grid.l1(&rho, &exact);
        assert!((error / expected - 1.0).abs() < 0.03, "{cells} cells: {error:e}");
        assert!(c.mass_drift.unwrap() < 1e-13 && c.least_density.unwrap() > 0.0 && c.is_monotone());
        assert!(c.identity_gap < 1e-4, "{}", c.identity_gap);
    }
}

#[test]
fn implicit_methods_see_neighbours_only() {
    let grid = Grid::line(-6.0, 6.0, 1000).unwrap();
    let start = grid.density(|x| normal(x[0], 2.0, 0.25));
    let mut flow = Flow::new(DensityFlow::new(well(&grid)), Rodas4::new()).tol(1e-6);
    let (rho, c) = flow.solve_certified(0.0, 0.5, start.clone()).unwrap();
    let exact = grid.sample(|x| normal(x[0], 2.0 * (-0.5_f64).exp(), 1.0 - 0.75 * (-1.0_f64).exp()));
    assert!(grid.l1(&rho, &exact) < 1e-4 && c.mass_drift.unwrap() < 1e-10, "{}", grid.l1(&rho, &exact));
    assert!(c.iterations < 30 * c.steps, "{} evaluations in {} steps", c.iterations, c.steps);
    let mut bdf = Flow::new(DensityFlow::new(well(&grid)), Bdf::new()).tol(1e-6);
    let (rho, _) = bdf.solve_certified(0.0, 0.5, start).unwrap();
    assert!(grid.l1(&rho, &exact) < 1e-4);

    let plane = Grid::plane((-3.0, 3.0, 24), (-3.0, 3.0, 20)).unwrap().periodic();
    let energy =
        FreeEnergy::new(&plane).diffusion(1.0).potential(|x| (x[0]).cos() + 0.3 * (2.0 * x[1]).sin());
    let start = plane.density(|x| (-x[0] * x[0] - x[1] * x[1]).exp());
    let explicit = Flow::new(DensityFlow::new(energy.clone()), Rock4::new()).tol(1e-7).solve_certified(
        0.0,
        0.2,
        start.clone(),
    );
    let mut flow = Flow::new(DensityFlow::new(energy), Rodas4::new()).tol(1e-7);
    let (rho, c) = flow.solve_certified(0.0, 0.2, start).unwrap();
    assert!(plane.l1(&rho, &explicit.unwrap().0) < 1e-5 && c.iterations < 40 * c.steps);
}

#[test]
fn equilibria_are_exact_on_every_grid() {
    let grid = Grid::line(-2.0, 3.0, 23).unwrap();
    let v = |x: f64| 3.0 * (x * x - 1.0).powi(2) + x;
    let gibbs = grid.density(|x| (-v(x[0]) / 0.4).exp());
    let mut flow = DensityFlow::new(FreeEnergy::new(&grid).diffusion(0.4).potential(|x| v(x[0])));
    let mut rate = gibbs.clone();
    flow.eval(0.0, &gibbs, &mut rate);
    assert!(rate.iter().all(|r| r.abs() < 1e-11), "{rate}");

    let plane = Grid::plane((-2.0, 2.0, 12), (-1.0, 2.0, 9)).unwrap();
    let v = |x: &[f64]| x[0] * x[0] + x[0] * x[1] + 0.7 * x[1] * x[1];
    let gibbs = plane.density(|x| (-v(x)).exp());
    let mut flow = DensityFlow::new(FreeEnergy::new(&plane).diffusion(1.0).potential(v));
    let mut rate = gibbs.clone();
    flow.eval(0.0, &gibbs, &mut rate);
    assert!(rate.iter().all(|r| r.abs() < 1e-12));

    // Porous medium in a well: ρ = (C - V)/2, positive everywhere here.
    let density = grid.sample(|x| 0.5 * (5.0 - 0.5 * x[0] * x[0]));
    let mut flow = DensityFlow::new(FreeEnergy::new(&grid).power(1.0, 2.0).potential(|x| 0.5 * x[0] * x[0]));
    let mut rate = density.clone();
    flow.eval(0.0, &density, &mut rate);
    assert!(rate.iter().all(|r| r.abs() < 1e-12), "{rate}");
}

#[test]
fn the_stable_step_keeps_positivity_and_no_more() {
    let grid = Grid::line(-6.0, 6.0, 100).unwrap();
    let mut flow = DensityFlow::new(well(&grid));
    let mut rho = grid.density(|x| if x[0].abs() < 0.2 { 1.0 } else { 0.0 });
    let h = flow.stable_step(&rho);
    let c = Flow::new(flow, SspRk33::new()).steps_certified(500, h, &mut rho).unwrap();
    assert!(c.least_density.unwrap() >= 0.0 && c.mass_drift.unwrap() < 1e-13 && c.is_monotone());
}

#[test]
fn barenblatt_spreads_at_second_order_inside_and_mass_stays() {
    let error = |cells| {
        let b = Barenblatt::new(1, 2.0, 1.0).unwrap();
        let grid = Grid::line(-4.0, 4.0, cells).unwrap();
        let start = averages(&grid, |x| b.density(0.5, x.abs()));
        let flow = DensityFlow::new(FreeEnergy::new(&grid).power(1.0, 2.0));
        let (rho, c) = Flow::new(flow, Rock4::new()).tol(1e-6).solve_certified(0.5, 1.5, start).unwrap();
        assert!(c.mass_drift.unwrap() < 1e-13 && c.is_monotone());
        assert!((c.energy_end() - b.energy(1.5)).abs() < 40.0 / (cells as f64).powi(2));
        grid.l1(&rho, &averages(&grid, |x| b.density(1.5, x.abs())))
    };
    let points: Vec<_> = [50, 100, 200].map(|n| (1.0 / n as f64, error(n))).to_vec();
    assert!(slope(&points) > 1.4 && points[2].1 < 1e-3, "{points:?}");
}

#[test]
fn barenblatt_in_the_plane_stays_round() {
    let b = Barenblatt::new(2, 2.0, 1.0).unwrap();
    let grid = Grid::plane((-2.0, 2.0, 48), (-2.0, 2.0, 48)).unwrap();
    let start = grid.density(|x| b.density(0.1, x[0].hypot(x[1])));
    let flow = DensityFlow::new(FreeEnergy::new(&grid).power(1.0, 2.0));
    let (rho, _) = Flow::new(flow, Rock4::new()).tol(1e-5).solve_certified(0.1, 0.3, start).unwrap();
    let exact = grid.sample(|x| b.density(0.3, x[0].hypot(x[1])));
    assert!(grid.l1(&rho, &exact) < 0.02, "{}", grid.l1(&rho, &exact));
    let transposed = rho.t().to_owned();
    assert!(grid.l1(&rho, &transposed) < 1e-9, "{}", grid.l1(&rho, &transposed));
}

#[test]
fn attraction_keeps_the_centre_and_contracts_at_its_rate() {
    let grid = Grid::line(-5.0, 5.0, 300).unwrap();
    let energy = FreeEnergy::new(&grid).interaction(|x| 0.5 * x[0] * x[0]).diffusion(0.2);
    let start = grid.density(|x| normal(x[0], 0.5, 0.6) + 0.5 * normal(x[0], -1.5, 0.1));
    let moments = |rho: &Array1<f64>| {
        let m = grid.mean(rho, |x| x[0]);
        (m, grid.mean(rho, |x| (x[0] - m).powi(2)))
    };
    let (m0, v0) = moments(&start);
    let (rho, c) =
        Flow::new(DensityFlow::new(energy), Rock4::new()).tol(1e-6).solve_certified(0.0, 0.7, start).unwrap();
    let (m, v) = moments(&rho);
    assert!((m - m0).abs() < 1e-4 && c.is_monotone(), "{} {:?}", m - m0, c.status);
    // v' = -2 v + 2 D.
    let exact = 0.2 + (v0 - 0.2) * (-1.4_f64).exp();
    assert!((v - exact).abs() < 8e-4, "{v} {exact}");
}

#[test]
fn heat_on_a_circle_loses_its_modes_at_their_rates() {
    let tau = std::f64::consts::TAU;
    let grid = Grid::line(0.0, tau, 128).unwrap().periodic();
    let start = grid.sample(|x| 1.0 + 0.5 * (2.0 * x[0]).cos());
    let flow = DensityFlow::new(FreeEnergy::new(&grid).diffusion(1.0));
    let (rho, _) = Flow::new(flow, Rock4::new()).tol(1e-8).solve_certified(0.0, 0.3, start).unwrap();
    let h = tau / 128.0;
    let rate = (2.0 - 2.0 * (2.0 * h).cos()) / (h * h);
    let exact = grid.sample(|x| 1.0 + 0.5 * (-0.3 * rate).exp() * (2.0 * x[0]).cos());
    assert!(grid.l1(&rho, &exact) < 1e-6);
}

/// Edges of equal cells of a normal law, by bisection of its distribution function in steps of a table.
fn normal_edges(cells: usize, mean: f64, std: f64) -> Array1<f64> {
    let (n, wide) = (400_000, 6.0);
    let h = 2.0 * wide / n as f64;
    let mut cumulated = vec![0.0; n + 1];
    for k in 0..n {
        cumulated[k + 1] = cumulated[k] + h * normal(-wide + (k as f64 + 0.5) * h, 0.0, 1.0);
    }
    let total = cumulated[n];
    (0..=cells)
        .map(|i| {
            let level = i as f64 / cells as f64 * total;
            let k = cumulated.partition_point(|&c| c < level).min(n);
            mean + std * (-wide + k as f64 * h)
        })
        .collect()
}

#[test]
fn quantile_steps_are_the_gaussian_ones() {
    let cells = 400;
    let mut x = normal_edges(cells, 2.0, 0.5);
    let flow = QuantileFlow::new(cells, 1.0).diffusion(1.0).potential(|x| [0.5 * x * x, x, 1.0]);
    let mut flow = Flow::new(flow, Proximal::new());
    let (mut m, mut s) = (2.0, 0.5);
    for _ in 0..5 {
        flow.step(0.1, &mut x).unwrap();
        (m, s) = gaussian_jko(m, s, 1.0, 1.0, 0.1).unwrap();
    }
    // Standard deviation from the quartiles: the outermost cells hold what the cut-off leaves.
    let (q1, q2, q3) = (x[cells / 4], x[cells / 2], x[3 * cells / 4]);
    assert!((q2 - m).abs() < 1e-3, "{q2} {m}");
    assert!(((q3 - q1) / 1.348_979_500_392_163 - s).abs() < 6e-3, "{} {s}", (q3 - q1) / 1.349);
    assert!(flow.field().iterations() <= 5 * 9, "{} iterations", flow.field().iterations());
}

#[test]
fn quantile_steps_converge_to_barenblatt_and_never_gain_energy() {
    // W2 errors of an independent computation: 3.2e-2, 1.66e-2, 8.4e-3 at 25, 50, 100 cells.
    let b = Barenblatt::new(1, 2.0, 1.0).unwrap();
    let cdf_edges = |t: f64, cells: usize| -> Array1<f64> {
        let (n, r) = (200_000, b.radius(t));
        let h = 2.0 * r / n as f64;
        let mut sum = vec![0.0; n + 1];
        (0..n).for_each(|k| sum[k + 1] = sum[k] + h * b.density(t, (-r + (k as f64 + 0.5) * h).abs()));
        let edge = |i: usize| sum.partition_point(|&c| c < i as f64 / cells as f64 * sum[n]).min(n);
        (0..=cells).map(|i| -r + edge(i) as f64 * h).collect()
    };
    let error = |cells: usize| {
        let mut x = cdf_edges(0.5, cells);
        let flow = QuantileFlow::new(cells, 1.0).power(1.0, 2.0);
        let mut flow = Flow::new(flow, Proximal::new());
        let c = flow.steps_certified(500, 2e-3, &mut x).unwrap();
        assert!(c.is_monotone() && c.mass_drift == Some(0.0));
        assert!(flow.field().iterations() <= 500 * 5, "{} iterations", flow.field().iterations());
        let exact = cdf_edges(1.5, cells);
        let w = |k: usize| if k == 0 || k == cells { 0.5 } else { 1.0 } / cells as f64;
        (0..=cells).map(|k| w(k) * (x[k] - exact[k]).powi(2)).sum::<f64>().sqrt()
    };
    let errors = [25, 50, 100].map(error);
    for (e, expected) in errors.iter().zip([3.2e-2, 1.66e-2, 8.4e-3]) {
        assert!(*e < 1.1 * expected, "{errors:?}");
    }
    assert!(errors[0] / errors[2] > 3.4, "first order in the cells: {errors:?}");
}

#[test]
fn quantile_steps_are_of_first_order_in_tau_and_stable_for_any() {
    let cells = 60;
    let double_well = |x: f64| [(x * x - 1.0).powi(2), 4.0 * x * (x * x - 1.0), 12.0 * x * x - 4.0];
    let make = || QuantileFlow::new(cells, 1.0).diffusion(0.3).potential(double_well);
    let start = Array1::linspace(-0.3, 1.2, cells + 1);
    let exact = Flow::new(make(), Tsit5::new()).tol(1e-9).solve(0.0, 0.2, start.clone()).unwrap();
    let error = |n: usize| {
        let mut x = start.clone();
        Flow::new(make(), Proximal::new()).steps(n, 0.2 / n as f64, &mut x).unwrap();
        common::distance(x.as_slice().unwrap(), exact.y_end().as_slice().unwrap())
    };
    let points: Vec<_> = [20, 40, 80].map(|n| (1.0 / n as f64, error(n))).to_vec();
    assert!((slope(&points) - 1.0).abs() < 0.1, "{points:?}");
    let mut x = start.clone();
    let c = Flow::new(make(), Proximal::new()).steps_certified(3, 100.0, &mut x).unwrap();
    assert!(c.is_monotone() && x.windows(2).into_iter().all(|w| w[1] > w[0]));
}

#[test]
fn entropic_steps_are_exact_steps_once_compensated() {
    let grid = Grid::line(-4.0, 5.0, 250).unwrap();
    let start = grid.density(|x| normal(x[0], 2.0, 0.25));
    let variance = |rho: &Array1<f64>| {
        let m = grid.mean(rho, |x| x[0]);
        grid.mean(rho, |x| (x[0] - m).powi(2))
    };
    let run = |tau: f64, eps: f64, compensate: bool| {
        let mut rho = start.clone();
        let field = EntropicJko::new(well(&grid), eps).compensate(compensate);
        let n = (0.5 / tau).round() as usize;
        let c = Flow::new(field, Proximal::new()).steps_certified(n, tau, &mut rho).unwrap();
        assert!(c.mass_drift.unwrap() < 1e-12 && c.least_density.unwrap() >= 0.0);
        assert!(!compensate || c.is_monotone());
        variance(&rho)
    };
    let (mut m, mut s) = (2.0, 0.5);
    (0..10).for_each(|_| (m, s) = gaussian_jko(m, s, 1.0, 1.0, 0.05).unwrap());
    // Values of an independent computation: .7042 exact, .7045 compensated, .7644 raw.
    assert!((s * s - 0.7042).abs() < 1e-4);
    let (compensated, raw) = (run(0.05, 0.02, true), run(0.05, 0.02, false));
    assert!((compensated - 0.7045).abs() < 3e-4, "{compensated}");
    assert!((raw - 0.7644).abs() < 5e-4, "{raw}");
    // First order in τ to the continuous time: .0377, .0199, .0103.
    let exact = 1.0 - 0.75 * (-1.0_f64).exp();
    for (tau, gap) in [(0.1, 0.0377), (0.05, 0.0199), (0.025, 0.0103)] {
        let mut s = 0.5;
        (0..(0.5 / tau + 0.5) as usize).for_each(|_| s = gaussian_jko(0.0, s, 1.0, 1.0, tau).unwrap().1);
        assert!((exact - s * s - gap).abs() < 2e-4);
        let eps = 0.4 * tau;
        assert!((exact - run(tau, eps, true) - gap).abs() < 1.5e-3, "tau = {tau}");
    }
}

#[test]
fn minimising_movements_converge_to_the_finite_volumes() {
    let v = |x: f64| 0.25 * x.powi(4) - 0.5 * x * x;
    let grid = Grid::line(-3.0, 3.0, 150).unwrap();
    let energy = FreeEnergy::new(&grid).diffusion(0.5).potential(|x| v(x[0]));
    let start = grid.density(|x| normal(x[0], 0.5, 0.3));
    let (exact, _) = Flow::new(DensityFlow::new(energy.clone()), Rock4::new())
        .tol(1e-7)
        .solve_certified(0.0, 0.4, start.clone())
        .unwrap();
    let error = |n: usize| {
        let tau = 0.4 / n as f64;
        let mut rho = start.clone();
        let field = EntropicJko::new(energy.clone(), 0.4 * tau);
        Flow::new(field, Proximal::new()).steps(n, tau, &mut rho).unwrap();
        grid.l1(&rho, &exact)
    };
    let points: Vec<_> = [4, 8, 16].map(|n| (1.0 / n as f64, error(n))).to_vec();
    assert!((slope(&points) - 1.0).abs() < 0.2, "{points:?}");
}

#[test]
fn entropic_steps_in_the_plane_and_under_congestion() {
    let grid = Grid::plane((-3.0, 3.0, 40), (-3.0, 3.0, 40)).unwrap();
    let energy = FreeEnergy::new(&grid).cap(0.12).potential(|x| 0.5 * (x[0] * x[0] + x[1] * x[1]));
    let mut rho = grid.density(|x| (-2.0 * ((x[0] - 1.0).powi(2) + x[1] * x[1])).exp());
    rho.mapv_inplace(|r| r.min(0.12));
    rho /= grid.mass(&rho);
    rho.mapv_inplace(|r: f64| r.min(0.12));
    let field = EntropicJko::new(energy, 0.08).tol(1e-6);
    let c = Flow::new(field, Proximal::new()).steps_certified(15, 0.2, &mut rho).unwrap();
    assert!(rho.iter().all(|&r| r <= 0.12 * (1.0 + 1e-3)), "{}", rho.iter().fold(0.0_f64, |m, &r| m.max(r)));
    assert!(c.mass_drift.unwrap() < 1e-12 && c.energy_end() < c.energy[0].1);
    assert!(grid.mean(&rho, |x| x[0]).abs() < 0.2);
}

#[test]
fn bad_input_is_refused() {
    assert!(matches!(Grid::line(0.0, 1.0, 1), Err(Error::Setting { .. })));
    assert!(Grid::line(1.0, 1.0, 10).is_err() && Grid::plane((0.0, 1.0, 4), (0.0, 1.0, 1)).is_err());
    let grid = Grid::line(0.0, 1.0, 4).unwrap();
    let mut negative = array![1.0, 1.0, -0.1, 1.0];
    let flow = |e| Flow::new(DensityFlow::<Ix1>::new(e), SspRk33::new());
    let plain = || FreeEnergy::new(&grid).diffusion(1.0);
    assert!(matches!(flow(plain()).step(1e-3, &mut negative), Err(Error::Weight { row: 2, .. })));
    assert!(flow(plain()).step(1e-3, &mut array![1.0, 1.0]).is_err());
    assert!(flow(plain()).step(1e-3, &mut Array1::zeros(4)).is_err());
    assert!(flow(plain().diffusion(-1.0)).step(1e-3, &mut Array1::ones(4)).is_err());
    assert!(flow(plain().power(1.0, 1.0)).step(1e-3, &mut Array1::ones(4)).is_err());
    assert!(flow(plain().potential(|_| f64::NAN)).step(1e-3, &mut Array1::ones(4)).is_err());
    let jko = |eps: f64, tau: f64| {
        Flow::new(EntropicJko::new(plain(), eps), Proximal::new()).step(tau, &mut Array1::ones(4))
    };
    assert!(jko(0.1, 0.0).is_err() && jko(0.1, -1.0).is_err() && jko(0.0, 0.1).is_err());
    assert!(matches!(jko(0.5, 0.1), Err(Error::Setting { .. })), "eps above 4 tau D");
    let quantiles = |x: Array1<f64>, tau: f64| {
        let mut x = x;
        Flow::new(QuantileFlow::new(2, 1.0).diffusion(1.0), Proximal::new()).step(tau, &mut x)
    };
    assert!(quantiles(array![0.0, 0.0, 1.0], 0.1).is_err());
    assert!(quantiles(array![0.0, 0.5, 1.0], 0.0).is_err() && quantiles(array![0.0, 1.0], 0.1).is_err());
    assert!(quantiles(array![0.0, 0.5, 1.0], 0.1).is_ok());
    let plane = Grid::plane((0.0, 1.0, 4), (0.0, 1.0, 4)).unwrap();
    let wrong = FreeEnergy::<Ix2>::new(&plane).power(-1.0, 2.0);
    assert!(
        Flow::new(DensityFlow::new(wrong), SspRk33::new())
            .step(1e-3, &mut ndarray::Array2::ones((4, 4)))
            .is_err()
    );
}

#[test]
fn back_and_forth_steps_in_the_plane_follow_barenblatt_and_the_finite_volumes() {
    let b = Barenblatt::new(2, 2.0, 1.0).unwrap();
    let error = |cells: usize, steps: usize| {
        let grid = Grid::plane((-2.0, 2.0, cells), (-2.0, 2.0, cells)).unwrap();
        let mut rho = grid.density(|x| b.density(0.1, x[0].hypot(x[1])));
        let field = BackAndForth::new(FreeEnergy::new(&grid).power(1.0, 2.0));
        let mut flow = Flow::new(field, Proximal::new());
        let c = flow.steps_certified(steps, 0.2 / steps as f64, &mut rho).unwrap();
        assert!(c.is_monotone() && c.mass_drift.unwrap() < 1e-12 && c.least_density.unwrap() >= 0.0);
        assert!(flow.field().iterations() < 60 * steps as u64, "{}", flow.field().iterations());
        grid.l1(&rho, &grid.sample(|x| b.density(0.3, x[0].hypot(x[1]))))
    };
    let (coarse, fine) = (error(32, 2), error(64, 8));
    assert!(fine < 0.6 * coarse && fine < 0.06, "{coarse} {fine}");
}
