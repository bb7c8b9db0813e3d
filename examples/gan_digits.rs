//! A GAN that writes digits.

#[path = "common/mod.rs"]
mod common;
#[allow(dead_code)]
#[path = "reflow_digits/digits.rs"]
mod digits;

use std::ops::ControlFlow;

use common::options::Options;
use common::picture::{ImageRow, image_grid};
use common::progress::bar;
use digits::{Digits, PIXELS};
use flowfield::dataset::normal;
use flowfield::game::{Gan, Penalty, PenaltyPoints};
use flowfield::integrate::{Adam, Ema, Schedule};
use flowfield::metric::energy_distance;
use flowfield::nn::{Activation, Mlp, Network};
use flowfield::{Flow, Result};
use ndarray::{Array1, Array2, s};

const ABOUT: &str = "gan_digits: a generator and a critic on the 8 x 8 digits of examples/data

Trains both players as one field by Adam, and prints the energy distance of samples to held-out digits as a multiple of the
distance between training and held-out digits (1 = as close as real digits). Writes gan_digits.png: real digits above,
samples below.";

const LATENTS: usize = 16;
const BATCH: usize = 256;
const SAMPLES: usize = 1000;

fn train(digits: &Digits, generator: &Mlp, critic: &Mlp, options: &Options) -> Result<Array1<f32>> {
    let default = if options.quick { 60 } else { 2_000 };
    let steps = (options.epochs.unwrap_or(default) * digits.train.nrows()).div_ceil(BATCH);
    let game = Gan::new(generator, critic, &digits.train, BATCH)
        .penalty(Penalty::zero_centred(PenaltyPoints::Interpolates, 0.5))
        .seed(options.seed);
    let mut theta = game.init(options.seed);
    let progress = bar(steps, "generator and critic");
    let average = Ema::new(Adam::default().betas(0.5, 0.99), 0.998);
    let mut flow = Flow::new(game, average).controller(Schedule::cosine(steps as u64)).on_step(|p| {
        progress.set_position(p.step);
        ControlFlow::Continue(())
    });
    flow.steps(steps, 1e-3, &mut theta)?;
    let average = flow.integrator().average().unwrap_or(&theta);
    let phi = flow.field().generator_part(average);
    progress.finish_and_clear();
    Ok(phi)
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    let digits = Digits::load(options.seed)?;
    let net = |inputs, outputs| Mlp::new(inputs, &[256, 256], outputs).activation(Activation::Relu);
    let (generator, critic) = (net(LATENTS, PIXELS), net(PIXELS, 1));
    let phi = train(&digits, &generator, &critic, &options)?;
    let mut x = Array2::<f32>::zeros((SAMPLES, PIXELS));
    let noise = normal((SAMPLES, LATENTS), options.seed + 100);
    generator.forward(&phi, &noise, &mut x, &mut generator.lean_tape(SAMPLES))?;

    let n = SAMPLES.min(digits.train.nrows());
    let real = energy_distance(&digits.train.slice(s![..n, ..]).to_owned(), &digits.held_out)?;
    let ratio = energy_distance(&x, &digits.held_out)? / real;
    if options.json {
        println!("{{\"energy_distance_ratio\":{ratio:.6}}}");
    } else {
        println!(
            "energy distance of {SAMPLES} samples to held-out digits: {ratio:.2} times that of training digits"
        );
    }
    let file = options.file("gan_digits.png")?;
    let columns: Vec<String> = vec![String::new(); 12];
    let row = |name: &str, images: &Array2<f32>, first: usize| ImageRow {
        name: name.into(),
        images: images
            .slice(s![12 * first..12 * (first + 1), ..])
            .rows()
            .into_iter()
            .map(|r| r.to_vec())
            .collect(),
    };
    let mut rows = vec![row("real", &digits.held_out, 0), row("", &digits.held_out, 1)];
    rows.extend((0..6).map(|k| row(if k == 0 { "generated" } else { "" }, &x, k)));
    image_grid(&file, 8, 7, &columns, &rows)?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
