//! Synthetic rows of a small real table, and whether they can be told from real ones.

#[path = "common/mod.rs"]
mod common;

use std::path::Path;

use common::options::Options;
use common::stop::{on_ctrl_c, train_with_bar};
use flowfield::checkpoint::load_average;
use flowfield::dataset::{Standard, normal, read_table, write_table};
use flowfield::integrate::{Adam, Ema, Rk4, Schedule};
use flowfield::matching::{Coupling, Matching, Sampler};
use flowfield::metric::{classifier_test, energy_distance, precision_recall};
use flowfield::nn::{Mlp, Network, one_hot};
use flowfield::{Flow, Result};
use ndarray::{Array1, Array2, Axis, concatenate, s};

const ABOUT: &str = "tabular_wine: synthetic rows of the UCI wine table (178 wines of three growers, 13 measurements)

Trains a class-conditional flow on two thirds of the rows and draws synthetic ones. Prints, for the flow, for an
independent normal in each column and class, and for the real training rows: how well a classifier tells them from
the held-out rows (accuracy 0.5: not at all) with the p-value of that, the energy distance to the held-out rows, and
precision and recall by nearest neighbours. Writes wine_synthetic.csv, in the units of the table, and wine.safetensors,
the training's checkpoint; Ctrl-C stops the training safely.";

const CLASSES: usize = 3;

/// A part of the table: classes, and columns brought to mean 0 and variance 1.
struct Rows {
    x: Array2<f32>,
    labels: Vec<usize>,
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    on_ctrl_c();
    let table: Array2<f32> =
        read_table(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/wine.csv"))?;
    let standard = Standard::of(&table.slice(s![.., 1..]).to_owned())?;
    let (train, held_out) = split(&table, &standard)?;
    let (net, theta) = fit(&train, &options)?;

    let n = 40 * held_out.labels.len();
    let labels: Vec<usize> = (0..n).map(|i| held_out.labels[i % held_out.labels.len()]).collect();
    let classes = one_hot(&labels, CLASSES)?;
    let noise = normal((n, train.x.ncols()), options.seed + 9);
    let synthetic = Sampler::new(&net, &theta).condition(&classes).decode(&noise, Rk4::new)?;

    println!(
        "{:24} {:>9} {:>9} {:>9} {:>10} {:>8}",
        "rows", "accuracy", "p-value", "energy", "precision", "recall"
    );
    report("flow", &synthetic, &held_out.x, options.seed)?;
    report("normal in each column", &columns(&train, &labels, options.seed)?, &held_out.x, options.seed)?;
    report("real training rows", &train.x, &held_out.x, options.seed)?;

    let file = options.file("wine_synthetic.csv")?;
    let few = s![..held_out.labels.len(), ..];
    let class = Array2::from_shape_fn((held_out.labels.len(), 1), |(i, _)| labels[i] as f32);
    let rows = standard.undo(&synthetic.slice(few).to_owned())?;
    write_table(&file, &concatenate![Axis(1), class, rows])?;
    eprintln!("wrote {}", file.display());
    Ok(())
}

/// Every third row is held out; the table is sorted by class, so that each class is split alike.
fn split(table: &Array2<f32>, standard: &Standard<f32>) -> Result<(Rows, Rows)> {
    let part = |keep: fn(usize) -> bool| -> Result<Rows> {
        let rows: Vec<usize> = (0..table.nrows()).filter(|&i| keep(i)).collect();
        let part = table.select(Axis(0), &rows);
        let labels = part.column(0).iter().map(|&c| c as usize).collect();
        Ok(Rows { x: standard.apply(&part.slice(s![.., 1..]).to_owned())?, labels })
    };
    Ok((part(|i| i % 3 != 0)?, part(|i| i % 3 == 0)?))
}

fn fit(
    train: &Rows,
    options: &Options,
) -> std::result::Result<(Mlp, Array1<f32>), Box<dyn std::error::Error>> {
    let steps = if options.quick { 200 } else { 3000 };
    let steps = options.epochs.map_or(steps, |e| (e * train.labels.len()).div_ceil(64));
    let classes = one_hot(&train.labels, CLASSES)?;
    let net = Mlp::velocity(train.x.ncols(), &[128, 128]).condition(CLASSES);
    let mut theta = net.init(options.seed);
    let field = Matching::new(&net, &train.x, 64)
        .condition(&classes)
        .condition_dropout(0.1)
        .coupling(Coupling::Optimal)
        .seed(options.seed);
    let mut flow =
        Flow::new(field, Ema::new(Adam::with_decay(0.1), 0.99)).controller(Schedule::cosine(steps as u64));
    if !train_with_bar("wine", &mut flow, steps, 1e-3, &mut theta)? {
        eprintln!("stopped: going on with the average of the parameters so far");
    }
    let file = options.file("wine.safetensors")?;
    flow.save(&net, &theta, &file)?;
    drop(flow);
    let average = load_average(&net, &file)?;
    Ok((net, average))
}

/// The simplest thing that could work: each column of each class by itself.
fn columns(train: &Rows, labels: &[usize], seed: u64) -> Result<Array2<f32>> {
    let of_class = |class: usize| {
        let rows: Vec<usize> = (0..train.labels.len()).filter(|&i| train.labels[i] == class).collect();
        Standard::of(&train.x.select(Axis(0), &rows))
    };
    let standards = (0..CLASSES).map(of_class).collect::<Result<Vec<_>>>()?;
    let z = normal::<f32>((labels.len(), train.x.ncols()), seed + 10);
    Ok(Array2::from_shape_fn(z.raw_dim(), |(i, k)| {
        let standard = &standards[labels[i]];
        standard.mean[k] + standard.scale[k] * z[[i, k]]
    }))
}

/// The classifier sees as many rows of each kind; its verdicts are averaged over several draws of them.
fn report(name: &str, rows: &Array2<f32>, held_out: &Array2<f32>, seed: u64) -> Result<()> {
    let n = held_out.nrows();
    let draws = (rows.nrows() / n).max(1);
    let (mut accuracy, mut p) = (0.0, 0.0);
    for k in 0..draws {
        let part = rows.slice(s![k * n..((k + 1) * n).min(rows.nrows()), ..]).to_owned();
        let test = classifier_test(&part, held_out, seed + k as u64)?;
        (accuracy, p) = (accuracy + test.accuracy / draws as f64, p + test.p_value / draws as f64);
    }
    let few = rows.slice(s![..rows.nrows().min(2 * n), ..]).to_owned();
    let both = precision_recall(&few, held_out, 3)?;
    let energy = energy_distance(rows, held_out)?;
    println!(
        "{name:24} {accuracy:>9.3} {p:>9.3} {energy:>9.4} {:>10.3} {:>8.3}",
        both.precision, both.recall
    );
    Ok(())
}
