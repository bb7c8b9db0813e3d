//! 25 Gaussians on a grid: a GAN that finds all of them, by the integrator and with the penalty of your choice.

#[path = "common/mod.rs"]
mod common;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Instant;

use common::mixture::{Mixture, Quality, points};
use common::options::Options;
use common::picture::{GREY, Layer, Panel, VERMILION, panels};
use common::progress::bar;
use flowfield::dataset::normal;
use flowfield::game::{DiscriminatorFlow, Gan, GanLoss, Penalty, PenaltyPoints};
use flowfield::integrate::{Adam, Ema, Euler, Heun, Integrator, Rk4, Schedule};
use flowfield::nn::{Activation, Mlp, Network};
use flowfield::{Flow, Result};
use ndarray::{Array1, Array2};

const ABOUT: &str = "gan_25gaussians: all modes of a grid of 25 narrow Gaussians

Trains a generator against a critic (3 x 128 each, batch 256), both players as one field, and prints how many modes its samples
cover, which share of them lies within three standard deviations of a mode, and the distance W2 to the mixture with the value
that samples of the mixture itself have. Three rows: the generator, its average along the way, and its samples moved on
by the critic. Writes gan_25gaussians.png.

  --integrator NAME  euler, rk2, rk4 or adam (default adam); the others get as many evaluations
  --penalty NAME     zero (default; slopes on interpolates), reflow or gp (with the Wasserstein objective), r1, none";

const SAMPLES: usize = 10_000;

fn net(outputs: usize) -> Mlp {
    Mlp::new(2, &[128; 3], outputs).activation(Activation::Relu)
}

fn game<'a>(
    generator: &'a Mlp,
    critic: &'a Mlp,
    data: &'a Array2<f32>,
    penalty: &str,
) -> std::result::Result<(Gan<'a, Mlp, Mlp, f32>, GanLoss), String> {
    let (loss, penalty) = match penalty {
        "zero" => (GanLoss::NonSaturating, Some(Penalty::zero_centred(PenaltyPoints::Interpolates, 0.015))),
        "r1" => (GanLoss::NonSaturating, Some(Penalty::zero_centred(PenaltyPoints::Real, 0.02))),
        "reflow" => (GanLoss::Wasserstein, Some(Penalty::reflow())),
        "gp" => (GanLoss::Wasserstein, Some(Penalty::wgan_gp(0.1))),
        "none" => (GanLoss::NonSaturating, None),
        other => return Err(format!("--penalty {other}: take zero, reflow, gp, r1 or none")),
    };
    let game = Gan::new(generator, critic, data, 256).loss(loss);
    Ok((if let Some(penalty) = penalty { game.penalty(penalty) } else { game }, loss))
}

/// Both players' parameters at the end, and their average.
fn train<I: Integrator<Array1<f32>>>(
    game: Gan<'_, Mlp, Mlp, f32>,
    integrator: I,
    (steps, h): (usize, f32),
    seed: u64,
) -> Result<[Array1<f32>; 2]> {
    let mut theta = game.init(seed);
    let progress = bar(steps, integrator.name());
    let mut flow = Flow::new(game, Ema::new(integrator, 0.999))
        .controller(Schedule::cosine(steps as u64))
        .on_step(|p| {
            if p.step % 100 == 0 {
                progress.set_position(p.step);
            }
            ControlFlow::Continue(())
        });
    flow.steps(steps, h, &mut theta)?;
    let average = flow.integrator().average().cloned().unwrap_or_else(|| theta.clone());
    progress.finish_and_clear();
    Ok([theta, average])
}

fn run(
    game: Gan<'_, Mlp, Mlp, f32>,
    name: &str,
    options: &Options,
) -> std::result::Result<[Array1<f32>; 2], Box<dyn std::error::Error>> {
    let evaluations = if options.quick { 1_000 } else { 20_000 };
    let seed = options.seed;
    Ok(match name {
        "adam" => train(game, Adam::default().betas(0.5, 0.99), (evaluations, 3e-3), seed)?,
        "euler" => train(game, Euler::new(), (evaluations, 0.2), seed)?,
        "rk2" => train(game, Heun::new(), (evaluations / 2, 0.2), seed)?,
        "rk4" => train(game, Rk4::new(), (evaluations / 4, 0.4), seed)?,
        other => return Err(format!("--integrator {other}: take euler, rk2, rk4 or adam").into()),
    })
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let (options, given) = Options::read_with(ABOUT, &["integrator", "penalty"]);
    let choice = |given: &HashMap<_, String>, name, default: &str| -> String {
        given.get(name).cloned().unwrap_or_else(|| default.into())
    };
    let (integrator, penalty) = (choice(&given, "integrator", "adam"), choice(&given, "penalty", "zero"));
    let mixture = Mixture::grid();
    let (generator, critic) = (net(2), net(1));
    let (game, loss) = game(&generator, &critic, &mixture.data, &penalty)?;
    let game = game.seed(options.seed);
    let (generator_part, critic_part) = (game.generator(), game.critic());
    let start = Instant::now();
    let [theta, average] = run(game, &integrator, &options)?;
    let seconds = start.elapsed().as_secs_f64();

    let noise = normal((SAMPLES, 2), options.seed + 1_000);
    let samples = |theta: &Array1<f32>| -> Result<Array2<f32>> {
        let phi = theta.slice(ndarray::s![generator_part.clone()]);
        let mut x = Array2::zeros((SAMPLES, 2));
        generator.forward(&phi, &noise, &mut x, &mut generator.lean_tape(SAMPLES))?;
        Ok(x)
    };
    let psi = theta.slice(ndarray::s![critic_part]).to_owned();
    let (last, averaged) = (samples(&theta)?, samples(&average)?);
    let mut moved = last.clone();
    Flow::new(DiscriminatorFlow::new(&critic, &psi).loss(loss), Heun::new()).steps(20, 2e-3, &mut moved)?;
    let rows = [("generator", last), ("its average", averaged), ("moved on by the critic", moved)];
    let mut table: Vec<(&str, Quality)> = Vec::new();
    for (name, x) in &rows {
        table.push((name, mixture.measure(x)?));
    }
    let floor = mixture.floor()?;
    if options.json {
        for (name, q) in &table {
            println!(
                "{{\"integrator\":\"{integrator}\",\"penalty\":\"{penalty}\",\"samples\":\"{name}\",{},\"w2_floor\":{floor:.4}}}",
                q.json()
            );
        }
    } else {
        println!("{:24} | {}", "", Quality::HEADER);
        table.iter().for_each(|(name, q)| println!("{name:24} | {}", q.row()));
        println!(
            "W2 of samples of the mixture itself: {floor:.3}; trained in {seconds:.0} s by {integrator}, penalty {penalty}."
        );
    }
    draw(&options, &mixture, &rows[0].1, &rows[2].1)
}

fn draw(
    options: &Options,
    mixture: &Mixture,
    last: &Array2<f32>,
    moved: &Array2<f32>,
) -> common::picture::Drawn {
    let cut = |x: &Array2<f32>| points(x).into_iter().take(4000).collect::<Vec<_>>();
    let (data, last, moved) = (cut(&mixture.data), cut(last), cut(moved));
    let panel = |title, dots, colour| Panel {
        title,
        axes: ("x", "y"),
        range: Some([-2.5, 2.5, -2.5, 2.5]),
        layers: vec![Layer::Dots(dots, colour, 1)],
    };
    let file = options.file("gan_25gaussians.png")?;
    let all = [
        panel("data", &data, GREY),
        panel("generator", &last, VERMILION),
        panel("moved on by the critic", &moved, VERMILION),
    ];
    panels(&file, (480, 480), &all)?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
