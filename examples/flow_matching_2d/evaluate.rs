//! W2 with its floor, path energy, and the table.

use flowfield::integrate::{Euler, Tsit5};
use flowfield::matching::{normalised_path_energy, straightness};
use flowfield::metric::w2;
use flowfield::nn::Network;
use flowfield::{Flow, Result};
use ndarray::{Array2, s};

use crate::methods::{Fit, Method};
use crate::sets::{Law, Sets};
use crate::settings::{Protocol, Settings};

/// The test points, with what does not depend on the method.
pub struct Yardstick<'a> {
    sets: &'a Sets,
    protocol: &'a Protocol,
    floor: f64,
    /// Squared distance between source and target.
    apart: f64,
}

/// One run's numbers.
#[derive(Debug, Clone)]
pub struct Score {
    pub pair: (Law, Law),
    pub method: Method,
    pub seed: u64,
    pub w2: f64,
    pub floor: f64,
    /// After a single Euler step, on up to 2000 points.
    pub one_step: f64,
    pub npe: f64,
    pub seconds: f64,
}

impl<'a> Yardstick<'a> {
    pub fn new(sets: &'a Sets, protocol: &'a Protocol) -> Result<Self> {
        let (mut floor, mut apart, n) = (0.0, 0.0, sets.tests.len() as f64);
        for test in &sets.tests {
            floor += w2(&test.other, &test.target)? / n;
            apart += w2(&test.source, &test.target)?.powi(2) / n;
        }
        Ok(Yardstick { sets, protocol, floor, apart })
    }

    pub fn measure(&self, fit: &Fit, pair: (Law, Law), method: Method, seed: u64) -> Result<Score> {
        let (mut far, mut one_step, mut energy) = (0.0, 0.0, 0.0);
        let n = self.sets.tests.len() as f64;
        for test in &self.sets.tests {
            far += w2(&self.follow(fit, &test.source)?, &test.target)? / n;
            let few = s![..test.source.nrows().min(2000), ..];
            let (from, to) = (test.source.slice(few).to_owned(), test.target.slice(few).to_owned());
            one_step += w2(&euler(fit, &from, 1)?, &to)? / n;
            energy += straightness(fit.net.field(&fit.theta), &test.source, 50)?.path_energy / n;
        }
        Ok(Score {
            pair,
            method,
            seed,
            w2: far,
            floor: self.floor,
            one_step,
            npe: normalised_path_energy(energy, self.apart)?,
            seconds: fit.seconds,
        })
    }

    fn follow(&self, fit: &Fit, from: &Array2<f32>) -> Result<Array2<f32>> {
        if !self.protocol.tutorial {
            return euler(fit, from, 100);
        }
        let mut flow = Flow::new(fit.net.field(&fit.theta), Tsit5::new()).tol(1e-5).save_last();
        Ok(flow.solve(0.0, 1.0, from.clone())?.y_end().clone())
    }
}

fn euler(fit: &Fit, from: &Array2<f32>, n: usize) -> Result<Array2<f32>> {
    let mut x = from.clone();
    Flow::new(fit.net.field(&fit.theta), Euler::new()).steps(n, 1.0 / n as f32, &mut x)?;
    Ok(x)
}

impl Score {
    pub fn line(&self) -> String {
        format!(
            "{:22} {:7} seed {}: W2 {:.3} (floor {:.3}), one step {:.3}, NPE {:.3}, {:.1} s",
            name(self.pair),
            self.method.name(),
            self.seed,
            self.w2,
            self.floor,
            self.one_step,
            self.npe,
            self.seconds
        )
    }

    pub fn print_json(&self) {
        println!(
            "{{\"pair\":\"{}\",\"method\":\"{}\",\"seed\":{},\"w2\":{:.6},\"floor\":{:.6},\"w2_euler1\":{:.6},\"npe\":{:.6},\"seconds\":{:.2}}}",
            name(self.pair),
            self.method.name(),
            self.seed,
            self.w2,
            self.floor,
            self.one_step,
            self.npe,
            self.seconds
        );
    }
}

fn name((source, target): (Law, Law)) -> String {
    format!("{}->{}", source.name(), target.name())
}

/// Mean and standard deviation over the seeds.
fn spread(values: impl Iterator<Item = f64> + Clone) -> String {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    let std = (values.map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt();
    format!("{mean:.3} ± {std:.3}")
}

pub fn print_table(settings: &Settings, scores: &[Score]) {
    let columns = ["W2", "floor", "W2, one step", "NPE", "seconds"];
    print!("{:20} {:7}", "pair", "method");
    columns.iter().for_each(|c| print!(" | {c:>14}"));
    println!();
    for &pair in &settings.pairs {
        for &method in &settings.methods {
            let of = |value: fn(&Score) -> f64| {
                spread(scores.iter().filter(|s| s.pair == pair && s.method == method).map(value))
            };
            print!("{:20} {:7}", name(pair), method.name());
            let cells = [of(|s| s.w2), of(|s| s.floor), of(|s| s.one_step), of(|s| s.npe), of(|s| s.seconds)];
            cells.iter().for_each(|c| print!(" | {c:>14}"));
            println!();
        }
    }
}
