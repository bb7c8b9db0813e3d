//! Compiled networks: fused products against plain loops, and against the network itself.

use flowfield::dataset::normal;
use flowfield::low_rank::LoraScale;
use flowfield::nn::{
    Activation, Lora, Mlp, Network, NormPlacement, Plan, Residual, SpectralNorm, TimeFeatures,
};
use flowfield::precision::Format;
use flowfield::{Error, Real, VectorField};
use ndarray::{Array1, Array2};

const ROWS: usize = 131;

/// The perceptron as it is written down: a product, the biases, the activation, layer by layer, in double precision.
fn unfused(net: &Mlp, activation: Activation, theta: &Array1<f64>, x: &Array2<f64>) -> Array2<f64> {
    let parts = net.layout();
    let layers = parts.len() / 2;
    let mut a = x.clone();
    for (l, part) in parts.chunks(2).enumerate() {
        let (rows, columns) = (part[0].shape[0], part[0].shape[1]);
        a = Array2::from_shape_fn((a.nrows(), columns), |(i, j)| {
            let product: f64 = (0..rows).map(|k| a[[i, k]] * theta[part[0].offset + k * columns + j]).sum();
            product + theta[part[1].offset + j]
        });
        if l + 1 < layers {
            a.mapv_inplace(|z| activation.jet(z)[0]);
        }
    }
    a
}

/// The largest difference of a plan from the plain loops, in units of the largest output.
fn gap<F: Real>(net: &Mlp, activation: Activation) -> f64 {
    let theta = Network::<f32>::init(net, 1) + &normal::<f32>((1, net.n_params()), 2).row(0) * 0.1;
    let x = normal::<f32>((ROWS, net.inputs()), 3);
    let want = unfused(net, activation, &theta.mapv(f64::from), &x.mapv(f64::from));
    let of = |v: f32| F::of(f64::from(v));
    let mut plan = Plan::compile(net, &theta.mapv(of), ROWS).unwrap();
    let mut y = Array2::from_elem(want.dim(), F::nan());
    plan.forward(&x.mapv(of), &mut y).unwrap();
    let largest = want.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    y.iter().zip(&want).fold(0.0_f64, |m, (y, w)| m.max((y.f64() - w).abs())) / largest
}

#[test]
fn fused_is_unfused() {
    for activation in Activation::ALL {
        for hidden in [&[][..], &[1], &[33, 70], &[128, 64, 64]] {
            let net = Mlp::new(5, hidden, 3).activation(activation);
            let (single, double) = (gap::<f32>(&net, activation), gap::<f64>(&net, activation));
            assert!(single < 2e-6 && double < 1e-14, "{activation:?} {hidden:?}: {single:e}, {double:e}");
        }
    }
    // bf16 products: three layers of unit round-off 2⁻⁹ for both operands.
    let net = Mlp::new(5, &[33, 70], 3).compute(Format::Bf16);
    let rounded = gap::<f32>(&net, Activation::Silu);
    assert!((1e-4..2e-2).contains(&rounded), "{rounded:e}");
}

/// A plan against its network: values, fewer rows, other parameters, and the field.
fn same<N: Network<f32>>(net: &N, what: &str) {
    let (theta, other): (Array1<f32>, Array1<f32>) = (net.init(1), net.init(2) * 1.1);
    let mut plan = Plan::compile(net, &theta, ROWS).unwrap();
    for (rows, theta) in [(ROWS, &theta), (7, &theta), (ROWS, &other), (1, &theta)] {
        plan.repack(theta).unwrap();
        let x = normal::<f32>((rows, net.inputs()), 3);
        let (mut want, mut y) = (Array2::zeros((rows, net.outputs())), Array2::zeros((rows, net.outputs())));
        net.forward(theta, &x, &mut want, &mut net.tape(rows)).unwrap();
        plan.forward(&x, &mut y).unwrap();
        assert_eq!(y, want, "{what}, {rows} rows");
    }
    let x = normal::<f32>((9, net.outputs()), 4);
    let (mut want, mut dx) = (x.clone(), x.clone());
    let mut borrowed = net.field(&theta);
    for t in [0.3, 0.8] {
        borrowed.eval(t, &x, &mut want);
        plan.check(&x).unwrap();
        plan.eval(t, &x, &mut dx);
        assert_eq!(dx, want, "{what}, the field");
    }
}

#[test]
fn a_plan_is_its_network_to_the_last_bit() {
    let features = TimeFeatures::Sinusoidal { pairs: 3, max_freq: 20.0 };
    let mlp = Mlp::velocity(2, &[40, 64]).time(features);
    same(&mlp, "perceptron");
    same(&mlp.clone().compute(Format::Bf16), "perceptron in bf16");
    same(&mlp.clone().compute(Format::F16), "perceptron in f16");
    same(&Mlp::velocity(30, &[128; 2]), "perceptron of several lanes");
    same(&Residual::velocity(2, 16, 5).norm(NormPlacement::Pre), "residual network");
    let base: Array1<f32> = mlp.init(0);
    same(&Lora::new(&mlp, &base, 2, LoraScale::Plain), "low-rank increments");
}

#[test]
fn a_plan_of_normalised_weights_keeps_their_norm() {
    let net = SpectralNorm::new(Mlp::new(4, &[16, 16], 1));
    let theta: Array1<f64> = net.init(1);
    let x = normal::<f64>((6, 4), 2);
    let mut plan = Plan::compile(&net, &theta, 6).unwrap();
    let (mut first, mut again, mut want) =
        (Array2::zeros((6, 1)), Array2::zeros((6, 1)), Array2::zeros((6, 1)));
    plan.forward(&x, &mut first).unwrap();
    plan.forward(&x, &mut again).unwrap();
    net.forward(&theta, &x, &mut want, &mut net.tape(6)).unwrap();
    assert_eq!((&first, &first), (&again, &want));
}

#[test]
fn what_does_not_fit_is_refused() {
    let net = Mlp::velocity(2, &[8]);
    let theta: Array1<f32> = net.init(0);
    assert!(matches!(Plan::compile(&net, &theta, 0), Err(Error::Setting { .. })));
    assert!(matches!(Plan::compile(&net, &Array1::<f32>::zeros(3), 4), Err(Error::Shape { .. })));
    let broken = Mlp::velocity(2, &[0]);
    assert!(matches!(Plan::compile(&broken, &theta, 4), Err(Error::ZeroWidth { .. })));
    let mut plan = Plan::compile(&net, &theta, 4).unwrap();
    assert_eq!(plan.rows(), 4);
    assert!(matches!(plan.repack(&Array1::zeros(3)), Err(Error::Shape { .. })));
    let mut forward = |rows, columns, outputs| {
        plan.forward(&Array2::zeros((rows, columns)), &mut Array2::zeros((rows, outputs)))
    };
    assert!(forward(3, 3, 2).is_ok());
    assert!(matches!(forward(5, 3, 2), Err(Error::Setting { .. })));
    assert!(matches!(forward(4, 2, 2), Err(Error::Shape { .. })));
    assert!(matches!(forward(4, 3, 1), Err(Error::Shape { .. })));
    assert!(matches!(plan.check(&Array2::zeros((5, 2))), Err(Error::Setting { .. })));
    assert!(matches!(plan.check(&Array2::zeros((4, 3))), Err(Error::Shape { .. })));
    let mut dx = Array2::zeros((5, 2));
    plan.eval(0.0, &Array2::zeros((5, 2)), &mut dx);
    assert!(dx.iter().all(|v: &f32| v.is_nan()));
}
