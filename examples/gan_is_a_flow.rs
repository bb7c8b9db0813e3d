//! A GAN generator's update is the particle flow of its critic, pulled back to parameters.

#[path = "common/mod.rs"]
mod common;

use common::options::Options;
use common::picture::{BLUE, GREY, Layer, Panel, VERMILION, panels};
use flowfield::dataset::{eight_gaussians, normal};
use flowfield::game::{Gan, GanLoss, Penalty};
use flowfield::integrate::{Adam, Euler};
use flowfield::nn::{Mlp, Network};
use flowfield::{Flow, Result, field};
use ndarray::{Array1, Array2};

const ABOUT: &str = "gan_is_a_flow: the same step taken by particles and by a generator's parameters

Trains a GAN for a while, then freezes its critic D and moves 400 samples x = g(z) in two ways: each particle along
dx/ds = grad D(x), and all of them through the generator's parameters along d(theta)/ds = E[(dg/dtheta)^T grad D(g(z))]. The
second moves the samples with the first's velocity, smoothed by the generator's tangent kernel. For a table of step sizes
prints how far the samples' displacement is from that smoothed velocity: the gap falls with the square of the step, so the
generator's update is Euler's method on the pulled-back flow. Writes gan_is_a_flow.png.";

const SAMPLES: usize = 400;

struct Frozen<'n> {
    generator: &'n Mlp,
    critic: &'n Mlp,
    critic_theta: Array1<f64>,
    noise: Array2<f64>,
}

impl Frozen<'_> {
    fn samples(&self, phi: &Array1<f64>) -> Result<Array2<f64>> {
        let mut x = Array2::zeros((SAMPLES, 2));
        self.generator.forward(phi, &self.noise, &mut x, &mut self.generator.tape(SAMPLES))?;
        Ok(x)
    }

    /// grad D at rows.
    fn velocity(&self, x: &Array2<f64>) -> Result<Array2<f64>> {
        let mut tape = self.critic.tape(x.nrows());
        let (mut d, mut v) = (Array2::zeros((x.nrows(), 1)), x.clone());
        self.critic.forward(&self.critic_theta, x, &mut d, &mut tape)?;
        self.critic.vjp(&self.critic_theta, &Array2::ones(d.dim()), None, Some(&mut v), &mut tape)?;
        Ok(v)
    }

    /// The generator's field, and how it moves the samples to first order.
    fn pulled_back(&self, phi: &Array1<f64>) -> Result<(Array1<f64>, Array2<f64>)> {
        let (mut x, mut tape) = (Array2::zeros((SAMPLES, 2)), self.generator.tape(SAMPLES));
        self.generator.forward(phi, &self.noise, &mut x, &mut tape)?;
        let v = self.velocity(&x)? / SAMPLES as f64;
        let mut dphi = Array1::zeros(phi.len());
        self.generator.vjp(phi, &v, Some(&mut dphi), None, &mut tape)?;
        self.generator.jvp(phi, Some(&dphi), None, &mut x, &mut tape)?;
        Ok((dphi, x))
    }
}

fn norm(x: &Array2<f64>) -> f64 {
    (x.iter().map(|v| v * v).sum::<f64>() / x.nrows() as f64).sqrt()
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    let data = eight_gaussians::<f64>(4000, 2.0, 0.1, options.seed);
    let (generator, critic) = (Mlp::new(2, &[64, 64], 2), Mlp::new(2, &[64, 64], 1));
    let game = Gan::new(&generator, &critic, &data, 128)
        .loss(GanLoss::Wasserstein)
        .penalty(Penalty::reflow())
        .rates(1.0, 3.0)
        .seed(options.seed);
    let mut theta = game.init(options.seed);
    let mut training = Flow::new(game, Adam::default().betas(0.5, 0.9));
    training.steps(if options.quick { 100 } else { 600 }, 1e-3, &mut theta)?;

    let phi = training.field().generator_part(&theta);
    let critic_theta = training.field().critic_part(&theta);
    let noise = normal((SAMPLES, 2), options.seed + 1);
    let frozen = Frozen { generator: &generator, critic: &critic, critic_theta, noise };
    let start = frozen.samples(&phi)?;
    let (_, smoothed) = frozen.pulled_back(&phi)?;

    println!("{:>9} {:>16} {:>16} {:>8}", "step", "displacement", "gap", "order");
    let mut before: Option<f64> = None;
    for k in 0..6 {
        let h = 0.4 * 0.5f64.powi(k);
        let mut moved = phi.clone();
        let pull = field(|_t, phi: &Array1<f64>, dphi: &mut Array1<f64>| {
            // A failure is seen as divergence: NaN.
            match frozen.pulled_back(phi) {
                Ok((d, _)) => dphi.assign(&d),
                Err(_) => dphi.fill(f64::NAN),
            }
        });
        Flow::new(pull, Euler::new()).step(h, &mut moved)?;
        let displacement = frozen.samples(&moved)? - &start;
        let gap = norm(&(&displacement - &(h * &smoothed)));
        let order = before.map_or(String::new(), |b: f64| format!("{:.2}", (b / gap).log2()));
        println!("{h:>9.4} {:>16.3e} {gap:>16.3e} {order:>8}", norm(&displacement));
        before = Some(gap);
    }
    draw(&options, &data, &frozen, &phi)
}

/// Left: particles moved by the critic. Right: the generator's samples, moved through its parameters.
fn draw(
    options: &Options,
    data: &Array2<f64>,
    frozen: &Frozen<'_>,
    phi: &Array1<f64>,
) -> common::picture::Drawn {
    let points =
        |x: &Array2<f64>| -> Vec<(f64, f64)> { x.rows().into_iter().map(|r| (r[0], r[1])).collect() };
    let particle_field = field(|_t, x: &Array2<f64>, dx: &mut Array2<f64>| match frozen.velocity(x) {
        Ok(v) => dx.assign(&v),
        Err(_) => dx.fill(f64::NAN),
    });
    let start = frozen.samples(phi)?;
    let mut particles = start.clone();
    Flow::new(particle_field, Euler::new()).steps(20, 0.02, &mut particles)?;
    let pull = field(|_t, phi: &Array1<f64>, dphi: &mut Array1<f64>| match frozen.pulled_back(phi) {
        Ok((d, _)) => dphi.assign(&d),
        Err(_) => dphi.fill(f64::NAN),
    });
    let mut moved = phi.clone();
    Flow::new(pull, Euler::new()).steps(20, 0.004, &mut moved)?;
    let outputs = frozen.samples(&moved)?;
    let (data, start) = (points(data), points(&start));
    let (particles, outputs) = (points(&particles), points(&outputs));
    let panel = |title, ends, colour| Panel {
        title,
        axes: ("x", "y"),
        range: Some([-3.2, 3.2, -3.2, 3.2]),
        layers: vec![Layer::Dots(&data, GREY, 1), Layer::Dots(&start, BLUE, 2), Layer::Dots(ends, colour, 2)],
    };
    let file = options.file("gan_is_a_flow.png")?;
    let left = panel("particles along grad D (blue: before)", &particles, VERMILION);
    let right = panel("generator outputs, through its parameters", &outputs, VERMILION);
    panels(&file, (560, 560), &[left, right])?;
    eprintln!("wrote {}", file.display());
    Ok(())
}
