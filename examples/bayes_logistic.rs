//! Bayesian logistic regression: SVGD and Langevin against the maximum a posteriori.

#[path = "common/mod.rs"]
mod common;

use common::options::Options;
use common::picture::{BLUE, GREY, Layer, Panel, VERMILION, panels};
use flowfield::Flow;
use flowfield::dataset::normal;
use flowfield::gradient::GradientFlow;
use flowfield::integrate::{Adam, EulerMaruyama, Proximal};
use flowfield::measure::{ScoreField, Svgd};
use flowfield::noise::Sde;
use ndarray::{Array1, Array2, Axis};

const ABOUT: &str = "bayes_logistic: the posterior of a logistic regression

Samples the posterior of a logistic regression with a N(0, 1) prior on a table of 569 tumours (30 measurements each, a third
held out) by SVGD and by unadjusted Langevin, and compares accuracy and log-likelihood on the held-out rows with those of the
maximum a posteriori. Writes bayes_logistic.png.";

/// Standardised measurements with a column of ones, and labels 0 or 1.
struct Table {
    x: Array2<f64>,
    y: Array1<f64>,
}

fn read() -> Result<Table, Box<dyn std::error::Error>> {
    let text = include_str!("data/breast_cancer.txt");
    let numbers = text.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    let all = Array2::from_shape_vec((numbers.len() / 31, 31), numbers)?;
    let (y, mut x) = (all.column(30).to_owned(), all);
    for mut column in x.columns_mut() {
        let mean = column.mean().unwrap_or(0.0);
        let std = column.std(0.0).max(1e-12);
        column.mapv_inplace(|v| (v - mean) / std);
    }
    x.column_mut(30).fill(1.0);
    Ok(Table { x, y })
}

impl Table {
    /// Every row whose number leaves a rest below or from 2 on when divided by 3.
    fn split(&self) -> (Table, Table) {
        let rows = |keep: bool| -> Vec<usize> { (0..self.y.len()).filter(|i| (i % 3 < 2) == keep).collect() };
        let part =
            |rows: &[usize]| Table { x: self.x.select(Axis(0), rows), y: self.y.select(Axis(0), rows) };
        (part(&rows(true)), part(&rows(false)))
    }

    /// `∇ log posterior` for each row of `theta`: the prior's, and that of all observations.
    fn score(&self, theta: &Array2<f64>, s: &mut Array2<f64>) {
        let mut residual = theta.dot(&self.x.t());
        for mut row in residual.rows_mut() {
            row.zip_mut_with(&self.y, |z, &y| *z = y - 1.0 / (1.0 + (-*z).exp()));
        }
        s.assign(&(residual.dot(&self.x) - theta));
    }

    /// Minus the log posterior of one theta, and its gradient.
    fn loss(&self, theta: &[f64], g: &mut [f64]) -> f64 {
        let row = Array2::from_shape_fn((1, theta.len()), |(_, k)| theta[k]);
        let mut score = row.clone();
        self.score(&row, &mut score);
        g.iter_mut().zip(&score).for_each(|(g, s)| *g = -s);
        let z = self.x.dot(&row.row(0));
        let fit: f64 =
            z.iter().zip(&self.y).map(|(z, y)| z.max(0.0) + (-z.abs()).exp().ln_1p() - y * z).sum();
        fit + 0.5 * row.iter().map(|t| t * t).sum::<f64>()
    }

    /// Accuracy and mean log-likelihood of the predictions, averaged over the rows of `theta`.
    fn judge(&self, theta: &Array2<f64>) -> (f64, f64) {
        let p = self.x.dot(&theta.t()).mapv(|z| 1.0 / (1.0 + (-z).exp()));
        let p = p.mean_axis(Axis(1)).unwrap_or_default();
        let n = self.y.len() as f64;
        let right = p.iter().zip(&self.y).filter(|(p, y)| (**p > 0.5) == (**y > 0.5)).count();
        let log: f64 =
            p.iter().zip(&self.y).map(|(p, y)| (y * p + (1.0 - y) * (1.0 - p)).max(1e-300).ln()).sum();
        (right as f64 / n, log / n)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    let (train, test) = read()?.split();
    let d = train.x.ncols();
    let (particles, steps) = if options.quick { (50, 200) } else { (100, 3000) };

    let mut map = Array1::zeros(d);
    let descent = GradientFlow::new(|theta: &[f64], g: &mut [f64]| train.loss(theta, g));
    Flow::new(descent, Proximal::new().tol(1e-8)).steps(3, 1e3, &mut map)?;
    let map = map.insert_axis(Axis(0));

    let posterior = |theta: &Array2<f64>, s: &mut Array2<f64>| train.score(theta, s);
    let mut svgd = normal::<f64>((particles, d), options.seed);
    Flow::new(Svgd::new(posterior), Adam::default()).steps(steps, 0.02, &mut svgd)?;

    // A thousandth of the prior's time scale: the likelihood is some hundred times steeper.
    let drift = ScoreField::new(posterior);
    let langevin = Sde::additive(drift, &[2.0_f64.sqrt()]).fresh(options.seed);
    let mut chains = normal::<f64>((particles, d), options.seed + 1);
    Flow::new(langevin, EulerMaruyama::new()).steps(2 * steps, 1e-3, &mut chains)?;

    println!("{:26} {:>9} {:>15}", "held-out rows", "accuracy", "log-likelihood");
    for (name, theta) in [("maximum a posteriori", &map), ("SVGD", &svgd), ("Langevin", &chains)] {
        let (accuracy, log) = test.judge(theta);
        println!("{name:26} {accuracy:9.4} {log:15.4}");
    }
    let spread = |x: &Array2<f64>| x.var_axis(Axis(0), 0.0).mean().unwrap_or(0.0).sqrt();
    println!(
        "mean posterior deviation of a coefficient: SVGD {:.3}, Langevin {:.3}",
        spread(&svgd),
        spread(&chains)
    );

    let points =
        |x: &Array2<f64>| -> Vec<(f64, f64)> { x.rows().into_iter().map(|r| (r[0], r[21])).collect() };
    let (a, b, c) = (points(&chains), points(&svgd), points(&map));
    let panel = Panel {
        title: "two coefficients: Langevin (grey), SVGD (blue), MAP (red)",
        axes: ("mean radius", "worst texture"),
        range: None,
        layers: vec![Layer::Dots(&a, GREY, 2), Layer::Dots(&b, BLUE, 2), Layer::Dots(&c, VERMILION, 6)],
    };
    let file = options.file("bayes_logistic.png")?;
    panels(&file, (640, 600), &[panel])?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
