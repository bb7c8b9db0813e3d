//! The table and the pictures.

use std::path::PathBuf;

use flowfield::dataset::normal;
use flowfield::integrate::{Euler, Tsit5};
use flowfield::matching::straightness;
use flowfield::nn::{Mlp, Network, one_hot};
use flowfield::{Flow, Result};
use ndarray::{Array1, Array2, s};

use crate::common::options::Options;
use crate::common::picture::{ImageRow, image_grid};
use crate::digits::{CLASSES, Digits, PIXELS};
use crate::quality::{Quality, Yardstick};
use crate::stages::{Budget, Stages};

/// Numbers of Euler steps, one evaluation each.
const STEPS: [usize; 5] = [1, 2, 4, 8, 100];

/// Quality of one model at each number of evaluations, and how straight it flows.
struct Row {
    model: &'static str,
    cells: Vec<(String, Quality)>,
    straightness: f64,
    path_energy: f64,
}

pub struct Report {
    rows: Vec<Row>,
    accuracy: f64,
}

impl Report {
    pub fn measure(digits: &Digits, stages: &Stages, budget: &Budget, seed: u64) -> Result<Report> {
        let yardstick = Yardstick::new(digits, budget.samples)?;
        let labels: Vec<usize> = (0..budget.samples).map(|i| i % CLASSES).collect();
        let noise = normal((budget.samples, PIXELS), seed + 100);
        let classes = one_hot(&labels, CLASSES)?;
        let mut rows = Vec::new();
        for (model, theta) in &stages.models {
            let mut cells = Vec::new();
            for n in STEPS {
                let x = euler(&stages.net, theta, &noise, &classes, n)?;
                cells.push((n.to_string(), yardstick.measure(&x, &labels)?));
            }
            let (x, evals) = adaptive(&stages.net, theta, &noise, &classes)?;
            cells.push((format!("adaptive ({evals})"), yardstick.measure(&x, &labels)?));
            let s = straightness(stages.net.field(theta).condition(&classes), &noise, 20)?;
            rows.push(Row { model, cells, straightness: s.straightness, path_energy: s.path_energy });
        }
        Ok(Report { rows, accuracy: yardstick.accuracy })
    }

    pub fn print_table(&self, digits: &Digits) {
        println!("Digits: {} for training, {} held out.", digits.train.nrows(), digits.held_out.nrows());
        println!(
            "An entry: energy distance to held-out digits in units of that of real training digits, and the share"
        );
        println!(
            "of samples recognised as the class asked for (real held-out digits: {:.1} %).",
            100.0 * self.accuracy
        );
        println!("\n{:12} | evaluations", "");
        print!("{:12}", "flow");
        for n in STEPS {
            print!(" | {n:>14}");
        }
        println!(" | {:>22} | {:>12}", "adaptive", "straightness");
        for row in &self.rows {
            print!("{:12}", row.model);
            for (name, q) in &row.cells {
                let evals = name.strip_prefix("adaptive").unwrap_or("");
                let entry = format!("{:.2} {:5.1} %{evals}", q.distance, 100.0 * q.share);
                print!(" | {entry:>width$}", width = if evals.is_empty() { 14 } else { 22 });
            }
            println!(" | {:>12.3}", row.straightness);
        }
        println!(
            "\nThe distilled flow is trained for its single step alone. Straightness 0: every path a straight line."
        );
    }

    pub fn print_json(&self) {
        for row in &self.rows {
            for (evals, q) in &row.cells {
                println!(
                    "{{\"model\":\"{}\",\"evals\":\"{evals}\",\"energy_distance_ratio\":{:.6},\"class_share\":{:.6}}}",
                    row.model, q.distance, q.share
                );
            }
            println!(
                "{{\"model\":\"{}\",\"straightness\":{:.6},\"path_energy\":{:.6},\"classifier_accuracy\":{:.6}}}",
                row.model, row.straightness, row.path_energy, self.accuracy
            );
        }
    }

    /// Writes the pictures and says where.
    pub fn draw(
        &self,
        digits: &Digits,
        stages: &Stages,
        options: &Options,
    ) -> std::result::Result<Vec<PathBuf>, Box<dyn std::error::Error>> {
        let samples = options.file("digits_samples.png")?;
        let names: Vec<String> = (0..CLASSES).map(|c| c.to_string()).collect();
        image_grid(&samples, 8, 7, &names, &sample_rows(digits, stages, options.seed)?)?;
        let paths = options.file("digits_paths.png")?;
        let times: Vec<String> = PATH_TIMES.iter().map(|t| format!("{t:.2}")).collect();
        image_grid(&paths, 8, 8, &times, &path_rows(stages, options.seed)?)?;
        Ok(vec![samples, paths])
    }
}

fn euler(
    net: &Mlp,
    theta: &Array1<f32>,
    noise: &Array2<f32>,
    classes: &Array2<f32>,
    n: usize,
) -> Result<Array2<f32>> {
    let mut x = noise.clone();
    Flow::new(net.field(theta).condition(classes), Euler::new()).steps(n, 1.0 / n as f32, &mut x)?;
    Ok(x)
}

fn adaptive(
    net: &Mlp,
    theta: &Array1<f32>,
    noise: &Array2<f32>,
    classes: &Array2<f32>,
) -> Result<(Array2<f32>, u64)> {
    let mut flow = Flow::new(net.field(theta).condition(classes), Tsit5::new()).tol(1e-3).save_last();
    let sol = flow.solve(0.0, 1.0, noise.clone())?;
    Ok((sol.y_end().clone(), sol.stats.evals))
}

/// Real digits, then two rows of samples for each model at 1, 4 and 100 evaluations: a column a class.
fn sample_rows(digits: &Digits, stages: &Stages, seed: u64) -> Result<Vec<ImageRow>> {
    const LINES: usize = 2;
    let labels: Vec<usize> = (0..LINES * CLASSES).map(|i| i % CLASSES).collect();
    let classes = one_hot(&labels, CLASSES)?;
    let noise = normal((labels.len(), PIXELS), seed + 200);
    let real = (0..CLASSES).map(|c| {
        let i = digits.held_out_labels.iter().position(|&l| l == c).unwrap_or(0);
        digits.held_out.row(i).to_vec()
    });
    let mut rows = vec![ImageRow { name: "real".into(), images: real.collect() }];
    for (model, theta) in &stages.models {
        for n in [1, 4, 100] {
            let x = euler(&stages.net, theta, &noise, &classes, n)?;
            for line in 0..LINES {
                let images = x.slice(s![line * CLASSES..(line + 1) * CLASSES, ..]);
                let name = if line == 0 {
                    format!("{model}, {n} step{}", if n == 1 { "" } else { "s" })
                } else {
                    String::new()
                };
                rows.push(ImageRow { name, images: images.rows().into_iter().map(|r| r.to_vec()).collect() });
            }
        }
    }
    Ok(rows)
}

const PATH_TIMES: [f32; 9] = [0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0];

/// The way of a few samples from noise to digit under the first two flows.
fn path_rows(stages: &Stages, seed: u64) -> Result<Vec<ImageRow>> {
    let labels = [2, 3, 5, 8];
    let classes = one_hot(&labels, CLASSES)?;
    let noise: Array2<f32> = normal((labels.len(), PIXELS), seed + 300);
    let mut rows = Vec::new();
    for (model, theta) in &stages.models[..2] {
        let field = stages.net.field(theta).condition(&classes);
        let sol =
            Flow::new(field, Tsit5::new()).tol(1e-3).save_at(&PATH_TIMES).solve(0.0, 1.0, noise.clone())?;
        for (i, label) in labels.iter().enumerate() {
            let images = sol.y.iter().map(|x| x.row(i).to_vec()).collect();
            rows.push(ImageRow { name: format!("{model}: {label}"), images });
        }
    }
    Ok(rows)
}
