//! A step of a 1000-layer network against its matrix products and norms alone.
//!
//! `cargo bench --bench depth`; one thread. The products are those of one forward and one reverse pass, by the same kernels, through a
//! perceptron of the same shapes without activations, and the norms are taken by running the network once with and once without them.

mod common;

use common::seconds;
use flowfield::Result;
use flowfield::dataset::normal;
use flowfield::nn::{Activation, DeepNorm, Mlp, Network, NormPlacement, Residual};
use ndarray::{Array1, Array2};

fn step<N: Network<f32>>(net: &N, rows: usize) -> Result<f64> {
    let theta = net.init(0);
    let x: Array2<f32> = normal((rows, net.inputs()), 1);
    let (mut tape, mut gradient) = (net.tape(rows), Array1::zeros(theta.len()));
    let loss = |_: usize, y: &[f32], ybar: &mut [f32]| {
        ybar.copy_from_slice(y);
        y.iter().map(|y| y * y).sum::<f32>() * 0.5
    };
    let mut outcome = Ok(0.0);
    let (_, least) = seconds(7, 0.3, || {
        let value = net.loss_gradient(&theta, &x, loss, &mut gradient, &mut tape);
        outcome = outcome.clone().and(value);
    });
    outcome.map(|_| least)
}

fn main() -> Result<()> {
    let _ = rayon::ThreadPoolBuilder::new().num_threads(1).build_global();
    let (rows, width, depth) = (256, 32, 1000);
    let deep = DeepNorm::encoder_only(depth / 2);
    let residual = |placement| {
        Residual::new(width, width, depth, width).activation(Activation::Relu).norm(placement).gain(deep.beta)
    };
    let whole = step(&residual(NormPlacement::Deep { alpha: deep.alpha }), rows)?;
    let without_norms = step(&residual(NormPlacement::None), rows)?;
    let recomputed = step(&residual(NormPlacement::Deep { alpha: deep.alpha }).recompute(), rows)?;
    // 2001 layers of products: two for each block, and the ends.
    let chain = Mlp::new(width, &vec![width; 2 * depth + 1], width).activation(Activation::Identity);
    let products = step(&chain, rows)?;
    let norms = whole - without_norms;
    for (metric, value) in [
        ("seconds_per_step", whole),
        ("seconds_per_step_recomputed", recomputed),
        ("seconds_products", products),
        ("seconds_norms", norms),
        ("over_products_and_norms", whole / (products + norms)),
    ] {
        println!(
            "{{\"area\":\"depth\",\"case\":\"1000x32_b256\",\"peer\":\"flowfield\",\"metric\":\"{metric}\",\"value\":{value:.5e},\
             \"threads\":1,\"note\":\"least\"}}"
        );
    }
    Ok(())
}
