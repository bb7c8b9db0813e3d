//! Entropic transport and divergences: closed forms, limits, gradients, threads, bad input.

use flowfield::Error;
use flowfield::dataset::normal;
use flowfield::transport::*;
use ndarray::{Array1, Array2, Axis, array};
use proptest::prelude::*;

fn squared(x: &Array2<f64>, y: &Array2<f64>) -> PointCost {
    PointCost::squared_euclidean(x, y).unwrap()
}

fn uneven(n: usize, seed: u64) -> Array1<f64> {
    let w = normal::<f64>((n, 1), seed).column(0).mapv(f64::exp);
    &w / w.sum()
}

fn marginal_error(plan: &Array2<f64>, a: &Array1<f64>, b: &Array1<f64>) -> f64 {
    (plan.sum_axis(Axis(1)) - a).mapv(f64::abs).sum() + (plan.sum_axis(Axis(0)) - b).mapv(f64::abs).sum()
}

#[test]
fn marginals_are_met_at_every_temperature() {
    let (x, y) = (normal::<f64>((150, 2), 0), normal::<f64>((190, 2), 1) * 2.0);
    let (a, b, cost) = (uneven(150, 2), uneven(190, 3), squared(&x, &y));
    for eps in [10.0, 1.0, 0.1, 0.01, 0.002] {
        for tol in [1e-3, 1e-6, 1e-10] {
            let s = Sinkhorn::new(eps).tol(tol).solve(&cost, &a, &b).unwrap().ensure().unwrap();
            let error = marginal_error(&s.plan(&cost, &a, &b).unwrap(), &a, &b);
            assert!(error <= 1.01 * tol + 1e-13, "eps {eps}, tol {tol}: {error}");
        }
    }
}

#[test]
fn small_temperatures_give_exact_transport() {
    let (x, y) = (normal::<f64>((60, 2), 0), normal::<f64>((70, 2), 1) + 1.0);
    let (a, b, cost) = (uneven(60, 2), uneven(70, 3), squared(&x, &y));
    let best = exact(&cost, &a, &b).unwrap().cost;
    let mut last = f64::INFINITY;
    for eps in [1.0, 0.1, 0.01, 0.001] {
        let s = Sinkhorn::new(eps).tol(1e-9).solve(&cost, &a, &b).unwrap().ensure().unwrap();
        let gap = s.value - best;
        assert!(gap > -1e-8 && gap < last);
        last = gap;
    }
    assert!(last < 0.01, "{last}");
}

#[test]
fn gaussians_have_a_closed_form() {
    // Entropic transport between N(0, s²) and N(m, t²) for |x - y|² and ε KL(π | a ⊗ b), one dimension, on fine grids:
    // with σ² = ε/2 and D = √(4 s² t² + σ⁴): m² + s² + t² - D + σ² (1 - log 2σ²) + σ² log(D + σ²).
    let (s, t, m, eps) = (1.0_f64, 0.7_f64, 0.5, 0.8);
    let grid = Array2::from_shape_fn((401, 1), |(i, _)| (i as f64 - 200.0) * 0.04);
    let density = |mean: f64, sd: f64| {
        let w = grid.column(0).mapv(|x: f64| (-0.5 * ((x - mean) / sd).powi(2)).exp());
        &w / w.sum()
    };
    let (a, b) = (density(0.0, s), density(m, t));
    let answer = Sinkhorn::new(eps).tol(1e-10).solve(&squared(&grid, &grid), &a, &b).unwrap();
    let v = eps / 2.0;
    let d = (4.0 * s * s * t * t + v * v).sqrt();
    let exact = m * m + s * s + t * t - d + v * (1.0 - (2.0 * v).ln()) + v * (d + v).ln();
    assert!((answer.value - exact).abs() < 1e-6, "{} {exact}", answer.value);
    // The barycentric map is linear with slope (D - σ²) / (2 s²).
    let map = entropic_map(&array![[-1.0], [1.0]], &grid, &b, &answer.g, eps).unwrap();
    assert!(((map[[1, 0]] - map[[0, 0]]) / 2.0 - (d - v) / (2.0 * s * s)).abs() < 1e-5);
}

#[test]
fn zero_weights_single_points_and_repeated_points() {
    let (x, y) = (normal::<f64>((20, 2), 0), normal::<f64>((30, 2), 1));
    let repeated = Array2::from_shape_fn((30, 2), |(i, k)| y[[i / 10, k]]);
    let mut a = uneven(20, 2);
    (0..10).for_each(|i| a[2 * i] = 0.0);
    a /= a.sum();
    for eps in [1.0, 0.01] {
        for y in [&y, &repeated] {
            let cost = squared(&x, y);
            let s = Sinkhorn::new(eps).solve(&cost, &a, &uniform(30)).unwrap().ensure().unwrap();
            let plan = s.plan(&cost, &a, &uniform(30)).unwrap();
            assert!(marginal_error(&plan, &a, &uniform(30)) < 2e-6);
            assert!(s.f.iter().chain(&s.g).all(|f| f.is_finite()));
        }
        let one = squared(&array![[0.0, 0.0]], &y);
        let s = Sinkhorn::new(eps).solve(&one, &array![1.0], &uniform(30)).unwrap();
        let mean = (0..30).map(|j| one.at(0, j)).sum::<f64>() / 30.0;
        assert!(s.converged && (s.value - mean).abs() < 1e-9);
    }
}

#[test]
fn warm_starts_are_cheap_and_agree() {
    let (x, y) = (normal::<f64>((200, 2), 0), normal::<f64>((200, 2), 1) + 1.0);
    let w = uniform::<f64>(200);
    let solver = Sinkhorn::new(0.02);
    let first = solver.solve(&squared(&x, &y), &w, &w).unwrap();
    let near = squared(&(&x + &(normal::<f64>((200, 2), 5) * 1e-4)), &y);
    let (cold, warm) =
        (solver.solve(&near, &w, &w).unwrap(), solver.clone().warm(&first).solve(&near, &w, &w).unwrap());
    assert!(warm.converged && warm.passes < cold.passes, "{} {}", warm.passes, cold.passes);
    assert!((warm.value - cold.value).abs() < 1e-6);
}

#[test]
fn stopping_early_says_so_and_hands_back_what_there_is() {
    let (x, y) = (normal::<f64>((100, 2), 0), normal::<f64>((100, 2), 1) * 3.0);
    let w = uniform::<f64>(100);
    let s = Sinkhorn::new(0.01).max_passes(3).solve(&squared(&x, &y), &w, &w).unwrap();
    assert!(!s.converged && s.residual > 1e-6 && s.f.iter().all(|f| f.is_finite()));
    assert!(matches!(s.ensure(), Err(Error::NotConverged { .. })));
}

#[test]
fn soft_marginals() {
    let (x, y) = (normal::<f64>((50, 2), 0), normal::<f64>((60, 2), 1) + 1.0);
    let (a, b, cost) = (uneven(50, 2), uneven(60, 3) * 2.0, squared(&x, &y));
    // Optimality: the first marginal is a e^(-f/ρ), the second b e^(-g/ρ).
    let rho = 0.7;
    let s = Sinkhorn::new(0.1).unbalanced(rho).tol(1e-10).solve(&cost, &a, &b).unwrap().ensure().unwrap();
    let plan: Array2<f64> = s.plan(&cost, &a, &b).unwrap();
    let want = &a * &s.f.mapv(|f| (-f / rho).exp());
    assert!((plan.sum_axis(Axis(1)) - want).iter().all(|e| e.abs() < 1e-9));
    // The primal value is the dual one.
    let kl = |p: &Array1<f64>, q: &Array1<f64>| -> f64 {
        p.iter().zip(q).map(|(p, q)| p * (p / q).ln() - p + q).sum()
    };
    let mut primal = rho * (kl(&plan.sum_axis(Axis(1)), &a) + kl(&plan.sum_axis(Axis(0)), &b));
    for ((i, j), p) in plan.indexed_iter() {
        let q = a[i] * b[j];
        primal += p * cost.at(i, j) + 0.1 * (p * (p / q).ln() - p + q);
    }
    assert!((primal - s.value).abs() < 1e-8, "{primal} {}", s.value);
    // Ever stiffer marginals give the balanced problem.
    let b = uneven(60, 3);
    let hard = Sinkhorn::new(0.5).solve(&cost, &a, &b).unwrap().value;
    let stiff = Sinkhorn::new(0.5).unbalanced(1e5).solve(&cost, &a, &b).unwrap().value;
    assert!((hard - stiff).abs() < 1e-3, "{hard} {stiff}");
}

#[test]
fn the_gradient_of_the_divergence_is_its_finite_difference() {
    for d in [1, 2, 5] {
        let (x, y) = (normal::<f64>((12, d), 0), normal::<f64>((15, d), 1) * 1.5 + 0.5);
        let (a, b) = (uneven(12, 2), uneven(15, 3));
        let value = |x: &Array2<f64>| SinkhornDivergence::new(0.5).tol(1e-12).between(x, &a, &y, &b).unwrap();
        let s = value(&x);
        assert!(s.converged && s.value > 0.0);
        for (i, k) in [(0, 0), (7, d - 1)] {
            let h = 1e-4;
            let (mut up, mut down) = (x.clone(), x.clone());
            (up[[i, k]], down[[i, k]]) = (x[[i, k]] + h, x[[i, k]] - h);
            let slope = (value(&up).value - value(&down).value) / (2.0 * h);
            assert!((slope - s.gradient[[i, k]]).abs() < 1e-7, "{slope} {}", s.gradient[[i, k]]);
        }
        let same = SinkhornDivergence::new(0.5).tol(1e-12).between(&x, &a, &x, &a).unwrap();
        assert!(same.value.abs() < 1e-10 && same.gradient.iter().all(|g| g.abs() < 1e-9));
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let (x, y) = (normal::<f64>((700, 2), 0), normal::<f64>((650, 2), 1) + 1.0);
    let (a, b) = (uneven(700, 2), uneven(650, 3));
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let s = Sinkhorn::new(0.05).solve(&squared(&x, &y), &a, &b).unwrap();
            let g = SinkhornDivergence::new(0.3).between(&x, &a, &y, &b).unwrap().gradient;
            let sliced = Sliced::new(2, 50, 0).unwrap().gradient(&x, &y).unwrap();
            (s.f, s.g, g, sliced)
        })
    };
    assert!(run(1) == run(2) && run(1) == run(3));
}

#[test]
fn bad_input_is_refused_by_name() {
    let cost = CostFn::new(2, 2, |_, _| 1.0);
    let w = uniform::<f64>(2);
    for eps in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(Sinkhorn::new(eps).solve(&cost, &w, &w), Err(Error::Setting { what: "eps", .. })));
    }
    assert!(matches!(Sinkhorn::new(1.0).tol(0.0).solve(&cost, &w, &w), Err(Error::Setting { .. })));
    let unequal = Sinkhorn::new(1.0).solve(&cost, &w, &(&w * 2.0));
    assert!(matches!(unequal, Err(Error::WeightSums { .. })));
    for bad in [f64::INFINITY, f64::NAN, f64::NEG_INFINITY] {
        let cost = CostFn::new(2, 2, |i, j| if i + j == 2 { bad } else { 1.0 });
        let s = Sinkhorn::new(1.0).solve(&cost, &w, &w);
        assert!(matches!(s, Err(Error::CostNotFinite { row: 1, column: 1, .. })), "{s:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_divergence_is_symmetric_and_not_negative(n in 1..30_usize, m in 1..30_usize, seed in 0..1000_u64) {
        let (x, y) = (normal::<f64>((n, 2), seed), normal::<f64>((m, 2), seed + 1) * 1.5);
        let (a, b) = (uneven(n, seed), uneven(m, seed + 7));
        let there = SinkhornDivergence::new(0.3).tol(1e-9).between(&x, &a, &y, &b).unwrap();
        let back = SinkhornDivergence::new(0.3).tol(1e-9).between(&y, &b, &x, &a).unwrap();
        prop_assert!(there.converged && there.value >= -1e-8);
        prop_assert!((there.value - back.value).abs() < 1e-7);
    }
}
