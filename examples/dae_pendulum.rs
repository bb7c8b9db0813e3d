//! A pendulum in Cartesian coordinates: a constraint, its index, and how far a run drifts off it.

#[path = "common/mod.rs"]
mod common;

use common::options::Options;
use common::picture::{BLUE, GREEN, Layer, Panel, VERMILION, panels};
use flowfield::integrate::{Bdf, Integrator, RadauIIA5, Rodas5P, Vern9};
use flowfield::{Flow, Solution, WithMass, consistent_start, field};

const ABOUT: &str = "dae_pendulum: a pendulum in Cartesian coordinates, as a differential-algebraic system

    x' = u - mu x      u' = -lambda x           0 = x² + y² - 1          the rod
    y' = v - mu y      v' = -lambda y - g       0 = x u + y v            its derivative

The tension lambda appears in neither constraint: as they stand the system has index 3. Two forms of index 1:
  plain        lambda from the second derivative of the rod's equation, lambda (x² + y²) = u² + v² - g y, and mu = 0
  stabilised   the same, and mu = a (x² + y² - 1) / 2 pulls back to the rod, -a (x u + y v) (x, y) back to its tangent
Both are solved by Rodas5P, RadauIIA5 and Bdf with a singular mass matrix, from a state made consistent first. Prints for each
the end, its distance from the exact angle's (Vern9 at 1e-13), the drift off the rod and the drift of the energy.
Writes dae_pendulum.png: the path, the tension, and the drift of both forms over time.";

/// x, y, u, v, lambda, mu.
type State = [f64; 6];
const G: f64 = 9.81;
/// How fast the stabilised form returns to the rod, per unit of time.
const PULL: f64 = 5.0;

/// M dy/dt = f with M = diag(1, 1, 1, 1, 0, 0).
fn pendulum(pull: f64) -> WithMass<impl FnMut(f64, &State, &mut State), State> {
    let f = field(move |_t, s: &State, d: &mut State| {
        let [x, y, u, v, lambda, mu] = *s;
        let (rod, along) = (0.5 * (x * x + y * y - 1.0), x * u + y * v);
        *d = [
            u - mu * x,
            v - mu * y,
            -lambda * x - pull * along * x,
            -lambda * y - pull * along * y - G,
            lambda * (x * x + y * y) - (u * u + v * v - G * y),
            mu - pull * rod,
        ];
    });
    WithMass::new(f, [1.0, 1.0, 1.0, 1.0, 0.0, 0.0])
}

type Failed = Box<dyn std::error::Error>;

fn solve<I: Integrator<State>>(method: I, pull: f64, t1: f64) -> Result<Solution<State>, Failed> {
    let mut dae = pendulum(pull);
    // Horizontal and at rest; the tension and mu are found.
    let start = consistent_start(&mut dae, 0.0, &[1.0, 0.0, 0.0, 0.0, 1.0, 1.0])?;
    Ok(Flow::new(dae, method).tol(1e-6).solve(0.0, t1, start)?)
}

/// The position by the equation of the angle, θ'' = −g sin θ, measured from below.
fn exact(t1: f64) -> Result<[f64; 2], Failed> {
    let angle = field(|_t, s: &[f64; 2], d: &mut [f64; 2]| *d = [s[1], -G * s[0].sin()]);
    let start = [std::f64::consts::FRAC_PI_2, 0.0];
    let theta = Flow::new(angle, Vern9::new()).tol(1e-13).save_last().solve(0.0, t1, start)?.y_end()[0];
    Ok([theta.sin(), -theta.cos()])
}

fn off_rod(s: &State) -> f64 {
    (s[0].hypot(s[1]) - 1.0).abs()
}

fn energy(s: &State) -> f64 {
    0.5 * (s[2] * s[2] + s[3] * s[3]) + G * s[1]
}

fn report(name: &str, sol: &Solution<State>, exact: [f64; 2]) {
    let end = sol.y_end();
    let error = (end[0] - exact[0]).hypot(end[1] - exact[1]);
    let worst = |of: &dyn Fn(&State) -> f64| sol.y.iter().map(of).fold(0.0, f64::max);
    println!(
        "{name:<22} {:>12.8} {:>12.8} {error:>9.1e} {:>9.1e} {:>9.1e} {:>7} {:>5}",
        end[0],
        end[1],
        worst(&off_rod),
        worst(&|s| energy(s).abs()),
        sol.stats.accepted,
        sol.stats.jacobians,
    );
}

fn draw(options: &Options, forms: [&Solution<State>; 2]) -> Result<(), Failed> {
    let over_time = |sol: &Solution<State>, value: &dyn Fn(&State) -> f64| -> Vec<(f64, f64)> {
        sol.t.iter().zip(&sol.y).map(|(&t, s)| (t, value(s))).collect()
    };
    let path: Vec<_> = forms[1].y.iter().map(|s| (s[0], s[1])).collect();
    let tension = over_time(forms[1], &|s| s[4]);
    let drifts = forms.map(|sol| over_time(sol, &|s| off_rod(s).max(1e-12).log10()));
    let panel = |title, axes, layers| Panel { title, axes, range: None, layers };
    let file = options.file("dae_pendulum.png")?;
    let all = [
        panel("where the mass has been", ("x", "y"), vec![Layer::Dots(&path, BLUE, 2)]),
        panel("tension of the rod", ("t", "lambda"), vec![Layer::Line(&tension, GREEN)]),
        panel(
            "off the rod: plain (red), stabilised (blue)",
            ("t", "log10 |r - 1|"),
            vec![Layer::Line(&drifts[0], VERMILION), Layer::Line(&drifts[1], BLUE)],
        ),
    ];
    panels(&file, (480, 420), &all)?;
    eprintln!("wrote {}", file.display());
    Ok(())
}

fn main() -> Result<(), Failed> {
    let options = Options::read(ABOUT);
    let t1 = if options.quick { 5.0 } else { 50.0 };
    let end = exact(t1)?;
    println!("t = {t1}, exact ({:.8}, {:.8}); tolerance 1e-6", end[0], end[1]);
    println!("                                  x            y     error   off rod    energy   steps  Jac.");
    for (form, pull) in [("plain", 0.0), ("stabilised", PULL)] {
        report(&format!("Rodas5P {form}"), &solve(Rodas5P::new(), pull, t1)?, end);
        report(&format!("RadauIIA5 {form}"), &solve(RadauIIA5::new(), pull, t1)?, end);
        report(&format!("Bdf {form}"), &solve(Bdf::new(), pull, t1)?, end);
    }
    draw(&options, [&solve(RadauIIA5::new(), 0.0, t1)?, &solve(RadauIIA5::new(), PULL, t1)?])
}
