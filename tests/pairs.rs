//! Sums over pairs: the engine against the double loop that it stands for.

use flowfield::dataset::normal;
use flowfield::pairs::{KernelSum, RadialKernel, SoftMin};
use flowfield::{Error, Real};
use ndarray::{Array1, Array2, array};

const KERNELS: [RadialKernel; 4] = [
    RadialKernel::Gaussian { width: 1.3 },
    RadialKernel::InverseMultiquadric { width: 0.7 },
    RadialKernel::Laplace { width: 1.1 },
    RadialKernel::Energy,
];
/// Sources, targets, dimension, columns: around the sizes of groups, strips and blocks, and single ones.
const SIZES: [(usize, usize, usize, usize); 9] = [
    (1, 1, 1, 1),
    (2, 31, 1, 2),
    (3, 32, 2, 3),
    (65, 33, 3, 1),
    (5, 513, 2, 5),
    (66, 700, 7, 4),
    (64, 511, 3, 8),
    (4, 1100, 40, 41),
    (600, 512, 2, 2),
];

/// The double loop: sums, gradients, and for each of the two the sum of absolute values, which errors go with.
fn naive<F: Real>(
    kernel: RadialKernel,
    x: &Array2<F>,
    y: &Array2<F>,
    s: &Array2<F>,
    w: &Array1<F>,
) -> [Array2<f64>; 4] {
    let (mut sums, mut gradients) = (Array2::zeros((x.nrows(), s.ncols())), Array2::zeros(x.dim()));
    let (mut size, mut slope) = (sums.clone(), gradients.clone());
    for i in 0..x.nrows() {
        for j in 0..y.nrows() {
            let gap: Vec<f64> = x.row(i).iter().zip(y.row(j)).map(|(a, b)| a.f64() - b.f64()).collect();
            let r = gap.iter().map(|g| g * g).sum::<f64>().sqrt();
            for c in 0..s.ncols() {
                sums[[i, c]] += kernel.value(r) * s[[j, c]].f64();
                size[[i, c]] += (kernel.value(r) * s[[j, c]].f64()).abs();
            }
            for (k, g) in gap.iter().enumerate().filter(|_| r > 0.0) {
                gradients[[i, k]] += w[j].f64() * kernel.slope(r) * g / r;
                slope[[i, k]] += (w[j].f64() * kernel.slope(r)).abs();
            }
        }
    }
    [sums, gradients, size, slope]
}

fn close<F: Real>(got: &Array2<F>, want: &Array2<f64>, size: &Array2<f64>, tol: f64, what: &str) {
    for ((got, want), size) in got.iter().zip(want).zip(size) {
        assert!((got.f64() - want).abs() <= tol * size.max(1e-30), "{what}: {got} {want} {size}");
    }
}

fn kernel_sums_are_their_definition<F: Real>(tol: f64) {
    for kernel in KERNELS {
        let mut engine = KernelSum::new(kernel).unwrap();
        for (n, m, d, p) in SIZES {
            let (mut x, y) = (normal::<F>((n, d), 1), normal::<F>((m, d), 2));
            // A source on a target: the kink.
            x.row_mut(0).assign(&y.row(m - 1));
            let (s, w) = (normal::<F>((m, p), 3), normal::<F>((m, 1), 4).column(0).to_owned());
            let [sums, gradients, size, slope] = naive(kernel, &x, &y, &s, &w);
            engine.targets(&y).unwrap().weights(&w).unwrap().payload(&s).unwrap();
            let (mut a, mut b) = (Array2::zeros((n, p)), Array2::zeros((n, d)));
            let what = format!("{kernel:?} {n} {m} {d} {p}");
            engine.both(&x, &mut a, &mut b).unwrap();
            close(&a, &sums, &size, tol, &what);
            close(&b, &gradients, &slope, tol, &what);
            // One without the other is the same to the bit.
            let (mut c, mut e) = (Array2::zeros((n, p)), Array2::zeros((n, d)));
            engine.sums(&x, &mut c).unwrap();
            engine.gradients(&x, &mut e).unwrap();
            assert!(a == c && b == e, "{what}");
        }
    }
}

#[test]
fn kernel_sums() {
    kernel_sums_are_their_definition::<f64>(1e-14);
    kernel_sums_are_their_definition::<f32>(5e-6);
}

#[test]
fn gradients_are_finite_differences_of_sums() {
    let (x, y) = (normal::<f64>((6, 3), 0), normal::<f64>((40, 3), 1));
    let w = normal::<f64>((40, 1), 2);
    for kernel in KERNELS {
        let mut engine = KernelSum::new(kernel).unwrap();
        engine.targets(&y).unwrap().payload(&w).unwrap().weights(&w.column(0).to_owned()).unwrap();
        let mut gradients = Array2::zeros((6, 3));
        engine.gradients(&x, &mut gradients).unwrap();
        for k in 0..3 {
            let mut value = |h: f64| {
                let (mut moved, mut sums) = (x.clone(), Array2::zeros((6, 1)));
                moved.column_mut(k).mapv_inplace(|v| v + h);
                engine.sums(&moved, &mut sums).unwrap();
                sums
            };
            let slope = (value(1e-5) - value(-1e-5)) / 2e-5;
            for i in 0..6 {
                assert!((slope[[i, 0]] - gradients[[i, k]]).abs() < 1e-8, "{kernel:?}");
            }
        }
    }
}

#[test]
fn clouds_far_from_the_origin_lose_nothing() {
    // Numbers with few bits, so that the shift is exact.
    let (x, y) = (normal::<f32>((20, 2), 0), normal::<f32>((50, 2), 1));
    let (x, y) = (x.mapv(|v| (v * 64.0).round() / 64.0), y.mapv(|v| (v * 64.0).round() / 64.0));
    for kernel in KERNELS {
        let run = |shift: f32| {
            let mut engine = KernelSum::new(kernel).unwrap();
            engine.targets(&(&y + shift)).unwrap();
            let mut gradients = Array2::zeros((20, 2));
            engine.gradients(&(&x + shift), &mut gradients).unwrap();
            gradients
        };
        assert_eq!(run(0.0), run(1024.0));
    }
}

fn by_hand<F: Real>(x: &Array2<F>, y: &Array2<F>, h: &Array1<F>, eps: f64) -> (Array1<f64>, Array2<f64>) {
    let (mut sums, mut means) = (Array1::zeros(x.nrows()), Array2::zeros(x.dim()));
    for i in 0..x.nrows() {
        let t = |j: usize| {
            let square: f64 = x.row(i).iter().zip(y.row(j)).map(|(a, b)| (a.f64() - b.f64()).powi(2)).sum();
            h[j].f64() - square / eps
        };
        let top = (0..y.nrows()).map(t).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = (0..y.nrows()).map(|j| (t(j) - top).exp()).sum();
        sums[i] = top + sum.ln();
        for (j, y) in y.rows().into_iter().enumerate() {
            let w = (t(j) - sums[i]).exp();
            means.row_mut(i).iter_mut().zip(y).for_each(|(m, y)| *m += w * y.f64());
        }
    }
    (sums, means)
}

fn pair_sums_are_their_definition<F: Real>(tol: f64) {
    for (n, m, d) in [(1, 1, 1), (3, 31, 1), (70, 33, 2), (5, 5000, 3), (66, 700, 7), (4, 300, 40)] {
        for eps in [10.0, 0.3, 0.01] {
            let (x, y) = (normal::<F>((n, d), 1), normal::<F>((m, d), 2));
            let mut h = normal::<F>((m, 1), 3).column(0).to_owned();
            h[0] = F::neg_infinity();
            if m == 1 {
                h[0] = F::one();
            }
            let sum = SoftMin::new(&y, &h, eps).unwrap();
            let (sums, means) = by_hand(&x, &y, &h, eps);
            let size = d as f64 / eps + 1.0;
            let gap = (sum.log_sum_exp(&x).unwrap() - &sums).iter().fold(0.0_f64, |g, e| g.max(e.abs()));
            assert!(gap < tol * size, "{n} {m} {d} {eps}: {gap}");
            let mapped = sum.mean(&x).unwrap().mapv(|v| v.f64());
            let gap = (mapped - means).iter().fold(0.0_f64, |g, e| g.max(e.abs()));
            assert!(gap < 30.0 * tol * size, "{n} {m} {d} {eps}: {gap}");
        }
    }
}

#[test]
fn pair_sums() {
    pair_sums_are_their_definition::<f64>(1e-13);
    pair_sums_are_their_definition::<f32>(2e-6);
}

#[test]
fn far_away_sources_find_the_nearest_targets() {
    let y = array![[0.0_f32, 0.0], [1.0, 0.0]];
    let sum = SoftMin::new(&y, &Array1::zeros(2), 1e-3).unwrap();
    let x = array![[1e3_f32, 0.0], [-1e3, 0.0], [0.6, 1e2]];
    let mean = sum.mean(&x).unwrap();
    assert!(mean.iter().all(|v| v.is_finite()) && mean[[0, 0]] == 1.0 && mean[[1, 0]] < 1e-30);
}

#[test]
fn sums_do_not_depend_on_the_number_of_threads() {
    let (x, y) = (normal::<f32>((700, 2), 0), normal::<f32>((650, 2), 1));
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut engine = KernelSum::new(RadialKernel::Gaussian { width: 1.0 }).unwrap();
            let (mut sums, mut gradients) = (Array2::zeros((700, 2)), Array2::zeros((700, 2)));
            engine.targets(&y).unwrap().payload(&y).unwrap().both(&x, &mut sums, &mut gradients).unwrap();
            (sums, gradients, SoftMin::new(&y, &Array1::zeros(650), 0.1).unwrap().log_sum_exp(&x).unwrap())
        })
    };
    assert!(run(1) == run(2) && run(1) == run(3));
}

#[test]
fn bad_input_is_refused_by_name() {
    for width in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-200] {
        let kernel = RadialKernel::Gaussian { width };
        assert!(matches!(KernelSum::<f64>::new(kernel), Err(Error::Setting { what: "width", .. })));
    }
    let mut engine = KernelSum::new(RadialKernel::Energy).unwrap();
    let mut out = Array2::zeros((1, 1));
    assert!(matches!(engine.gradients(&array![[0.0]], &mut out), Err(Error::Empty { .. })));
    assert!(matches!(engine.targets(&Array2::zeros((0, 2))), Err(Error::Empty { .. })));
    assert!(matches!(engine.targets(&array![[0.0], [f64::NAN]]), Err(Error::NotFinite { row: 1, .. })));
    engine.targets(&array![[0.0], [1.0]]).unwrap();
    assert!(matches!(engine.sums(&array![[0.0]], &mut out), Err(Error::Shape { .. })));
    assert!(matches!(engine.weights(&array![1.0]), Err(Error::Shape { .. })));
    assert!(matches!(engine.payload(&array![[1.0]]), Err(Error::Shape { .. })));
    assert!(matches!(engine.gradients(&array![[0.0, 1.0]], &mut out), Err(Error::Shape { .. })));
    // Another cloud makes what was to be summed out of date.
    engine.payload(&array![[1.0], [2.0]]).unwrap().targets(&array![[0.0], [1.0], [2.0]]).unwrap();
    assert!(matches!(engine.sums(&array![[0.0]], &mut out), Err(Error::Shape { .. })));
    for eps in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let soft = SoftMin::new(&array![[0.0]], &array![0.0], eps);
        assert!(matches!(soft, Err(Error::Setting { what: "eps", .. })));
    }
    assert!(matches!(SoftMin::new(&array![[0.0]], &array![0.0, 1.0], 1.0), Err(Error::Shape { .. })));
}
