//! A velocity network of the digits 0 to 4, fine-tuned to 5 to 9 by increments of low rank.

#[path = "common/mod.rs"]
mod common;
#[path = "reflow_digits/digits.rs"]
#[allow(dead_code)]
mod digits;

use std::time::Instant;

use common::options::Options;
use common::picture::{ImageRow, image_grid};
use common::progress::bar;
use digits::{Digits, PIXELS};
use flowfield::dataset::normal;
use flowfield::integrate::{Adam, Euler, Schedule};
use flowfield::low_rank::LoraScale;
use flowfield::matching::Matching;
use flowfield::metric::energy_distance;
use flowfield::nn::{Lora, Mlp, Network};
use flowfield::{Flow, Result};
use ndarray::{Array1, Array2, Axis};

const ABOUT: &str = "lora_finetune_digits: from the digits 0 to 4 to the digits 5 to 9 by low-rank increments

Trains a velocity network on the digits 0 to 4, then moves it to 5 to 9: all parameters, or LoRA factors of rank 2, 4 and 8, by the same
flow and the same number of steps; the factors are merged back. Prints parameters moved, seconds, and the energy distance of
samples to held-out digits 5 to 9 in units of that of real ones. Writes lora_finetune_digits.png: samples, a row a network.";

struct Tuned {
    name: String,
    moved: usize,
    seconds: f64,
    theta: Array1<f32>,
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    let (first, second) = if options.quick { (300, 150) } else { (8000, 4000) };
    let digits = Digits::load(options.seed)?;
    let choose = |images: &Array2<f32>, labels: &[usize], low: bool| {
        let rows: Vec<usize> = (0..labels.len()).filter(|&i| (labels[i] < 5) == low).collect();
        images.select(Axis(0), &rows)
    };
    let before = choose(&digits.train, &digits.train_labels, true);
    let after = choose(&digits.train, &digits.train_labels, false);
    let held_out = choose(&digits.held_out, &digits.held_out_labels, false);

    let net = Mlp::velocity(PIXELS, &[256, 256, 256]);
    let mut base = net.init(options.seed);
    train("digits 0 to 4", &net, &before, first, 1e-3, &mut base)?;

    let mut all = vec![Tuned { name: "before".into(), moved: 0, seconds: 0.0, theta: base.clone() }];
    let (mut theta, clock) = (base.clone(), Instant::now());
    train("all parameters", &net, &after, second, 1e-3, &mut theta)?;
    let moved = net.n_params();
    all.push(Tuned { name: "all parameters".into(), moved, seconds: clock.elapsed().as_secs_f64(), theta });
    for rank in [2, 4, 8] {
        let lora = Lora::new(&net, &base, rank, LoraScale::RankStabilized { alpha: 4.0 });
        let (mut phi, clock) = (lora.init(options.seed + rank as u64), Instant::now());
        train(&format!("LoRA, rank {rank}"), &lora, &after, second, 2e-3, &mut phi)?;
        let seconds = clock.elapsed().as_secs_f64();
        all.push(Tuned {
            name: format!("LoRA, rank {rank}"),
            moved: phi.len(),
            seconds,
            theta: lora.merge(&phi)?,
        });
    }
    report(&options, &net, &all, &after, &held_out)
}

/// Adam with a cosine schedule.
fn train<N: Network<f32>>(
    name: &str,
    net: &N,
    data: &Array2<f32>,
    steps: usize,
    rate: f32,
    theta: &mut Array1<f32>,
) -> Result<()> {
    let mut training =
        Flow::new(Matching::new(net, data, 128), Adam::default()).controller(Schedule::cosine(steps as u64));
    let bar = bar(steps, name);
    for done in (0..steps).step_by(50) {
        let n = 50.min(steps - done);
        training.steps(n, rate, theta)?;
        bar.set_message(format!("loss {:.4}", training.field_mut().mean_loss()));
        bar.inc(n as u64);
    }
    bar.finish();
    Ok(())
}

fn report(
    options: &Options,
    net: &Mlp,
    all: &[Tuned],
    train: &Array2<f32>,
    held_out: &Array2<f32>,
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let unit = energy_distance(train, held_out)?;
    println!("{:16} {:>12} {:>9} {:>9} {:>16}", "", "parameters", "share", "seconds", "energy distance");
    let mut rows = Vec::new();
    for tuned in all {
        let mut x: Array2<f32> = normal((500, PIXELS), options.seed + 7);
        Flow::new(net.field(&tuned.theta), Euler::new()).steps(50, 0.02, &mut x)?;
        let distance = energy_distance(&x, held_out)? / unit;
        let share = 100.0 * tuned.moved as f64 / net.n_params() as f64;
        println!(
            "{:16} {:>12} {share:>8.1}% {:>9.1} {distance:>16.2}",
            tuned.name, tuned.moved, tuned.seconds
        );
        let images = x.rows().into_iter().take(16).map(|row| row.to_vec()).collect();
        rows.push(ImageRow { name: tuned.name.clone(), images });
    }
    let file = options.file("lora_finetune_digits.png")?;
    image_grid(&file, 8, 5, &vec![String::new(); 16], &rows)?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
