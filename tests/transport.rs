//! Exact transport: against brute force and against each other, certificates, degenerate problems, bad input.

use flowfield::dataset::{eight_gaussians, normal};
use flowfield::transport::*;
use flowfield::{Error, transport};
use ndarray::{Array1, Array2, array};
use proptest::prelude::*;

fn squared(x: &Array2<f64>, y: &Array2<f64>) -> PointCost {
    PointCost::squared_euclidean(x, y).unwrap()
}

/// Positive numbers that sum to one and differ by large factors.
fn uneven(n: usize, seed: u64) -> Array1<f64> {
    let w = normal::<f64>((n, 1), seed).column(0).mapv(|z| (2.0 * z).exp());
    &w / w.sum()
}

/// The cheapest of all permutations.
fn brute_force(cost: &dyn Cost) -> f64 {
    fn go(cost: &dyn Cost, i: usize, taken: &mut Vec<bool>, sum: f64, best: &mut f64) {
        if i == taken.len() {
            *best = best.min(sum);
            return;
        }
        for j in 0..taken.len() {
            if !taken[j] {
                taken[j] = true;
                go(cost, i + 1, taken, sum + cost.at(i, j), best);
                taken[j] = false;
            }
        }
    }
    let mut best = f64::INFINITY;
    go(cost, 0, &mut vec![false; cost.shape().0], 0.0, &mut best);
    best / cost.shape().0 as f64
}

fn is_proven(plan: &Plan, cost: &dyn Cost) {
    let c = &plan.certificate;
    assert!(c.gap.abs() <= 1e-12, "{c:?}");
    assert!(c.marginal_error <= 1e-12, "{c:?}");
    assert!(plan.entries.iter().all(|e| e.2 > 0.0));
    let (f, g) = &plan.potentials;
    let (n, m) = cost.shape();
    let size = plan.cost.abs().max(1.0);
    for (i, j) in (0..n).flat_map(|i| (0..m).map(move |j| (i, j))) {
        assert!(f[i] + g[j] <= cost.at(i, j) + 1e-11 * size.max(cost.at(i, j).abs()));
    }
}

/// Costs of every kind between `n` sources and `m` targets.
fn costs(n: usize, m: usize, seed: u64) -> Vec<Box<dyn Cost>> {
    let (x, y) = (normal::<f64>((n, 3), seed), normal::<f64>((m, 3), seed + 1) * 2.0);
    let random = normal::<f64>((n, m), seed + 2);
    vec![
        Box::new(squared(&x, &y)),
        Box::new(PointCost::euclidean(&x, &y).unwrap()),
        Box::new(PointCost::new(&x, &y, Metric::Norm(1.0)).unwrap()),
        Box::new(PointCost::new(&x, &y, Metric::Norm(3.5)).unwrap()),
        Box::new(PointCost::new(&x, &y, Metric::Norm(f64::INFINITY)).unwrap()),
        Box::new(MatrixCost::new(&random)),
        Box::new(MatrixCost::new(&random.mapv(|c| (3.0 * c).round()))),
        Box::new(CostFn::new(n, m, |i, j| ((i * 31 + j * 17) % 23) as f64)),
        Box::new(CostFn::new(n, m, |_, _| 1.0)),
    ]
}

#[test]
fn rows_of_costs_are_their_entries() {
    for cost in costs(5, 70, 0) {
        let mut scratch = vec![0.0; 70];
        for i in 0..5 {
            let row = cost.row(i, &mut scratch).to_vec();
            assert!((0..70).all(|j| (row[j] - cost.at(i, j)).abs() < 1e-12));
        }
    }
}

#[test]
fn simplex_assignment_and_brute_force_agree() {
    for n in 1..=7 {
        for seed in 0..6 {
            for cost in costs(n, n, 10 * seed) {
                let best = brute_force(&*cost);
                let simplex = exact(&*cost, &uniform::<f64>(n), &uniform(n)).unwrap();
                let pairs = Assignment::new().solve(&*cost).unwrap();
                assert!((simplex.cost - best).abs() < 1e-12 && (pairs.cost - best).abs() < 1e-12);
                is_proven(&simplex, &*cost);
                is_proven(&pairs, &*cost);
                assert!(pairs.permutation().is_some());
            }
        }
    }
}

#[test]
fn larger_problems_are_proven() {
    for (n, m) in [(1, 1), (1, 40), (40, 1), (60, 47), (130, 200), (300, 300)] {
        for (k, cost) in costs(n, m, 5).iter().enumerate() {
            let plan = exact(&**cost, &uneven(n, 1), &uneven(m, 2)).unwrap();
            is_proven(&plan, &**cost);
            if n == m {
                let simplex = exact(&**cost, &uniform::<f64>(n), &uniform(n)).unwrap();
                let pairs = Assignment::new().solve(&**cost).unwrap();
                is_proven(&simplex, &**cost);
                is_proven(&pairs, &**cost);
                assert!((simplex.cost - pairs.cost).abs() < 1e-11 * pairs.cost.abs().max(1.0), "cost {k}");
            }
        }
    }
}

#[test]
fn degenerate_problems() {
    let (x, y) = (normal::<f64>((60, 2), 0), normal::<f64>((50, 2), 1));
    // Repeated points on both sides, weights that are zero, and weights over fifteen decades.
    let repeated = |x: &Array2<f64>| Array2::from_shape_fn(x.dim(), |(i, k)| x[[i / 7, k]]);
    let mut zeros = uneven(60, 3);
    (0..60).filter(|i| i % 3 > 0).for_each(|i| zeros[i] = 0.0);
    zeros /= zeros.sum();
    let wide = Array1::from_shape_fn(50, |j| 10f64.powf(-(j as f64) * 0.3));
    let wide = &wide / wide.sum();
    for (x, y) in [(x.clone(), y.clone()), (repeated(&x), repeated(&y)), (x.clone(), repeated(&y))] {
        let cost = squared(&x, &y);
        for a in [uniform::<f64>(60), zeros.clone()] {
            for b in [uniform::<f64>(50), wide.clone()] {
                is_proven(&exact(&cost, &a, &b).unwrap(), &cost);
            }
        }
    }
    let same = squared(&repeated(&x), &repeated(&x));
    assert_eq!(exact(&same, &uniform::<f64>(60), &uniform(60)).unwrap().cost, 0.0);
    assert_eq!(Assignment::new().solve(&same).unwrap().cost, 0.0);
}

#[test]
fn scale_of_weights_and_costs() {
    let (x, y) = (normal::<f64>((80, 2), 0), eight_gaussians::<f64>(90, 5.0, 0.5, 1));
    let (a, b) = (uneven(80, 2), uneven(90, 3));
    let plan = exact(&squared(&x, &y), &a, &b).unwrap();
    for s in [1e-9, 1e9] {
        let scaled = exact(&squared(&(&x * s), &(&y * s)), &(&a * 100.0), &(&b * 100.0)).unwrap();
        assert!((scaled.cost / (100.0 * s * s) - plan.cost).abs() < 1e-11 * plan.cost);
    }
    // Moving both clouds changes nothing; moving one by t adds |t|² + 2 t·(mean gap).
    let moved = exact(&squared(&(&x + 3.0), &(&y + 3.0)), &a, &b).unwrap();
    assert!((moved.cost - plan.cost).abs() < 1e-10 * plan.cost);
}

#[test]
fn a_solver_that_is_used_again_gives_the_same_costs() {
    let (mut simplex, mut pairs) = (NetworkSimplex::new(), Assignment::new());
    for k in 0..5 {
        let (x, y) = (normal::<f64>((150, 2), 0), normal::<f64>((150, 2), 1) + 0.01 * f64::from(k));
        let cost = squared(&x, &y);
        let fresh = exact(&cost, &uniform::<f64>(150), &uniform(150)).unwrap();
        let warm = simplex.solve(&cost, &uniform::<f64>(150), &uniform(150)).unwrap();
        let again = pairs.solve(&cost).unwrap();
        is_proven(&warm, &cost);
        is_proven(&again, &cost);
        assert!((fresh.cost - warm.cost).abs() < 1e-12 && (fresh.cost - again.cost).abs() < 1e-12);
    }
}

#[test]
fn many_assignments_at_once_are_those_one_by_one() {
    let costs: Vec<PointCost> = (0..9)
        .map(|k| squared(&normal((64 + k, 2), k as u64), &normal((64 + k, 2), 100 + k as u64)))
        .collect();
    let all = assignments(&costs).unwrap();
    for (cost, pairs) in costs.iter().zip(all) {
        assert_eq!(Assignment::new().permutation(cost).unwrap(), pairs);
    }
}

#[test]
fn partial_transport_takes_the_cheapest_part() {
    let (x, y) = (normal::<f64>((30, 2), 0), normal::<f64>((40, 2), 1));
    let cost = squared(&x, &y);
    let (a, b) = (uniform::<f64>(30), uniform::<f64>(40) * 1.5);
    let mut last = 0.0;
    for mass in [0.1, 0.5, 0.9, 1.0] {
        let plan = partial(&cost, &a, &b, mass).unwrap();
        let sent: f64 = plan.entries.iter().map(|e| e.2).sum();
        assert!((sent - mass).abs() < 1e-12 && plan.certificate.gap.abs() < 1e-12);
        let rows = plan.matrix::<f64>().sum_axis(ndarray::Axis(1));
        assert!(rows.iter().zip(&a).all(|(r, a)| *r <= a + 1e-12));
        // The cost is convex in the mass.
        assert!(plan.cost / mass >= last - 1e-12);
        last = plan.cost / mass;
    }
    assert!(partial(&cost, &a, &b, 1.2).is_err() && partial(&cost, &a, &b, 0.0).is_err());
}

#[test]
fn displacement_interpolation_is_a_geodesic() {
    let (x, y) = (normal::<f64>((60, 2), 0), eight_gaussians::<f64>(45, 3.0, 0.3, 1));
    let (a, b) = (uneven(60, 2), uneven(45, 3));
    let plan = exact(&squared(&x, &y), &a, &b).unwrap();
    let (z, w) = displace(&plan, &x, &y, 0.3).unwrap();
    let first = exact(&squared(&x, &z), &a, &w).unwrap().cost.sqrt();
    let second = exact(&squared(&z, &y), &w, &b).unwrap().cost.sqrt();
    let whole = plan.cost.sqrt();
    assert!((first - 0.3 * whole).abs() < 1e-9 && (second - 0.7 * whole).abs() < 1e-9);
}

#[test]
fn the_barycentre_of_translates_is_the_mean_translate() {
    let x = normal::<f64>((40, 2), 0);
    let w = uniform::<f64>(40);
    let clouds: Vec<WeightedCloud<f64>> = [0.0, 3.0, 9.0].iter().map(|&s| (&x + s, w.clone())).collect();
    let (points, value) = barycenter(&clouds, &array![1.0, 1.0, 2.0], &x + 1.0).unwrap();
    assert!((&points - &(&x + 5.25)).iter().all(|e| e.abs() < 1e-9));
    // Variance of the shifts, in two dimensions.
    assert!((value - 2.0 * (0.25 * 9.0 + 0.5 * 81.0 - 5.25 * 5.25)).abs() < 1e-9);
}

#[test]
fn bad_input_is_refused_by_name() {
    let (x, y) = (normal::<f64>((4, 2), 0), normal::<f64>((5, 2), 1));
    let (a, b) = (uniform::<f64>(4), uniform::<f64>(5));
    let cost = squared(&x, &y);
    let with = |i: usize, w: f64| {
        let mut a = a.clone();
        a[i] = w;
        exact(&cost, &a, &b)
    };
    assert!(matches!(with(2, -0.1), Err(Error::Weight { row: 2, .. })));
    assert!(matches!(with(0, f64::NAN), Err(Error::Weight { row: 0, .. })));
    assert!(matches!(with(0, f64::INFINITY), Err(Error::Weight { .. })));
    assert!(matches!(with(0, 0.5), Err(Error::WeightSums { .. })));
    assert!(matches!(exact(&cost, &(&a * 0.0), &(&b * 0.0)), Err(Error::Setting { .. })));
    assert!(matches!(exact(&cost, &b, &b), Err(Error::Shape { .. })));
    assert!(matches!(Assignment::new().solve(&cost), Err(Error::Shape { .. })));
    let empty = Array2::<f64>::zeros((0, 2));
    assert!(matches!(PointCost::squared_euclidean(&empty, &y), Err(Error::Empty { .. })));
    assert!(matches!(PointCost::euclidean(&x, &normal((5, 3), 0)), Err(Error::Shape { .. })));
    assert!(matches!(PointCost::new(&x, &y, Metric::Norm(0.5)), Err(Error::Setting { .. })));
    let mut nan = x.clone();
    nan[[3, 1]] = f64::NAN;
    assert!(matches!(PointCost::euclidean(&nan, &y), Err(Error::NotFinite { row: 3, .. })));
    let infinite = CostFn::new(4, 5, |i, j| if (i, j) == (1, 3) { f64::INFINITY } else { 0.0 });
    assert!(matches!(exact(&infinite, &a, &b), Err(Error::CostNotFinite { row: 1, column: 3, .. })));
    let nothing = CostFn::new(0, 5, |_, _| 0.0);
    assert!(matches!(exact(&nothing, &uniform::<f64>(0), &b), Err(Error::Empty { .. })));
    assert!(transport::barycenter::<f64>(&[], &array![], x).is_err());
}

/// Points and weights from formulas, so that other programs can be given the same.
fn by_formula() -> (PointCost, Array1<f64>, Array1<f64>) {
    let x = Array2::from_shape_fn((7, 2), |(i, k)| {
        let i = i as f64;
        if k == 0 { (i + 1.0).sin() } else { (2.0 * i + 1.0).cos() }
    });
    let y = Array2::from_shape_fn((5, 2), |(j, k)| {
        let j = j as f64;
        if k == 0 { 0.5 + (3.0 * j).cos() } else { 1.5 * (j + 0.5).sin() }
    });
    let a = Array1::from_shape_fn(7, |i| (i + 1) as f64 / 28.0);
    (squared(&x, &y), a, array![0.1, 0.3, 0.2, 0.25, 0.15] * 1.4)
}

#[test]
fn partial_transport_agrees_with_pot() {
    // POT 0.9.7, `ot.partial.partial_wasserstein` on these points and weights, and the mass given.
    let (cost, a, b) = by_formula();
    for (mass, want) in
        [(0.25, 0.078_893_496_120_934_76), (0.7, 0.324_620_340_118_120_6), (1.0, 0.725_294_948_878_882_7)]
    {
        let plan = partial(&cost, &a, &b, mass).unwrap();
        assert!((plan.cost - want).abs() < 1e-12, "{} {want}", plan.cost);
    }
}

#[test]
fn all_mass_arrives_where_the_first_arcs_cost_nothing() {
    // Every promising arc is free, so that the first guess of what a detour costs is nothing.
    let free = Array2::from_shape_fn((400, 400), |(i, j)| ((i * 7919 + j * 104_729) % 1009 % 10) as f64);
    for cost in [MatrixCost::new(&free), MatrixCost::new(&Array2::<f64>::zeros((400, 400)))] {
        for (a, b) in [(uniform::<f64>(400), uniform(400)), (uneven(400, 1), uneven(400, 2))] {
            is_proven(&exact(&cost, &a, &b).unwrap(), &cost);
        }
        assert_eq!(Assignment::new().solve(&cost).unwrap().cost, 0.0);
    }
}

#[test]
fn round_off_neither_stays_behind_nor_keeps_the_solver_going() {
    // Hundreds of separate pieces, each of which has its own round-off in what it sends and gets.
    let (x, y) = (normal::<f64>((600, 2), 0), normal::<f64>((1000, 2), 1) * 2.0 + 1.0);
    let cost = squared(&x, &y);
    let plan = exact(&cost, &uniform::<f64>(600), &uniform(1000)).unwrap();
    is_proven(&plan, &cost);
    assert!(plan.certificate.gap.abs() < 1e-14 && plan.certificate.marginal_error < 1e-15);
    // Clouds whose distance is a million times their size: few digits are left for the plan.
    let far = squared(&(&x * 1e-3), &(&y * 1e-3 + 1e3));
    let plan = exact(&far, &uniform::<f64>(600), &uniform(1000)).unwrap();
    is_proven(&plan, &far);
    assert!(plan.certificate.work < 20_000, "{}", plan.certificate.work);
}

#[test]
fn work_counts() {
    // Pivots of the simplex (uniform, uneven weights) and rows scanned by the assignment.
    for (d, pivots, rows) in [(1, [2649, 882], 3312), (2, [2683, 1856], 11_284), (8, [3749, 2309], 10_988)] {
        let (x, y) = (normal::<f64>((500, d), 0), normal::<f64>((500, d), 1) * 1.5 + 0.5);
        let cost = squared(&x, &y);
        let even = exact(&cost, &uniform::<f64>(500), &uniform(500)).unwrap();
        let other = exact(&cost, &uneven(500, 2), &uneven(500, 3)).unwrap();
        let pairs = Assignment::new().solve(&cost).unwrap();
        let got = [even.certificate.work, other.certificate.work, pairs.certificate.work];
        let near = |got: usize, want: usize| got.abs_diff(want) * 10 <= want;
        assert!(near(got[0], pivots[0]) && near(got[1], pivots[1]) && near(got[2], rows), "d {d}: {got:?}");
    }
}

#[test]
fn exact_solvers_do_not_depend_on_the_number_of_threads() {
    let costs: Vec<PointCost> =
        (0..5).map(|k| squared(&normal((600, 2), k), &normal((600, 2), 100 + k))).collect();
    let (a, b) = (uneven(600, 1), uneven(600, 2));
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let plan = exact(&costs[0], &a, &b).unwrap();
            let part = partial(&costs[0], &a, &b, 0.5).unwrap();
            (plan.entries, plan.potentials, part.entries, assignments(&costs).unwrap())
        })
    };
    assert!(run(1) == run(2) && run(1) == run(3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn w2_is_a_distance(n in 1..40_usize, m in 1..40_usize, k in 1..40_usize, seed in 0..1000_u64) {
        let (x, y) = (normal::<f64>((n, 2), seed), normal::<f64>((m, 2), seed + 1) * 1.5);
        let z = normal::<f64>((k, 2), seed + 2) + 0.5;
        let (a, b, c) = (uneven(n, seed), uneven(m, seed + 7), uneven(k, seed + 9));
        let w2 = |x: &Array2<f64>, a: &Array1<f64>, y: &Array2<f64>, b: &Array1<f64>| {
            exact(&squared(x, y), a, b).unwrap().cost.max(0.0).sqrt()
        };
        prop_assert!((w2(&x, &a, &y, &b) - w2(&y, &b, &x, &a)).abs() < 1e-9);
        prop_assert!(w2(&x, &a, &z, &c) <= w2(&x, &a, &y, &b) + w2(&y, &b, &z, &c) + 1e-9);
        prop_assert!(w2(&x, &a, &x, &a) < 1e-7);
    }

    #[test]
    fn integer_costs_give_proven_plans(n in 1..30_usize, m in 1..30_usize, seed in 0..1000_u64, levels in 1..5_usize) {
        let r = normal::<f64>((n, m), seed).mapv(|z| (z * levels as f64).round());
        let cost = MatrixCost::new(&r);
        is_proven(&exact(&cost, &uniform::<f64>(n), &uniform(m)).unwrap(), &cost);
    }
}
