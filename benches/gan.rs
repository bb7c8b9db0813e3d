//! A WGAN-GP critic and generator step, in the peers' JSON format: 2 -> 3 x 128 ReLU -> 2 against 2 -> 3 x 128 ReLU -> 1, batch 256,
//! penalty 0.1 on interpolates, Adam, f32.
//!
//! `cargo bench --bench gan [-- PEER ..]`; `RAYON_NUM_THREADS` sets the threads (default here: 1). Lines:
//!
//! * `flowfield-alternating`: a critic step, then a generator step on a minibatch of its own: the peers' step.
//! * `flowfield`: both players' field at once, from one minibatch: the step this library's games take.
//! * `flowfield-line`: the same, with the critic's objective estimated along lines.

mod common;

use common::{filters, seconds, wanted};
use flowfield::dataset::grid_gaussians;
use flowfield::game::{Estimator, Gan, GanLoss, Penalty};
use flowfield::integrate::{Adam, Alternating, Integrator, Player};
use flowfield::nn::{Activation, Mlp};
use flowfield::{Flow, Result};
use ndarray::{Array1, Array2};

const BATCH: usize = 256;

type Game<'a> = Gan<'a, Mlp, Mlp, f32>;

/// Times `turns` steps of a flow.
fn time<I: Integrator<Array1<f32>>>(peer: &str, game: Game<'_>, integrator: I, turns: usize) -> Result<()> {
    let mut theta = game.init(0);
    let mut flow = Flow::new(game, integrator);
    let mut outcome = flow.steps(10 * turns, 1e-4, &mut theta);
    let (median, least) = seconds(9, 0.3, || {
        let step = flow.steps(turns, 1e-4, &mut theta);
        outcome = outcome.clone().and(step);
    });
    outcome?;
    println!(
        "{{\"area\":\"gan\",\"case\":\"wgan_gp_step_3x128_b256\",\"peer\":\"{peer}\",\"metric\":\"seconds_per_step\",\
         \"value\":{median:.5e},\"threads\":{},\"note\":\"min {least:.4e}\"}}",
        rayon::current_num_threads()
    );
    Ok(())
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let threads = std::env::var("RAYON_NUM_THREADS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let net = |outputs| Mlp::new(2, &[128; 3], outputs).activation(Activation::Relu);
    let (generator, critic) = (net(2), net(1));
    let data: Array2<f32> = grid_gaussians(100_000, 5, 1.0, 0.025, 0);
    let game = || {
        let game: Game<'_> = Gan::new(&generator, &critic, &data, BATCH);
        game.loss(GanLoss::Wasserstein).penalty(Penalty::wgan_gp(0.1))
    };
    let adam = || Adam::default().betas(0.5, 0.9);
    let chosen = filters();
    if wanted(&chosen, "flowfield-alternating") {
        let turns = [Player::new(game().critic(), adam()), Player::new(game().generator(), adam())];
        time("flowfield-alternating", game(), Alternating::new(turns), 2)?;
    }
    if wanted(&chosen, "flowfield-line") {
        time("flowfield-line", game().estimator(Estimator::Line), adam(), 1)?;
    }
    if wanted(&chosen, "flowfield") {
        time("flowfield", game(), adam(), 1)?;
    }
    Ok(())
}
