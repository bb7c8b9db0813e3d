//! Results do not depend on the number of threads.

use flowfield::nn::{Mlp, Network};
use ndarray::{Array1, Array2};

/// Everything a network computes on enough rows for several lanes.
fn everything(rows: usize) -> Vec<u32> {
    let net = Mlp::velocity(30, &[128, 128]);
    let theta: Array1<f32> = net.init(3);
    let numbers = |columns| Array2::from_shape_fn((rows, columns), |(i, j)| ((i * 7 + j * 3) as f32).sin());
    let (x, dx, ybar) = (numbers(31), numbers(31) + 0.5, numbers(30));
    let (mut y, mut dy, mut xbar) = (numbers(30), numbers(30), numbers(31));
    let (mut theta_bar, mut gradient) = (Array1::zeros(net.n_params()), Array1::zeros(net.n_params()));
    let mut tape = net.tape(rows);
    let square = |_: usize, y: &[f32], ybar: &mut [f32]| {
        ybar.copy_from_slice(y);
        y.iter().map(|y| y * y).sum::<f32>()
    };
    let loss = net.loss_gradient(&theta, &x, square, &mut gradient, &mut tape).unwrap();
    net.forward(&theta, &x, &mut y, &mut tape).unwrap();
    net.vjp(&theta, &ybar, Some(&mut theta_bar), Some(&mut xbar), &mut tape).unwrap();
    net.jvp(&theta, Some(&theta), Some(&dx), &mut dy, &mut tape).unwrap();
    net.vjp_of_jvp(&theta, &ybar, &dx, Some(&mut theta_bar), Some(&mut xbar), &mut tape).unwrap();
    net.vjp_of_tangent(&theta, &ybar, (Some(&theta), Some(&dx)), Some(&mut theta_bar), None, &mut tape)
        .unwrap();
    let steep = |_: usize, v: &[f32], bar: &mut [f32]| {
        bar.copy_from_slice(v);
        v.iter().map(|v| v * v).sum::<f32>()
    };
    net.slope_gradient(&theta, &x, steep, &mut theta_bar, &mut tape).unwrap();
    let all = y.iter().chain(&dy).chain(&xbar).chain(&theta_bar).chain(&gradient).chain([&loss]);
    all.map(|v| v.to_bits()).collect()
}

#[test]
fn one_two_and_five_threads_give_the_same_bits() {
    for rows in [300, 1111] {
        let runs = [1, 2, 5].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| everything(rows))
        });
        assert!(runs[0] == runs[1] && runs[0] == runs[2]);
        assert!(runs[0] == everything(rows));
    }
}

#[test]
fn a_large_batch_is_the_sum_of_its_parts() {
    let net = Mlp::velocity(30, &[128, 128]);
    let theta: Array1<f64> = net.init(3);
    let rows = 1111;
    let x = Array2::from_shape_fn((rows, 31), |(i, j)| ((i * 7 + j * 3) as f64).sin());
    let square = |_: usize, y: &[f64], ybar: &mut [f64]| {
        ybar.iter_mut().zip(y).for_each(|(g, y)| *g = 2.0 * y);
        y.iter().map(|y| y * y).sum::<f64>()
    };
    let gradient = |x: &Array2<f64>| {
        let mut gradient = Array1::zeros(net.n_params());
        let loss = net.loss_gradient(&theta, x, square, &mut gradient, &mut net.tape(x.nrows())).unwrap();
        (loss, gradient)
    };
    let (loss, whole) = gradient(&x);
    let (mut sum_loss, mut sum) = (0.0, Array1::zeros(net.n_params()));
    for first in (0..rows).step_by(100) {
        let part = x.slice(ndarray::s![first..rows.min(first + 100), ..]).to_owned();
        let (loss, gradient) = gradient(&part);
        sum_loss += loss;
        sum += &gradient;
    }
    assert!((loss / sum_loss - 1.0).abs() < 1e-13);
    let scale = sum.iter().fold(0.0_f64, |m, g| m.max(g.abs()));
    assert!(whole.iter().zip(&sum).all(|(a, b)| (a - b).abs() < 1e-12 * scale));
}
