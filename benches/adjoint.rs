//! The gradient of a neural ODE, in the peers' JSON format: a network 2-64-64-2 (tanh), a batch of 128 rows as one state, f32,
//! the mean square of the final state, by a 5(4) pair at tolerance 1e-5.
//!
//! `cargo bench --bench adjoint`; the peers: `python benches/peers/adjoint.py`. Both set the weights by the same
//! formula, so that all solve the same equation.

mod common;

use common::{filters, seconds, wanted};
use flowfield::integrate::{Dopri5, Tsit5};
use flowfield::nn::{Activation, Mlp};
use flowfield::sensitivity::{Checkpoints, ContinuousAdjoint, DiscreteAdjoint, NeuralField, Reversible};
use flowfield::{Flow, Result};
use ndarray::{Array1, Array2};

const BATCH: usize = 128;
const TOL: f32 = 1e-5;
const T1: f32 = 2.0;

/// Weights `1.5 sin(k + 1) / √in` in the order of theta (`in × out`, row by row), biases zero.
fn weights(net: &Mlp) -> Array1<f32> {
    let mut theta = Array1::zeros(net.n_params());
    let mut k = 0;
    for part in net.layout().iter().filter(|p| p.shape.len() == 2) {
        for i in 0..part.shape[0] * part.shape[1] {
            k += 1;
            theta[part.offset + i] = (1.5 * f64::from(k).sin() / (part.shape[0] as f64).sqrt()) as f32;
        }
    }
    theta
}

fn start() -> Array2<f32> {
    Array2::from_shape_fn((BATCH, 2), |(r, c)| (0.1 * r as f32 + 1.3 * c as f32).sin())
}

fn mean_square(_k: usize, _t: f32, y: &Array2<f32>, ybar: &mut Array2<f32>) -> f32 {
    let scale = 1.0 / y.len() as f32;
    ybar.zip_mut_with(y, |b, &y| *b = 2.0 * scale * y);
    y.iter().map(|y| y * y).sum::<f32>() * scale
}

fn line(name: &str, (median, least): (f64, f64), loss: f32, norm: f32, evals: u64) {
    println!(
        "{{\"library\": \"flowfield\", \"case\": \"{name}\", \"ms\": {:.4}, \"ms_min\": {:.4}, \"loss\": {loss:.7}, \"gradient_norm\": {norm:.6}, \"evals\": {evals}}}",
        median * 1e3,
        least * 1e3
    );
}

fn norm(theta: &Array1<f32>) -> f32 {
    theta.iter().map(|g| g * g).sum::<f32>().sqrt()
}

fn discrete<I>(name: &str, make: fn() -> I, checkpoints: Checkpoints) -> Result<()>
where
    I: Reversible<Array2<f32>>,
{
    let net = Mlp::new(2, &[64, 64], 2).activation(Activation::Tanh);
    let mut flow = Flow::new(NeuralField::new(&net, &weights(&net)), make()).tol(TOL);
    let mut adjoint = DiscreteAdjoint::new().checkpoints(checkpoints);
    let y0 = start();
    let g = adjoint.gradient(&mut flow, 0.0, &[T1], &y0, mean_square)?;
    let time = seconds(9, 0.3, || adjoint.gradient(&mut flow, 0.0, &[T1], &y0, mean_square));
    line(name, time, g.loss, norm(&g.theta), g.stats.evals + g.stats.pulls);
    Ok(())
}

fn continuous(name: &str, backsolve: bool) -> Result<()> {
    let net = Mlp::new(2, &[64, 64], 2).activation(Activation::Tanh);
    let mut flow = Flow::new(NeuralField::new(&net, &weights(&net)), Dopri5::new()).tol(TOL);
    let adjoint = ContinuousAdjoint::new(TOL, TOL);
    let adjoint = if backsolve { adjoint.backsolve() } else { adjoint };
    let y0 = start();
    let g = adjoint.gradient(&mut flow, Dopri5::new(), 0.0, &[T1], &y0, mean_square)?;
    let time = seconds(9, 0.3, || adjoint.gradient(&mut flow, Dopri5::new(), 0.0, &[T1], &y0, mean_square));
    line(name, time, g.loss, norm(&g.theta), g.stats.evals + g.stats.pulls);
    Ok(())
}

fn main() -> Result<()> {
    let filters = filters();
    type Case = (&'static str, fn(&str) -> Result<()>);
    let cases: [Case; 6] = [
        ("discrete_tsit5", |name| discrete(name, Tsit5::new, Checkpoints::All)),
        ("discrete_dopri5", |name| discrete(name, Dopri5::new, Checkpoints::All)),
        ("discrete_dopri5_every_4", |name| discrete(name, Dopri5::new, Checkpoints::Every(4))),
        ("discrete_dopri5_binomial_3", |name| discrete(name, Dopri5::new, Checkpoints::Binomial(3))),
        ("interpolating_dopri5", |name| continuous(name, false)),
        ("backsolve_dopri5", |name| continuous(name, true)),
    ];
    cases.iter().filter(|(name, _)| wanted(&filters, name)).try_for_each(|(name, run)| run(name))
}
