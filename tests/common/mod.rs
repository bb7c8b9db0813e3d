//! Problems and lists that several test files share.
#![allow(dead_code)]

use flowfield::integrate::*;
use flowfield::{Flow, VectorField, field};
use ndarray::Array2;

pub type Pair = [f64; 2];

/// A nonlinear, non-autonomous, coupled system with the exact solution (1/(1+t²), exp(sin t)):
/// each equation plus a coupling that vanishes on the solution.
pub fn coupled() -> impl VectorField<Pair> + Copy {
    field(|t: f64, y: &Pair, dy: &mut Pair| {
        let (u, v) = (1.0 / (1.0 + t * t), t.sin().exp());
        dy[0] = -2.0 * t * y[0] * y[0] + (y[1] - v) * y[0];
        dy[1] = t.cos() * y[1] + (3.0 * t).sin() * (y[0] - u);
    })
}

pub fn coupled_exact(t: f64) -> Pair {
    [1.0 / (1.0 + t * t), t.sin().exp()]
}

/// Largest absolute difference.
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// A method in the lists below: name, order, and the error at t = 2 of `n` fixed steps on [`coupled`],
/// and the largest error in the middle of the steps by its interpolant.
pub struct Entry {
    pub name: &'static str,
    pub order: u32,
    pub error: Box<dyn Fn(usize) -> (f64, f64)>,
}

fn entry<I: Integrator<Pair> + 'static>(make: fn() -> I) -> Entry {
    let (name, order) = (make().name(), make().order().unwrap());
    let error = move |n: usize| {
        let h = 2.0 / n as f64;
        let sol =
            Flow::new(coupled(), make()).fixed_step(h).dense().solve(0.0, 2.0, coupled_exact(0.0)).unwrap();
        let inside = (0..n).map(|i| (i as f64 + 0.5) * h);
        let dense = inside.map(|t| distance(&sol.at(t).unwrap(), &coupled_exact(t))).fold(0.0, f64::max);
        (distance(sol.y_end(), &coupled_exact(2.0)), dense)
    };
    Entry { name, order, error: Box::new(error) }
}

/// Every explicit Runge–Kutta method.
pub fn explicit_methods() -> Vec<Entry> {
    vec![
        entry(Euler::new),
        entry(Extragradient::new),
        entry(Midpoint::new),
        entry(Heun::new),
        entry(Ralston::new),
        entry(SspRk33::new),
        entry(Rk4::new),
        entry(Bs3::new),
        entry(Dopri5::new),
        entry(Tsit5::new),
        entry(SspRk43::new),
        entry(Rk38::new),
        entry(CarpenterKennedy::new),
        entry(CarpenterKennedy2N::new),
        entry(Dop853::new),
        entry(Vern6::new),
        entry(Vern7::new),
        entry(Vern8::new),
        entry(Vern9::new),
    ]
}

/// Slope of log(y) against log(x) by least squares.
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (mut sx, mut sy, mut sxx, mut sxy) = (0.0, 0.0, 0.0, 0.0);
    for (x, y) in points.iter().map(|(x, y)| (x.ln(), y.ln())) {
        (sx, sy, sxx, sxy) = (sx + x, sy + y, sxx + x * x, sxy + x * y);
    }
    (n * sxy - sx * sy) / (n * sxx - sx * sx)
}

/// The exact velocity of the rectified flow N(0, 1) -> N(m, s²) in one dimension, independent coupling.
pub fn normal_pair_velocity(m: f64, s: f64) -> impl VectorField<Array2<f64>> {
    field(move |t: f64, x: &Array2<f64>, dx: &mut Array2<f64>| {
        let spread = (1.0 - t).powi(2) + (t * s).powi(2);
        let slope = (t * s * s - (1.0 - t)) / spread;
        dx.zip_mut_with(x, |d, &x| *d = m + slope * (x - t * m));
    })
}
