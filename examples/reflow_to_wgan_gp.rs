//! From rectified flow to a Wasserstein GAN with a gradient penalty: the identities, and both objectives trained side by side.

#[path = "common/mod.rs"]
mod common;

use common::options::Options;
use common::picture::{BLUE, Layer, Panel, panels};
use flowfield::dataset::{eight_gaussians, normal};
use flowfield::game::{DiscriminatorFlow, Estimator, Gan, GanLoss, Penalty, PullBack};
use flowfield::integrate::{Adam, Ema, Euler, Schedule};
use flowfield::nn::{Activation, Mlp, Network};
use flowfield::{Flow, ParameterFlow, Result, VectorField};
use ndarray::{Array1, Array2, Axis};
use plotters::style::RGBColor;

const ABOUT: &str = "reflow_to_wgan_gp: the rectified-flow loss of a gradient is the objective of a Wasserstein GAN

For a potential D without time, on the straight path x(t) from a generated row x0 to a real row x1,
  E int 1/2 |grad D(x(t)) - (x1 - x0)|^2 dt = E D(x0) - E D(x1) + 1/2 E int |grad D(x(t))|^2 dt + const:
rectified flow on the left, a critic with a gradient penalty on the right. Prints this and three more identities as a table with
their residuals; then trains the same critic by both forms, from points inside the paths and from their ends, and compares
the landscapes. Writes reflow_to_wgan_gp.png.";

const ROWS: usize = 64;

/// Nodes and weights of the midpoint rule on [0, 1], whose error falls with the square of the number of nodes.
fn nodes(n: usize) -> impl Iterator<Item = (f64, f64)> {
    (0..n).map(move |i| ((i as f64 + 0.5) / n as f64, 1.0 / n as f64))
}

/// Critic values and slopes at rows.
fn critic_at(critic: &Mlp, psi: &Array1<f64>, x: &Array2<f64>) -> Result<(Array1<f64>, Array2<f64>)> {
    let mut tape = critic.tape(x.nrows());
    let (mut d, mut slope) = (Array2::zeros((x.nrows(), 1)), x.clone());
    critic.forward(psi, x, &mut d, &mut tape)?;
    critic.vjp(psi, &Array2::ones(d.dim()), None, Some(&mut slope), &mut tape)?;
    Ok((d.column(0).to_owned(), slope))
}

fn squares(x: &Array2<f64>) -> Array1<f64> {
    x.mapv(|v| v * v).sum_axis(Axis(1))
}

/// Largest difference of the two sides of the identity above, path by path, with `n` nodes in time.
fn pathwise(critic: &Mlp, psi: &Array1<f64>, x0: &Array2<f64>, x1: &Array2<f64>, n: usize) -> Result<f64> {
    let chord = x1 - x0;
    let (d0, d1) = (critic_at(critic, psi, x0)?.0, critic_at(critic, psi, x1)?.0);
    let mut gap = &d0 - &d1 + 0.5 * squares(&chord);
    for (t, w) in nodes(n) {
        let (_, v) = critic_at(critic, psi, &(x0 + &(t * &chord)))?;
        gap = gap + 0.5 * w * (squares(&v) - squares(&(&v - &chord)));
    }
    Ok(gap.iter().fold(0.0, |m: f64, g| m.max(g.abs())))
}

fn identities(seed: u64) -> Result<()> {
    let smooth = |net: Mlp| net.activation(Activation::Softplus);
    let (generator, critic) = (smooth(Mlp::new(2, &[32, 32], 2)), smooth(Mlp::new(2, &[32, 32], 1)));
    let (phi, psi) = (Network::<f64>::init(&generator, seed), Network::<f64>::init(&critic, seed + 1));
    let (z, x1) = (normal::<f64>((ROWS, 2), seed), eight_gaussians::<f64>(ROWS, 2.0, 0.1, seed));
    let (mut x0, mut tape) = (z.clone(), generator.tape(ROWS));
    generator.forward(&phi, &z, &mut x0, &mut tape)?;

    println!("{:74} {:>10}", "identity", "residual");
    for n in [10, 100, 1000] {
        let residual = pathwise(&critic, &psi, &x0, &x1, n)?;
        println!(
            "{:74} {residual:>10.1e}",
            format!("rectified-flow loss = critic's objective + penalty, each path, {n} nodes")
        );
    }
    // One gradient step on the distance to samples moved by eps grad D, and one Euler step of the pulled-back flow.
    let (eta, eps) = (0.5, 0.1);
    let v = critic_at(&critic, &psi, &x0)?.1;
    let residual = ((&x0 + &(eps * &v)) - &x0) / ROWS as f64;
    let (mut descent, mut flowed) = (Array1::zeros(phi.len()), phi.clone());
    generator.vjp(&phi, &residual, Some(&mut descent), None, &mut tape)?;
    let flow = PullBack::new(&generator, DiscriminatorFlow::new(&critic, &psi), ROWS).latents(&z);
    Flow::new(flow, Euler::new()).step(eta * eps, &mut flowed)?;
    let gap = (&phi + &(eta * &descent) - &flowed).iter().fold(0.0, |m: f64, g| m.max(g.abs()));
    println!(
        "{:74} {gap:>10.1e}",
        "samples moved by eps grad D and refitted = Euler step of the generator's flow"
    );
    // And that flow goes up E D at the rate of the square of its own length.
    let height = |phi: &Array1<f64>| -> Result<f64> {
        let mut x = x0.clone();
        generator.forward(phi, &z, &mut x, &mut generator.tape(ROWS))?;
        Ok(critic_at(&critic, &psi, &x)?.0.mean().unwrap_or(0.0))
    };
    let pull = &descent / eps;
    let h = 1e-5;
    let rate = (height(&(&phi + &(h * &pull)))? - height(&(&phi - &(h * &pull)))?) / (2.0 * h);
    println!(
        "{:74} {:>10.1e}",
        "d/ds E D(g) along it = its squared length: the generator's loss is -E D",
        (rate - pull.dot(&pull)).abs()
    );
    estimators(&generator, &critic, seed)
}

/// The critic's loss from the ends and from inside, on the same minibatches.
fn estimators(generator: &Mlp, critic: &Mlp, seed: u64) -> Result<()> {
    let data = eight_gaussians::<f64>(4000, 2.0, 0.1, seed + 2);
    let mut games = [Estimator::Endpoint, Estimator::Line].map(|form| {
        Gan::new(generator, critic, &data, 256)
            .loss(GanLoss::Wasserstein)
            .penalty(Penalty::reflow())
            .estimator(form)
    });
    let theta = games[0].init(seed);
    let mut field = theta.clone();
    let gaps: Array1<f64> = (0..500)
        .map(|_| {
            let [end, line] = [0, 1].map(|k: usize| {
                games[k].redraw();
                games[k].eval(0.0, &theta, &mut field);
                games[k].losses()[1]
            });
            end - line
        })
        .collect();
    let (mean, error) = (gaps.mean().unwrap_or(0.0), gaps.std(1.0) / (gaps.len() as f64).sqrt());
    let name = format!("both estimators have the same mean (standard error {error:.1e})");
    println!("{name:74} {:>10.1e}", mean.abs());
    Ok(())
}

/// A critic between standard normal rows and the data, trained in one of the forms.
fn potential(critic: &Mlp, data: &Array2<f32>, form: Estimator, options: &Options) -> Result<Array1<f64>> {
    let generator = Mlp::new(2, &[], 2);
    let game = Gan::new(&generator, critic, data, 256).loss(GanLoss::Wasserstein).penalty(Penalty::reflow());
    let game = game.estimator(form).rates(0.0, 1.0).seed(options.seed);
    let mut theta = game.init(options.seed);
    // The generator passes its noise on.
    theta.iter_mut().zip([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]).for_each(|(t, v)| *t = v);
    let steps = if options.quick { 300 } else { 8_000 };
    let mut flow =
        Flow::new(game, Ema::new(Adam::default(), 0.999)).controller(Schedule::cosine(steps as u64));
    flow.steps(steps, 3e-3, &mut theta)?;
    let average = flow.integrator().average().unwrap_or(&theta);
    Ok(flow.field().critic_part(average).mapv(f64::from))
}

const SIDE: usize = 90;
const EXTENT: f64 = 3.0;

/// Heights over a square grid, with mean zero.
fn landscape(critic: &Mlp, psi: &Array1<f64>) -> Result<(Array2<f64>, Array1<f64>)> {
    let at = |i: usize| EXTENT * (2.0 * (i as f64 + 0.5) / SIDE as f64 - 1.0);
    let x =
        Array2::from_shape_fn((SIDE * SIDE, 2), |(i, axis)| at(if axis == 0 { i % SIDE } else { i / SIDE }));
    let d = critic_at(critic, psi, &x)?.0;
    let mean = d.mean().unwrap_or(0.0);
    Ok((x, d - mean))
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    identities(options.seed)?;

    let data = eight_gaussians::<f32>(20_000, 2.0, 0.1, options.seed);
    let critic = Mlp::new(2, &[64, 64], 1);
    let forms =
        [("ends (Wasserstein GAN)", Estimator::Endpoint), ("inside (rectified flow)", Estimator::Line)];
    let (x0, x1) = (normal::<f64>((4000, 2), 7), eight_gaussians::<f64>(4000, 2.0, 0.1, 8));
    let t = normal::<f64>((4000, 1), 9).mapv(|z| 0.5 * (1.0 + (z / (1.0 + z * z / 3.0).sqrt()).tanh()));
    let between = &x0 + &(&t * &(&x1 - &x0));
    println!(
        "\n{:26} {:>16} {:>16} {:>16}",
        "trained from", "E D(x1) - E D(x0)", "E |grad D|^2", "loss on fresh rows"
    );
    let mut heights = Vec::new();
    for (name, form) in forms {
        let psi = potential(&critic, &data, form, &options)?;
        let mean = |x| -> Result<f64> { Ok(critic_at(&critic, &psi, x)?.0.mean().unwrap_or(0.0)) };
        let steep = squares(&critic_at(&critic, &psi, &between)?.1).mean().unwrap_or(0.0);
        let gain = mean(&x1)? - mean(&x0)?;
        println!("{name:26} {gain:>16.3} {steep:>16.3} {:>16.3}", 0.5 * steep - gain);
        heights.push(landscape(&critic, &psi)?);
    }
    let (a, b) = (&heights[0].1, &heights[1].1);
    let correlation = a.dot(b) / (a.dot(a) * b.dot(b)).sqrt();
    println!("correlation of the two landscapes: {correlation:.4}");
    draw(&options, &data, &heights)
}

/// Both landscapes in bands of colour, with the data on top.
fn draw(
    options: &Options,
    data: &Array2<f32>,
    heights: &[(Array2<f64>, Array1<f64>)],
) -> common::picture::Drawn {
    const BANDS: usize = 12;
    let highest = heights[0].1.iter().fold(f64::NEG_INFINITY, |m, d| m.max(*d));
    let lowest = highest - 6.0;
    let band =
        |d: f64| ((d - lowest) / (highest - lowest) * BANDS as f64).clamp(0.0, BANDS as f64 - 1.0) as usize;
    let data: Vec<_> =
        data.rows().into_iter().take(600).map(|r| (f64::from(r[0]), f64::from(r[1]))).collect();
    let bands: Vec<Vec<Vec<(f64, f64)>>> = heights
        .iter()
        .map(|(x, d)| {
            let mut dots = vec![Vec::new(); BANDS];
            x.rows().into_iter().zip(d).for_each(|(x, &d)| dots[band(d)].push((x[0], x[1])));
            dots
        })
        .collect();
    let shade = |k: usize| {
        let u = k as f64 / (BANDS - 1) as f64;
        RGBColor((60.0 + 190.0 * u) as u8, (70.0 + 140.0 * u) as u8, (120.0 - 60.0 * u) as u8)
    };
    let titles = ["critic trained from the ends (WGAN form)", "critic trained from inside (ReFlow form)"];
    let all: Vec<Panel<'_>> = titles
        .iter()
        .zip(&bands)
        .map(|(title, bands)| {
            let mut layers: Vec<_> =
                bands.iter().enumerate().map(|(k, dots)| Layer::Dots(dots, shade(k), 4)).collect();
            layers.push(Layer::Dots(&data, BLUE, 1));
            Panel { title, axes: ("x", "y"), range: Some([-EXTENT, EXTENT, -EXTENT, EXTENT]), layers }
        })
        .collect();
    let file = options.file("reflow_to_wgan_gp.png")?;
    panels(&file, (600, 600), &all)?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
