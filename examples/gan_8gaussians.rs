//! 8 Gaussians on a ring: why the integrator matters in a game.

#[path = "common/mod.rs"]
mod common;

use std::ops::ControlFlow;

use common::mixture::{Mixture, Quality, points};
use common::options::Options;
use common::picture::{BLUE, GREY, Layer, Panel, VERMILION, panels};
use common::progress::bar;
use flowfield::dataset::normal;
use flowfield::game::{Gan, GanLoss, Penalty, PenaltyPoints, Regulariser, amplification, spectrum};
use flowfield::integrate::{Adam, Euler, Integrator, Rk4, Schedule};
use flowfield::nn::{Activation, Mlp, Network};
use flowfield::{Error, Flow, Result, VectorField};
use ndarray::{Array1, Array2};

const ABOUT: &str = "gan_8gaussians: a GAN by Euler's method, by RK4, and by Adam

Trains the same game by Euler and by RK4 with the same steps, from the same start, with small networks (2 x 25) and the
hyper-parameters of the ODE-GAN experiments (non-saturating, batch 512, latents of 32 numbers, regulariser 0.07; steps of 0.1
falling to 0): simultaneous gradient descent against the flow it is an approximation of. At 0.1 both follow it; at 0.3 they
part. Then larger networks (3 x 128) by Adam.
Prints a table of modes, quality and W2, and the rim of the spectrum of the game's Jacobian at the start of the runs with
the factor by which one step of each method multiplies it. Writes gan_8gaussians.png.";

const SAMPLES: usize = 10_000;
/// The published step, and one at which Euler's method is no longer close to the flow.
const STEPS: [f32; 2] = [0.1, 0.3];

type Game<'a> = Gan<'a, Mlp, Mlp, f32>;

/// The generator's quality along the way.
struct Run {
    name: &'static str,
    outcome: String,
    samples: Array2<f32>,
    /// (thousands of steps, mean distance of a sample to the nearest mode).
    history: Vec<(f64, f64)>,
}

struct Plan {
    steps: usize,
    h: f32,
}

fn samples(generator: &Mlp, theta: &Array1<f32>) -> Result<Array2<f32>> {
    let phi = theta.slice(ndarray::s![..generator.n_params()]);
    let mut x = Array2::zeros((SAMPLES, 2));
    let noise = normal((SAMPLES, Network::<f32>::inputs(generator)), 1_000);
    generator.forward(&phi, &noise, &mut x, &mut generator.lean_tape(SAMPLES))?;
    Ok(x)
}

fn train<I: Integrator<Array1<f32>>>(
    name: &'static str,
    (game, generator): (Game<'_>, &Mlp),
    integrator: I,
    plan: &Plan,
    (mixture, seed): (&Mixture, u64),
) -> Result<Run> {
    const LOOKS: usize = 20;
    let mut theta = game.init(seed);
    let progress = bar(plan.steps, name);
    let schedule = Schedule::cosine(plan.steps as u64);
    let mut flow = Flow::new(game, integrator).controller(schedule).on_step(|p| {
        if p.step % 100 == 0 {
            progress.set_position(p.step);
        }
        ControlFlow::Continue(())
    });
    let mut run = Run { name, outcome: String::new(), samples: samples(generator, &theta)?, history: vec![] };
    for look in 1..=LOOKS {
        let part = plan.steps / LOOKS;
        match flow.steps(part, plan.h, &mut theta) {
            Ok(()) => {}
            Err(Error::Diverged { step, .. }) => {
                run.outcome = format!("not finite after step {step}");
                break;
            }
            Err(e) => return Err(e),
        }
        run.samples = samples(generator, &theta)?;
        run.history.push(((look * part) as f64 / 1000.0, mixture.distance(&run.samples)));
    }
    progress.finish_and_clear();
    Ok(run)
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    let (mixture, seed) = (Mixture::ring(1.5), options.seed);
    let relu =
        |inputs, widths: &[usize], outputs| Mlp::new(inputs, widths, outputs).activation(Activation::Relu);
    let (generator, critic) = (relu(32, &[25, 25], 2), relu(2, &[25, 25], 1));
    let ode_gan = || -> Game<'_> {
        Gan::new(&generator, &critic, &mixture.data, 512).regulariser(Regulariser::OdeGan(0.07)).seed(seed)
    };
    spectra(&mut ode_gan(), seed)?;

    let steps = if options.quick { 400 } else { 10_000 };
    let at = (&mixture, seed);
    let [published, large_step] = STEPS.map(|h| Plan { steps, h });
    let (wide, wide_critic) = (relu(2, &[128; 3], 2), relu(2, &[128; 3], 1));
    let small_ring = Mixture::ring(1.0);
    let large = Gan::new(&wide, &wide_critic, &small_ring.data, 256).loss(GanLoss::NonSaturating);
    let large = large.penalty(Penalty::zero_centred(PenaltyPoints::Interpolates, 0.02)).seed(seed);
    let adam = Plan { steps: if options.quick { 600 } else { 10_000 }, h: 2e-3 };
    let runs = [
        train("Euler, h = 0.1", (ode_gan(), &generator), Euler::new(), &published, at)?,
        train("RK4, h = 0.1", (ode_gan(), &generator), Rk4::new(), &published, at)?,
        train("Euler, h = 0.3", (ode_gan(), &generator), Euler::new(), &large_step, at)?,
        train("RK4, h = 0.3", (ode_gan(), &generator), Rk4::new(), &large_step, at)?,
        train("Adam, 3 x 128", (large, &wide), Adam::default().betas(0.5, 0.99), &adam, (&small_ring, seed))?,
    ];
    println!("\n{:16} | {}", "", Quality::HEADER);
    let rings = [&mixture, &mixture, &mixture, &mixture, &small_ring];
    for (run, ring) in runs.iter().zip(rings) {
        println!("{:16} | {}   {}", run.name, ring.measure(&run.samples)?.row(), run.outcome);
    }
    println!("W2 in radii; of samples of the mixture itself: {:.3}", mixture.floor()?);
    draw(&options, &rings, &runs)
}

/// The largest eigenvalues, and what a step of Euler and of RK4 does to them.
fn spectra(game: &mut Game<'_>, seed: u64) -> Result<()> {
    let theta = game.init(seed);
    game.redraw();
    let all = spectrum(game, &theta, 30, seed)?;
    print!("{:>22} |", "eigenvalue");
    STEPS.iter().for_each(|h| print!(" growth a step of {h}: {:>7} {:>9} |", "Euler", "RK4"));
    println!();
    for mu in all.iter().filter(|mu| mu.im >= 0.0).take(5) {
        print!("{:>10.4} {:>+9.4} i |", mu.re, mu.im);
        for h in STEPS {
            let z = f64::from(h) * mu;
            let (euler, rk4) = (amplification(Euler::new(), z)?, amplification(Rk4::new(), z)?);
            print!("{euler:>29.4} {rk4:>9.3} |");
        }
        println!();
    }
    Ok(())
}

fn draw(options: &Options, rings: &[&Mixture], runs: &[Run]) -> common::picture::Drawn {
    let cut = |x: &Array2<f32>| points(x).into_iter().take(3000).collect::<Vec<_>>();
    let data: Vec<_> = rings.iter().map(|ring| cut(&ring.data)).collect();
    let clouds: Vec<_> = runs.iter().map(|run| cut(&run.samples)).collect();
    let mut all: Vec<Panel<'_>> = runs
        .iter()
        .zip(clouds.iter().zip(&data))
        .map(|(run, (cloud, data))| Panel {
            title: run.name,
            axes: ("x", "y"),
            range: Some([-2.2, 2.2, -2.2, 2.2]),
            layers: vec![Layer::Dots(data, GREY, 1), Layer::Dots(cloud, VERMILION, 1)],
        })
        .collect();
    all.push(Panel {
        title: "h = 0.3: Euler vermilion, RK4 blue",
        axes: ("thousands of steps", "mean distance to the nearest mode"),
        range: None,
        layers: vec![Layer::Line(&runs[2].history, VERMILION), Layer::Line(&runs[3].history, BLUE)],
    });
    let file = options.file("gan_8gaussians.png")?;
    panels(&file, (460, 460), &all)?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
