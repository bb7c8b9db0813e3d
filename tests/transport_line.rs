//! Transport on the line, along directions, and between Gaussians: closed forms, gradients, bad input.

use flowfield::dataset::normal;
use flowfield::transport::*;
use ndarray::{Array1, Array2, Axis, array};
use proptest::prelude::*;

fn column(n: usize, seed: u64) -> Array1<f64> {
    normal::<f64>((n, 1), seed).column(0).to_owned()
}

#[test]
fn the_line_agrees_with_the_network_simplex() {
    for (n, m) in [(1, 1), (5, 9), (64, 48), (50, 50)] {
        let (u, v) = (column(n, 1), column(m, 2) * 2.0 + 1.0);
        let (a, b) = (column(n, 3).mapv(f64::exp), column(m, 4).mapv(f64::exp));
        let (a, b) = (&a / a.sum(), &b / b.sum());
        for p in [1.0, 2.0, 3.5] {
            let cost = CostFn::new(n, m, |i, j| (u[i] - v[j]).abs().powf(p));
            let plan = exact(&cost, &uniform::<f64>(n), &uniform(m)).unwrap();
            let w = wasserstein_1d(&u, &v, p).unwrap();
            assert!((w.powf(p) - plan.cost).abs() < 1e-11 * plan.cost);
            let plan = exact(&cost, &a, &b).unwrap();
            let w = wasserstein_1d_weighted(&u, &a, &v, &b, p).unwrap();
            assert!((w.powf(p) - plan.cost).abs() < 1e-11 * plan.cost);
        }
    }
}

#[test]
fn uniform_laws_have_closed_forms() {
    let n = 100_000;
    let u = Array1::from_shape_fn(n, |i| (i as f64 + 0.5) / n as f64);
    // U(0, 1) to U(1, 4): the map is 1 + 3u.
    let v = u.mapv(|u| 1.0 + 3.0 * u);
    assert!((wasserstein_1d(&u, &v, 1.0).unwrap() - 2.0).abs() < 1e-9);
    assert!((wasserstein_1d(&u, &v, 2.0).unwrap().powi(2) - 13.0 / 3.0).abs() < 1e-6);
    let map = QuantileMap::new(&u, &v).unwrap();
    assert!([0.1, 0.25, 0.777].iter().all(|&x| (map.at(x) - 1.0 - 3.0 * x).abs() < 1e-9));
    let single = wasserstein_1d(&u.mapv(|x| x as f32), &v.mapv(|x| x as f32), 2.0).unwrap();
    assert!((single * single - 13.0 / 3.0).abs() < 1e-5);
}

#[test]
fn quantile_maps_are_monotone_also_with_ties() {
    let (u, v) = (column(500, 1).mapv(|x| (4.0 * x).round()), column(300, 2));
    let map = QuantileMap::new(&u, &v).unwrap();
    let images: Vec<f64> = (-40..=40).map(|i| map.at(f64::from(i) * 0.5)).collect();
    assert!(images.windows(2).all(|w| w[0] <= w[1]));
    let constant = QuantileMap::new(&array![1.0, 1.0], &array![2.0, 4.0]).unwrap();
    assert_eq!(constant.at(1.0), 3.0);
}

#[test]
fn sliced_in_one_dimension_is_the_line() {
    let (u, v) = (column(40, 1), column(30, 2) + 1.0);
    let sliced = Sliced::along(&array![[2.0], [-1.0]]).unwrap();
    let w = wasserstein_1d(&u, &v, 2.0).unwrap();
    let (x, y) = (u.insert_axis(Axis(1)), v.insert_axis(Axis(1)));
    assert!((sliced.distance(&x, &y).unwrap() - w).abs() < 1e-12);
}

#[test]
fn sliced_gradients_are_finite_differences() {
    for (n, m) in [(20, 20), (20, 33)] {
        let (x, y) = (normal::<f64>((n, 3), 0), normal::<f64>((m, 3), 1) * 2.0);
        let sliced = Sliced::new(3, 15, 2).unwrap();
        let (value, gradient) = sliced.gradient(&x, &y).unwrap();
        assert!((value - sliced.squared(&x, &y).unwrap()).abs() < 1e-12);
        for at in [[0, 0], [11, 2]] {
            let h = 1e-6;
            let (mut up, mut down) = (x.clone(), x.clone());
            (up[at], down[at]) = (x[at] + h, x[at] - h);
            let slope = (sliced.squared(&up, &y).unwrap() - sliced.squared(&down, &y).unwrap()) / (2.0 * h);
            assert!((slope - gradient[at]).abs() < 1e-7);
        }
        let most = MaxSliced::new(&x, &y, 3, 0).unwrap();
        assert!(most.squared >= value);
        let along = Sliced::along(&most.direction.clone().insert_axis(Axis(0))).unwrap();
        let (squared, gradient) = along.gradient(&x, &y).unwrap();
        assert!((squared - most.squared).abs() < 1e-12);
        assert!((gradient - most.gradient).iter().all(|e| e.abs() < 1e-12));
    }
}

fn gaussian(d: usize, seed: u64) -> Gaussian {
    let root = normal::<f64>((d, d + 1), seed);
    Gaussian::new(normal::<f64>((1, d), seed + 50).row(0).to_owned(), root.dot(&root.t())).unwrap()
}

#[test]
fn gaussian_maps_push_forward_and_geodesics_have_constant_speed() {
    for d in [1, 2, 6] {
        let (a, b) = (gaussian(d, 1), gaussian(d, 2));
        let w = a.w2_squared(&b).unwrap();
        assert!((b.w2_squared(&a).unwrap() - w).abs() < 1e-9 * w && a.w2_squared(&a).unwrap() < 1e-9);
        let map = a.map(&b).unwrap();
        let pushed = map.matrix.dot(a.covariance()).dot(&map.matrix.t());
        assert!((pushed - b.covariance()).iter().all(|e| e.abs() < 1e-8));
        let third = a.geodesic(&b, 0.3).unwrap();
        assert!((a.w2_squared(&third).unwrap() - 0.09 * w).abs() < 1e-8 * w.max(1.0));
        assert!((third.w2_squared(&b).unwrap() - 0.49 * w).abs() < 1e-8 * w.max(1.0));
        let two = [a.clone(), b.clone()];
        let centre = Gaussian::barycenter(&two, &array![0.7, 0.3]).unwrap();
        assert!(centre.w2_squared(&third).unwrap() < 1e-8);
    }
}

#[test]
fn commuting_and_singular_gaussians() {
    let a = Gaussian::new(array![0.0, 0.0], array![[4.0, 0.0], [0.0, 0.0]]).unwrap();
    let b = Gaussian::new(array![1.0, 0.0], array![[9.0, 0.0], [0.0, 1.0]]).unwrap();
    assert!((a.w2_squared(&b).unwrap() - (1.0 + 1.0 + 1.0)).abs() < 1e-12);
    let c = Gaussian::barycenter(&[a, b], &array![1.0, 1.0]).unwrap();
    assert!((c.covariance()[[0, 0]] - 6.25).abs() < 1e-9);
    let x = normal::<f64>((5000, 2), 0);
    let fit = Gaussian::fit(&x).unwrap();
    let unit = Gaussian::new(Array1::zeros(2), Array2::eye(2)).unwrap();
    assert!(fit.w2_squared(&unit).unwrap() < 0.01);
    let moved = fit.map(&unit).unwrap().apply(&x).unwrap();
    assert!(Gaussian::fit(&moved).unwrap().w2_squared(&unit).unwrap() < 1e-12);
}

#[test]
fn fixed_barycenters_sum_to_one() {
    let cost = Array2::from_shape_fn((30, 30), |(i, j)| (i as f64 - j as f64).powi(2) / 100.0);
    let h = normal::<f64>((3, 30), 0).mapv(f64::exp);
    let h = Array2::from_shape_fn(h.dim(), |(k, i)| h[[k, i]] / h.row(k).sum());
    let p = fixed_barycenter(&h, &uniform(3), &cost, 0.05, 1e-9).unwrap();
    assert!((p.sum() - 1.0).abs() < 1e-8 && p.iter().all(|p| *p >= 0.0));
    assert!(fixed_barycenter(&h, &uniform(3), &cost, 0.0, 1e-9).is_err());
}

#[test]
fn bad_input_is_refused() {
    let u = array![0.0, 1.0];
    assert!(wasserstein_1d(&u, &array![], 2.0).is_err());
    assert!(wasserstein_1d(&u, &array![f64::NAN], 2.0).is_err());
    assert!(wasserstein_1d(&u, &u, 0.5).is_err() && wasserstein_1d(&u, &u, f64::NAN).is_err());
    assert!(Sliced::<f64>::new(0, 5, 0).is_err() && Sliced::<f64>::new(3, 0, 0).is_err());
    assert!(Sliced::along(&array![[0.0, 0.0]]).is_err());
    let sliced = Sliced::<f64>::new(3, 5, 0).unwrap();
    assert!(sliced.distance(&normal((4, 3), 0), &normal((4, 2), 0)).is_err());
    assert!(Gaussian::new(array![0.0], array![[-1.0]]).is_err());
    assert!(Gaussian::new(array![0.0, 0.0], array![[1.0, 0.5], [0.0, 1.0]]).is_err());
    assert!(gaussian(2, 0).w2_squared(&gaussian(3, 0)).is_err());
    assert!(Gaussian::barycenter(&[], &array![]).is_err());
    assert!(MaxSliced::new(&normal::<f64>((4, 3), 0), &normal((4, 3), 1), 0, 0).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_line_has_a_distance(n in 1..60_usize, m in 1..60_usize, seed in 0..1000_u64, p in 1.0..4.0_f64) {
        let (u, v, w) = (column(n, seed), column(m, seed + 1) * 2.0, column(n, seed + 2) + 1.0);
        let d = |a: &Array1<f64>, b: &Array1<f64>| wasserstein_1d(a, b, p).unwrap();
        prop_assert!((d(&u, &v) - d(&v, &u)).abs() < 1e-12);
        prop_assert!(d(&u, &w) <= d(&u, &v) + d(&v, &w) + 1e-12);
        prop_assert!(d(&u, &u) == 0.0);
        prop_assert!((d(&u, &(&u + 3.0)) - 3.0).abs() < 1e-12);
    }
}
