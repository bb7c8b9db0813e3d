//! Flow matching in the plane by the protocol of the OT-CFM paper: a table of W2 and path energy.

#[path = "../common/mod.rs"]
mod common;
mod evaluate;
mod methods;
mod sets;
mod settings;

use evaluate::{Score, Yardstick};
use settings::Settings;

const ABOUT: &str = "flow_matching_2d: couplings and reflow on pairs of laws in the plane

Trains a velocity network (3 x 64 SELU) for each method, pair of laws and seed, and prints mean and standard deviation
over the seeds of: W2 between generated and held-out points, beside its finite-sample floor; the normalised path
energy |E int |v|^2 dt - W2^2| / W2^2; W2 after a single Euler step; and the seconds of training.

  --protocol paper     10,000 points for training and test each, batch 512, 19,000 steps, Euler 100 (Tong et al. 2024)
  --protocol tutorial  the laws of TorchCFM's tutorial, batch 256, 20,000 steps, adaptive solver, W2 on 2000 points
  --method LIST        of cfm, otcfm, sbcfm, reflow (default: all)
  --source LIST        of normal, moons; --target LIST of 8gaussians, moons, scurve (default: the paper's four pairs)
  --seeds N            seeds 42 .. 42 + N (default 5);  --seed S  the first seed instead of 42
  --steps N            training steps instead of the protocol's
  --quick              two pairs, one seed, few steps;  --json  a line for each run instead of the table";

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::read(ABOUT);
    let mut scores: Vec<Score> = Vec::new();
    for &(source, target) in &settings.pairs {
        for seed in settings.seeds() {
            let sets = sets::Sets::new(source, target, &settings.protocol, seed);
            let yardstick = Yardstick::new(&sets, &settings.protocol)?;
            let mut teacher = None;
            for &method in &settings.methods {
                let fit = method.train(&sets, &settings.protocol, seed, &mut teacher)?;
                let score = yardstick.measure(&fit, (source, target), method, seed)?;
                if settings.json {
                    score.print_json();
                } else {
                    eprintln!("{}", score.line());
                }
                scores.push(score);
            }
        }
    }
    if !settings.json {
        evaluate::print_table(&settings, &scores);
    }
    Ok(())
}
