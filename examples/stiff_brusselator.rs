//! A reaction that diffuses on a square: tens of thousands of stiff equations with a sparse Jacobian.

#[path = "common/mod.rs"]
mod common;

use std::time::Instant;

use common::options::Options;
use common::picture::{BLUE, ImageRow, Layer, Panel, image_grid, panels};
use flowfield::integrate::Bdf;
use flowfield::{Differentiable, Flow, Formula, Number, Structure, VectorField};
use ndarray::Array1;

const ABOUT: &str = "stiff_brusselator: the Brusselator on a periodic square, by BDF with a sparse Jacobian

    u_t = 1 + u²v - 4.4 u + α Δu + source        v_t = 3.4 u - u²v + α Δv,     α = 0.1

A source is switched on in a disc at t = 1.1. The right-hand side is written once; the pattern of its Jacobian is found by
following what depends on what, its values by dual numbers, a colour at a time. Prints the work; writes
stiff_brusselator.png (u at several times) and stiff_brusselator_pattern.png. --quick: 32 x 32 points instead of 128 x 128.";

/// u of all points, then v of all points, on a square of `side × side`.
struct Brusselator {
    side: usize,
}

impl Brusselator {
    /// The four neighbours of a point, around the edges.
    fn around(&self, k: usize) -> [usize; 4] {
        let (m, i, j) = (self.side, k % self.side, k / self.side);
        [j * m + (i + 1) % m, j * m + (i + m - 1) % m, (j + 1) % m * m + i, (j + m - 1) % m * m + i]
    }

    fn in_source(&self, k: usize) -> bool {
        let at = |i: usize| i as f64 / (self.side - 1) as f64;
        (at(k % self.side) - 0.3).powi(2) + (at(k / self.side) - 0.6).powi(2) <= 0.01
    }

    fn start(&self) -> Array1<f64> {
        let at = |i: usize| i as f64 / (self.side - 1) as f64;
        let hill = |x: f64| (x * (1.0 - x)).powf(1.5);
        let points = self.side * self.side;
        Array1::from_shape_fn(2 * points, |k| {
            if k < points { 22.0 * hill(at(k / self.side)) } else { 27.0 * hill(at(k % self.side)) }
        })
    }
}

impl Formula for Brusselator {
    #[inline(always)]
    fn eval<T: Number>(&self, t: T, y: &[T], _p: &[T], dy: &mut [T]) {
        let points = self.side * self.side;
        let (u, v) = y.split_at(points);
        let (du, dv) = dy.split_at_mut(points);
        let alpha = T::of(0.1 * ((self.side - 1) * (self.side - 1)) as f64);
        let source = (t - T::of(1.1)).where_positive(T::of(5.0), T::of(0.0));
        for k in 0..points {
            let near = self.around(k);
            let spread =
                |x: &[T]| alpha * (x[near[0]] + x[near[1]] + x[near[2]] + x[near[3]] - T::of(4.0) * x[k]);
            let reaction = u[k] * u[k] * v[k];
            du[k] = T::of(1.0) + reaction - T::of(4.4) * u[k] + spread(u);
            dv[k] = T::of(3.4) * u[k] - reaction + spread(v);
            if self.in_source(k) {
                du[k] += source;
            }
        }
    }
}

/// Values as greys: the least black (-1), the largest white (1).
fn grey(u: &[f64]) -> Vec<f32> {
    let (least, largest) =
        u.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |r, &u| (r.0.min(u), r.1.max(u)));
    u.iter().map(|u| (2.0 * (u - least) / (largest - least) - 1.0) as f32).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(ABOUT);
    let side = if options.quick { 32 } else { 128 };
    let times = [0.0, 0.5, 1.5, 4.0, 8.0, 11.5];
    let start = Brusselator { side }.start();
    let clock = Instant::now();
    let field = Differentiable::new(Brusselator { side }).sparse();
    let mut flow = Flow::new(field, Bdf::new()).rtol(1e-5).atol(1e-6).save_at(&times);
    let sol = flow.solve(0.0, 11.5, start.clone())?;
    println!("{side} x {side} points, {} equations: {:.2} s", start.len(), clock.elapsed().as_secs_f64());
    println!("{}", sol.stats);

    let row = ImageRow {
        name: "u, least to largest".into(),
        images: sol.y.iter().map(|y| grey(&y.as_slice().unwrap_or(&[])[..side * side])).collect(),
    };
    let columns: Vec<_> = sol.t.iter().map(|t| format!("t = {t}")).collect();
    let file = options.file("stiff_brusselator.png")?;
    image_grid(&file, side, 256 / side as i32, &columns, &[row])?;

    // The whole pattern of a small square: at 128 x 128 no dot would be seen.
    let mut small = Differentiable::new(Brusselator { side: 10 }).sparse();
    let Structure::Sparse(pattern) = small.structure(0.0, &Brusselator { side: 10 }.start()) else {
        return Ok(());
    };
    let dots: Vec<_> = pattern.places().map(|(i, j)| (j as f64, -(i as f64))).collect();
    let title = format!("Jacobian of 10 x 10 points: {} entries of {}", pattern.len(), 200 * 200);
    let panel = Panel {
        title: &title,
        axes: ("column", "row"),
        range: None,
        layers: vec![Layer::Dots(&dots, BLUE, 1)],
    };
    let pattern_file = options.file("stiff_brusselator_pattern.png")?;
    panels(&pattern_file, (720, 720), &[panel])?;
    println!("wrote {} and {}", file.display(), pattern_file.display());
    Ok(())
}
