//! The main job: a rectified flow learns to write digits, is straightened, and ends up needing one step.
//!
//! Trains a class-conditional velocity network on the 8 × 8 digits of `examples/data`, reflows it on its own pairs,
//! distils it to one Euler step, and prints how good its samples are at 1 to 100 evaluations.

#[path = "../common/mod.rs"]
mod common;
mod digits;
mod quality;
mod report;
mod stages;

use common::options::Options;
use digits::Digits;
use report::Report;
use stages::{Budget, Stages};

const ABOUT: &str = "reflow_digits: a rectified flow on real digits, from noise to one-step samples

Trains the 1-rectified flow, reflows it to the 2-rectified flow, distils that to one step. Prints a table of sample
quality: the energy distance to held-out digits as a multiple of the distance between training and held-out digits
(1 = as close as real digits), and the share of samples that a nearest-neighbour classifier of real digits assigns
to the class that was asked for. Writes digits_samples.png and digits_paths.png.";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    let digits = Digits::load(options.seed)?;
    let budget = Budget::new(&options, digits.train.nrows());
    let stages = Stages::run(&digits, &budget, options.seed)?;
    let report = Report::measure(&digits, &stages, &budget, options.seed)?;
    if options.json {
        report.print_json()
    } else {
        report.print_table(&digits)
    }
    for file in report.draw(&digits, &stages, &options)? {
        eprintln!("wrote {}", file.display());
    }
    Ok(())
}
