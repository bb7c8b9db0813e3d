//! Low-rank flows: factors and integrators.

use flowfield::dataset::normal;
use flowfield::integrate::{Euler, Integrator, Rk4, Vern9};
use flowfield::low_rank::{
    AdditiveFactors, AugmentedBug, Bug, LoraScale, LowRank, LowRankFactors, ParallelBug, ProjectorSplitting,
};
use flowfield::{Error, Flow, VectorField, field};
use ndarray::{Array1, Array2};

fn random(n: usize, m: usize, seed: u64) -> Array2<f64> {
    normal((n, m), seed)
}

fn norm(a: &Array2<f64>) -> f64 {
    a.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// An n × k matrix with orthonormal columns.
fn orthonormal(n: usize, k: usize, seed: u64) -> Array2<f64> {
    LowRank::from_svd(&random(n, k, seed), k).unwrap().u
}

fn skew(n: usize, seed: u64) -> Array2<f64> {
    let a = random(n, n, seed);
    (&a - &a.t()) * 0.04
}

/// W' = W₁ W + W + W W₂ᵀ with skew W₁, W₂, from U diag(2⁻ʲ) Vᵀ: its singular values are eᵗ 2⁻ʲ for all t.
struct Rotating {
    left: Array2<f64>,
    right: Array2<f64>,
    start: Array2<f64>,
    end: Array2<f64>,
}

impl Rotating {
    fn new(n: usize) -> Self {
        let (left, right) = (skew(n, 1), skew(n, 2));
        let sigma: Array1<f64> = (0..n).map(|j| 0.5f64.powi(j as i32)).collect();
        let start = (&orthonormal(n, n, 3) * &sigma).dot(&orthonormal(n, n, 4).t());
        let mut case = Rotating { left, right, start: start.clone(), end: start.clone() };
        let end = Flow::new(case.field(), Vern9::new()).tol(1e-13).solve(0.0, 1.0, start).unwrap();
        case.end = end.y_end().clone();
        case
    }

    fn field(&self) -> impl VectorField<Array2<f64>> + '_ {
        field(|_t, w: &Array2<f64>, dw| *dw = self.left.dot(w) + w + w.dot(&self.right.t()))
    }

    fn error<I: Integrator<Array2<f64>>>(&self, method: I, steps: usize) -> f64 {
        let mut w = self.start.clone();
        Flow::new(self.field(), method).steps(steps, 1.0 / steps as f64, &mut w).unwrap();
        norm(&(w - &self.end))
    }
}

#[test]
fn errors_do_not_depend_on_small_singular_values() {
    let case = Rotating::new(60);
    for (rank, steps) in [(32, 100), (16, 10)] {
        let best = norm(&(LowRank::from_svd(&case.end, rank).unwrap().to_dense() - &case.end));
        let splitting = case.error(ProjectorSplitting::new(rank, Rk4::new()), steps);
        let augmented = case.error(AugmentedBug::new(rank, Rk4::new()), steps);
        let fixed = case.error(Bug::new(rank, Rk4::new()), steps);
        let substeps = if steps == 100 { 1e-8 } else { 1e-4 };
        assert!(splitting < 1.2 * best + substeps, "rank {rank}: {splitting:e} against {best:e}");
        assert!(augmented < 1.2 * best + substeps, "rank {rank}: {augmented:e} against {best:e}");
        // Of first order, with a constant that shows.
        assert!(fixed < 1.0 / steps as f64, "rank {rank}: {fixed:e}");
    }
}

#[test]
fn the_equations_of_the_factors_break_down_where_the_integrators_do_not() {
    // U' = (I - UUᵀ) F V S⁻¹, V' = (I - VVᵀ) Fᵀ U S⁻ᵀ, S' = Uᵀ F V: S⁻¹ is as large as the least singular value is small.
    let case = Rotating::new(60);
    let r = 32;
    let split = |y: &Array2<f64>| {
        let part = |rows: std::ops::Range<usize>| y.slice(ndarray::s![rows, ..]).to_owned();
        (part(0..60), part(60..60 + r), part(60 + r..120 + r))
    };
    let factors = field(|t, y: &Array2<f64>, dy: &mut Array2<f64>| {
        let (u, s, v) = split(y);
        let w = u.dot(&s).dot(&v.t());
        let mut f = w.clone();
        case.field().eval(t, &w, &mut f);
        let Ok(svd) = LowRank::from_svd(&s, r) else { return dy.fill(f64::NAN) };
        let inverse = svd.v.dot(&Array2::from_diag(&svd.s.diag().mapv(f64::recip))).dot(&svd.u.t());
        let (fv, ftu) = (f.dot(&v), f.t().dot(&u));
        let du = (&fv - &u.dot(&u.t().dot(&fv))).dot(&inverse);
        let dv = (&ftu - &v.dot(&v.t().dot(&ftu))).dot(&inverse.t());
        for (rows, part) in [(0..60, du), (60..60 + r, u.t().dot(&fv)), (60 + r..120 + r, dv)] {
            dy.slice_mut(ndarray::s![rows, ..]).assign(&part);
        }
    });
    let start = LowRank::from_svd(&case.start, r).unwrap();
    let mut y = ndarray::concatenate![ndarray::Axis(0), start.u, start.s, start.v];
    let outcome = Flow::new(factors, Rk4::new()).steps(10, 0.1, &mut y);
    let (u, s, v) = split(&y);
    let error = norm(&(u.dot(&s).dot(&v.t()) - &case.end));
    let splitting = case.error(ProjectorSplitting::new(r, Rk4::new()), 10);
    assert!(outcome.is_err() || error.is_nan() || error >= 1.0, "{outcome:?}, {error:e}");
    assert!(splitting < 1e-3, "{splitting:e}");
}

#[test]
fn a_matrix_of_the_given_rank_is_followed_exactly() {
    let (u, v) = (orthonormal(60, 5, 5), orthonormal(60, 5, 6));
    let at = |t: f64| {
        let s = Array2::from_shape_fn((5, 5), |(i, j)| {
            ((i + 2 * j) as f64 * (1.0 + t)).sin() + if i == j { 3.0 } else { 0.0 }
        });
        u.dot(&s).dot(&v.t()) * (1.0 + t)
    };
    // Euler substeps with the increment over the step as the slope: the substeps are exact.
    let runs: [(f64, &str); 3] = [
        (exact(&increments_of(&at), ProjectorSplitting::new(5, Euler::new()), at(0.0), at(1.0)), "KSL"),
        (exact(&increments_of(&at), Bug::new(5, Euler::new()), at(0.0), at(1.0)), "BUG"),
        (exact(&increments_of(&at), AugmentedBug::new(5, Euler::new()), at(0.0), at(1.0)), "augmented BUG"),
    ];
    for (error, name) in runs {
        assert!(error < 1e-12, "{name}: {error:e}");
    }
}

fn increments_of<'a>(
    at: &'a dyn Fn(f64) -> Array2<f64>,
) -> impl Fn(f64, &Array2<f64>, &mut Array2<f64>) + 'a {
    move |t, _w, dw| *dw = (at(t + 0.25) - at(t)) * 4.0
}

fn exact<I: Integrator<Array2<f64>>>(
    f: &impl Fn(f64, &Array2<f64>, &mut Array2<f64>),
    method: I,
    mut w: Array2<f64>,
    end: Array2<f64>,
) -> f64 {
    Flow::new(field(|t, w: &Array2<f64>, dw| f(t, w, dw)), method).steps(4, 0.25, &mut w).unwrap();
    norm(&(w - end))
}

#[test]
fn strang_splitting_is_of_second_order_and_lie_of_first() {
    let case = Rotating::new(20);
    let cubic = |method: ProjectorSplitting<Rk4<Array2<f64>>, f64>, steps: usize| {
        // Not linear, so that the splitting error shows; of full rank 20 kept at 4.
        let f = field(|_t, w: &Array2<f64>, dw: &mut Array2<f64>| {
            *dw = case.left.dot(w) + w.dot(&case.right.t()) - w.mapv(|x| 0.3 * x * x * x)
        });
        let mut w = LowRank::from_svd(&case.start, 4).unwrap().to_dense();
        Flow::new(f, method).steps(steps, 1.0 / steps as f64, &mut w).unwrap();
        w
    };
    for (strang, least, most) in [(false, 0.8, 1.4), (true, 1.7, 2.4)] {
        let run = |steps| {
            let method = ProjectorSplitting::new(4, Rk4::new());
            cubic(if strang { method.strang() } else { method }, steps)
        };
        let reference = run(640);
        let (coarse, fine) = (norm(&(run(10) - &reference)), norm(&(run(40) - &reference)));
        let order = (coarse / fine).log2() / 2.0;
        assert!((least..most).contains(&order), "strang {strang}: {order} ({coarse:e}, {fine:e})");
    }
}

/// Down ½|W - W*|² from small factors, W* of rank 5 and condition κ.
fn descend<I: Integrator<Array2<f64>>>(method: I, condition: f64, eta: f64, steps: usize) -> f64 {
    let sigma: Array1<f64> = (0..5).map(|j| condition.powf(-j as f64 / 4.0)).collect();
    let target = (&orthonormal(50, 5, 7) * &sigma).dot(&orthonormal(50, 5, 8).t());
    let mut w = Array2::zeros((50, 50));
    let start = norm(&target);
    let descent = field(|_t, w: &Array2<f64>, dw| *dw = &target - w);
    Flow::new(descent, method).steps(steps, eta, &mut w).unwrap();
    norm(&(w - &target)) / start
}

#[test]
fn low_rank_descent_is_as_fast_as_the_full_one_whatever_the_condition() {
    for condition in [1.0, 1e2, 1e4] {
        let error = descend(AugmentedBug::new(5, Euler::new()), condition, 0.1, 200);
        let full = 0.9f64.powi(200);
        assert!((error / full - 1.0).abs() < 1e-3, "condition {condition}: {error:e} against {full:e}");
        for rank in [2, 5, 16] {
            let error = descend(ParallelBug::new(rank, 1e-6), condition, 0.5, 100);
            assert!(error < 1e-5, "condition {condition}, rank {rank}: {error:e}");
        }
    }
}

/// The same descent by the factors themselves, W = A B from B = 0.
fn descend_by_factors(condition: f64) -> f64 {
    let sigma: Array1<f64> = (0..5).map(|j| condition.powf(-j as f64 / 4.0)).collect();
    let target = (&orthonormal(50, 5, 7) * &sigma).dot(&orthonormal(50, 5, 8).t());
    // One state [A | Bᵀ].
    let factors = |y: &Array2<f64>| {
        let b = y.slice(ndarray::s![50.., ..]).t().to_owned();
        LowRankFactors::new(y.slice(ndarray::s![..50, ..]).to_owned(), b, LoraScale::Plain).unwrap()
    };
    let flow = field(|_t, y: &Array2<f64>, dy: &mut Array2<f64>| {
        let f = factors(y);
        let (ga, gb) = f.project_gradient(&(f.product() - &target)).unwrap();
        dy.slice_mut(ndarray::s![..50, ..]).assign(&-ga);
        dy.slice_mut(ndarray::s![50.., ..]).assign(&-gb.t().to_owned());
    });
    let mut y = random(100, 5, 9) * 50f64.sqrt().recip();
    y.slice_mut(ndarray::s![50.., ..]).fill(0.0);
    Flow::new(flow, Euler::new()).steps(200, 0.1, &mut y).unwrap();
    norm(&(factors(&y).product() - &target)) / norm(&target)
}

#[test]
fn descent_by_factors_is_slow_along_small_singular_values() {
    let full = 0.9f64.powi(200);
    for (condition, least) in [(1.0, 1e3 * full), (1e2, 1e-2), (1e4, 1e-2)] {
        let error = descend_by_factors(condition);
        assert!(error > least && error < 1.0, "condition {condition}: {error:e} against {full:e}");
    }
}

#[test]
fn a_coarse_tolerance_keeps_the_large_singular_values_only() {
    for condition in [1e2, 1e4] {
        let sigma: Array1<f64> = (0..5).map(|j| f64::powf(condition, -j as f64 / 4.0)).collect();
        let target = (&orthonormal(50, 5, 7) * &sigma).dot(&orthonormal(50, 5, 8).t());
        let descent = field(|_t, w: &Array2<f64>, dw| *dw = &target - w);
        let mut flow = Flow::new(descent, ParallelBug::new(5, 0.15));
        flow.steps(100, 0.5, &mut Array2::zeros((50, 50))).unwrap();
        assert!(
            (1..=3).contains(&flow.integrator().rank()),
            "condition {condition}: {}",
            flow.integrator().rank()
        );
    }
}

#[test]
fn the_parallel_integrator_finds_the_rank_from_any_start() {
    let sigma: Array1<f64> = (0..5).map(|j| 10f64.powf(-0.5 * j as f64)).collect();
    let target = (&orthonormal(50, 5, 7) * &sigma).dot(&orthonormal(50, 5, 8).t());
    for rank in [2, 5, 16] {
        let descent = field(|_t, w: &Array2<f64>, dw| *dw = &target - w);
        let mut flow = Flow::new(descent, ParallelBug::new(rank, 1e-6));
        let mut w = random(50, 50, 9) * 0.01;
        flow.steps(100, 0.5, &mut w).unwrap();
        assert_eq!(flow.integrator().rank(), 5, "from {rank}");
    }
}

#[test]
fn factor_gradients_agree_and_expand_as_they_should() {
    let (x, ybar) = (random(30, 24, 1), random(30, 20, 2));
    let g = x.t().dot(&ybar);
    let mut f = LowRankFactors::new(random(24, 4, 3), random(4, 20, 4), LoraScale::Plain).unwrap();
    let (ga, gb) = f.project_gradient(&g).unwrap();
    let (ha, hb) = f.grad_from_batch(&x, &ybar).unwrap();
    assert!(norm(&(&ga - &ha)) < 1e-11 && norm(&(&gb - &hb)) < 1e-11);
    let (eta, before) = (1e-2, f.product());
    let (a, b) = (f.a.clone(), f.b.clone());
    f.a.scaled_add(-eta, &ga);
    f.b.scaled_add(-eta, &gb);
    let first = g.dot(&b.t().dot(&b)) + a.dot(&a.t()).dot(&g);
    let second = g.dot(&b.t()).dot(&a.t()).dot(&g);
    let want = first * -eta + second * (eta * eta);
    assert!(norm(&(f.product() - before - want)) < 1e-12 * norm(&g));
}

#[test]
fn balancedness_drifts_with_the_order_of_the_integrator() {
    let target = random(12, 10, 5);
    let drift = |rk4: bool, h: f64| {
        // One state [A | Bᵀ], 12 + 10 rows of 3.
        let split = |y: &Array2<f64>| {
            let b = y.slice(ndarray::s![12.., ..]).t().to_owned();
            LowRankFactors::new(y.slice(ndarray::s![..12, ..]).to_owned(), b, LoraScale::Plain).unwrap()
        };
        let flow = field(|_t, y: &Array2<f64>, dy: &mut Array2<f64>| {
            let f = split(y);
            let (ga, gb) = f.project_gradient(&(f.product() - &target)).unwrap();
            dy.slice_mut(ndarray::s![..12, ..]).assign(&-ga);
            dy.slice_mut(ndarray::s![12.., ..]).assign(&-gb.t().to_owned());
        });
        let mut y = random(22, 3, 6) * 0.5;
        let start = split(&y).invariant();
        let steps = (2.0 / h).round() as usize;
        if rk4 {
            Flow::new(flow, Rk4::new()).steps(steps, h, &mut y).unwrap();
        } else {
            Flow::new(flow, Euler::new()).steps(steps, h, &mut y).unwrap();
        }
        norm(&(split(&y).invariant() - start))
    };
    let euler = (drift(false, 0.01) / drift(false, 0.005)).log2();
    assert!((0.8..1.2).contains(&euler), "{euler}");
    let rk4 = (drift(true, 0.02) / drift(true, 0.01)).log2();
    assert!(rk4 > 3.5, "{rk4}");
}

#[test]
fn preconditioned_factors_do_not_see_the_gauge() {
    let (g, gauge) = (random(12, 10, 1), random(4, 4, 2));
    let inverse = {
        let usv = LowRank::from_svd(&gauge, 4).unwrap();
        let s = Array2::from_diag(&usv.s.diag().mapv(f64::recip));
        usv.v.dot(&s).dot(&usv.u.t())
    };
    let (a, b) = (random(12, 4, 3), random(4, 10, 4));
    let after = |a: Array2<f64>, b: Array2<f64>, scaled: bool| {
        let mut f = LowRankFactors::new(a, b, LoraScale::Plain).unwrap();
        let (ga, gb) = f.project_gradient(&g).unwrap();
        let (ga, gb) = if scaled { f.precondition((&ga, &gb), 0.0).unwrap() } else { (ga, gb) };
        f.a.scaled_add(-0.1, &ga);
        f.b.scaled_add(-0.1, &gb);
        f.product()
    };
    let change =
        |scaled| norm(&(after(a.dot(&gauge), inverse.dot(&b), scaled) - after(a.clone(), b.clone(), scaled)));
    assert!(change(true) < 1e-10 && change(false) > 0.1, "{:e}, {:e}", change(true), change(false));
}

#[test]
fn additive_factors_have_twice_the_rank_and_the_right_gradient() {
    for rank in [1, 4] {
        let f = AdditiveFactors::new(random(24, rank, 1), random(rank, 20, 2)).unwrap();
        let sigma = LowRank::from_svd(&f.sum(), 20).unwrap().s;
        assert_eq!(sigma.diag().iter().filter(|&&s| s > 1e-10).count(), 2 * rank);
        let g = random(24, 20, 3);
        let (ga, gb) = f.project_gradient(&g).unwrap();
        // <G, dW> = <gA, dA> + <gB, dB>.
        let (da, db) = (random(24, rank, 4), random(rank, 20, 5));
        let dw = AdditiveFactors::new(da.clone(), db.clone()).unwrap().sum();
        let (left, right) = ((&g * &dw).sum(), (ga * da).sum() + (gb * db).sum());
        assert!((left - right).abs() < 1e-10);
    }
}

#[test]
fn the_mean_of_random_projections_is_twice_the_gradient() {
    // E[G vᵀv + u uᵀ G] = 2 G for standard normal u, v: the factor must go into the learning rate.
    let (g, draws) = (random(6, 5, 1), 20_000);
    let (u, v) = (random(draws, 6, 2), random(draws, 5, 3));
    let mean = (g.dot(&v.t().dot(&v)) + u.t().dot(&u).dot(&g)) / draws as f64;
    let ratio = (&mean * &g).sum() / (&g * &g).sum();
    assert!((ratio - 2.0).abs() < 0.05, "{ratio}");
}

#[test]
fn impossible_ranks_are_refused() {
    let w = random(6, 4, 1);
    let still = || field(|_t, _w: &Array2<f64>, dw: &mut Array2<f64>| dw.fill(0.0));
    for rank in [0, 5] {
        let setting = |r: flowfield::Result<()>| matches!(r, Err(Error::Setting { .. }));
        assert!(setting(LowRank::from_svd(&w, rank).map(|_| ())));
        assert!(setting(Flow::new(still(), Bug::new(rank, Euler::new())).step(0.1, &mut w.clone())));
        assert!(setting(Flow::new(still(), AugmentedBug::new(rank, Euler::new())).step(0.1, &mut w.clone())));
        assert!(setting(Flow::new(still(), ParallelBug::new(rank, 0.1)).step(0.1, &mut w.clone())));
        assert!(setting(
            Flow::new(still(), ProjectorSplitting::new(rank, Euler::new())).step(0.1, &mut w.clone())
        ));
        let factors = LowRankFactors::new(random(6, rank, 1), random(rank, 4, 1), LoraScale::Plain);
        assert!(setting(factors.map(|_| ())));
    }
    let alpha = LoraScale::Standard { alpha: 0.0 };
    assert!(matches!(
        LowRankFactors::new(random(6, 2, 1), random(2, 4, 1), alpha),
        Err(Error::Setting { .. })
    ));
    assert!(matches!(AdditiveFactors::new(random(6, 4, 1), random(4, 4, 1)), Err(Error::Setting { .. })));
    let mut bad = w.clone();
    bad[[2, 1]] = f64::NAN;
    assert!(matches!(LowRank::from_svd(&bad, 2), Err(Error::NotFinite { row: 2, .. })));
}
