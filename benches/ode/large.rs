//! Large stiff cases, with the structured Jacobians that the peers get.

use flowfield::integrate::*;
use flowfield::{Flow, Pattern, State, VectorField, WithJacobian, field};
use ndarray::Array1;

use crate::common::{filters, seconds, wanted};

type Y = Array1<f64>;

/// An initial value problem of many equations.
trait Large {
    const NAME: &'static str;
    const N: usize;
    const END: f64;
    /// Absolute over relative tolerance.
    const RATIO: f64 = 1.0;
    /// Diagonals below and above the main one, if the Jacobian is to be stored as a band.
    const BAND: Option<(usize, usize)> = None;
    fn start() -> Y;
    fn reference() -> Vec<f64>;
    fn rhs(t: f64, y: &[f64], dy: &mut [f64]);
    /// Sets each entry of the Jacobian once, always in the same order.
    fn jacobian(y: &[f64], set: impl FnMut(usize, usize, f64));
}

pub fn run() {
    sweep::<Line>();
    sweep::<Square>();
    sweep::<Heat>();
}

fn sweep<C: Large>() {
    tolerances::<C, _, _>("Bdf", structured::<C>, Bdf::new);
    tolerances::<C, _, _>("Rodas4", structured::<C>, Rodas4::new);
    tolerances::<C, _, _>("Rodas5P", structured::<C>, Rodas5P::new);
    tolerances::<C, _, _>("RadauIIA5", structured::<C>, RadauIIA5::new);
    tolerances::<C, _, _>("Auto", structured::<C>, Auto::new);
    if C::NAME == "heat2d" {
        tolerances::<C, _, _>("Rkc2", plain::<C>, Rkc2::new);
        tolerances::<C, _, _>("Rock4", plain::<C>, Rock4::new);
    }
}

fn plain<C: Large>() -> Box<dyn VectorField<Y>> {
    Box::new(field(|t, y: &Y, dy: &mut Y| C::rhs(t, State::as_slice(y), dy.as_mut_slice())))
}

fn structured<C: Large>() -> Box<dyn VectorField<Y>> {
    let rhs = field(|t, y: &Y, dy: &mut Y| C::rhs(t, State::as_slice(y), dy.as_mut_slice()));
    if let Some((lower, upper)) = C::BAND {
        let jac = move |_t: f64, y: &Y, jac: &mut [f64]| {
            C::jacobian(State::as_slice(y), |i, j, v| jac[i * (lower + 1 + upper) + j + lower - i] = v);
        };
        return Box::new(WithJacobian::banded(rhs, lower, upper, jac));
    }
    let mut places = Vec::new();
    C::jacobian(&vec![1.0; C::N], |i, j, _| places.push((i, j)));
    let pattern = Pattern::new(C::N, &places).expect("places inside the matrix");
    let jac = |_t: f64, y: &Y, jac: &mut [f64]| {
        let mut values = jac.iter_mut();
        C::jacobian(State::as_slice(y), |_, _, v| {
            if let Some(value) = values.next() {
                *value = v;
            }
        });
    };
    Box::new(WithJacobian::sparse(rhs, pattern, jac))
}

fn tolerances<C: Large, V: VectorField<Y>, I: Integrator<Y>>(
    method: &str,
    fields: impl Fn() -> V,
    make: fn() -> I,
) {
    if !wanted(&filters(), &format!("{} {method}", C::NAME)) {
        return;
    }
    let reference = C::reference();
    for k in 3..=9 {
        let rtol = 10f64.powi(-k);
        // The construction of the field is not timed: the peers' neither.
        let mut flow = Flow::new(fields(), make()).rtol(rtol).atol(rtol * C::RATIO).save_last();
        let sol = match flow.solve(0.0, C::END, C::start()) {
            Ok(sol) => sol,
            Err(e) => {
                eprintln!("{} {method} {rtol:e}: {e}", C::NAME);
                continue;
            }
        };
        let (seconds, least) = seconds(3, 0.0, || {
            let mut flow = Flow::new(fields(), make()).rtol(rtol).atol(rtol * C::RATIO).save_last();
            flow.solve(0.0, C::END, C::start()).map(|_| ())
        });
        let terms = sol.y_end().iter().zip(&reference).map(|(y, r)| ((y - r) / (C::RATIO + r.abs())).powi(2));
        let error = (terms.sum::<f64>() / C::N as f64).sqrt();
        let s = &sol.stats;
        println!(
            "{{\"area\":\"ode\",\"case\":\"{}\",\"peer\":\"flowfield\",\"method\":\"{}\",\"rtol\":{rtol:e},\"atol\":{:e},\
             \"seconds\":{seconds:.4e},\"min\":{least:.4e},\"error\":{error:.4e},\"rhs_calls\":{},\"steps\":{},\"rejected\":{},\
             \"jacobians\":{},\"factorisations\":{},\"solves\":{},\"threads\":1,\"wall\":{seconds:.4e},\"runs\":3,\"n\":{},\
             \"build\":\"generic\",\"status\":\"ok\"}}",
            C::NAME,
            method.to_lowercase(),
            rtol * C::RATIO,
            s.evals,
            s.accepted,
            s.rejected,
            s.jacobians,
            s.factorisations,
            s.solves,
            C::N,
        );
    }
}

fn numbers(text: &str) -> Vec<f64> {
    text.lines().map(|line| line.parse().expect("a number a line")).collect()
}

/// The Brusselator on a line, u and v side by side, 500 points.
struct Line;
const LINE: usize = 500;
const LINE_RATE: f64 = 0.02 * ((LINE + 1) * (LINE + 1)) as f64;

impl Large for Line {
    const NAME: &'static str = "brusselator1d";
    const N: usize = 2 * LINE;
    const END: f64 = 10.0;
    const BAND: Option<(usize, usize)> = Some((2, 2));
    fn start() -> Y {
        Y::from_shape_fn(2 * LINE, |k| {
            let x = (k / 2 + 1) as f64 / (LINE + 1) as f64;
            if k % 2 == 0 { 1.0 + (std::f64::consts::TAU * x).sin() } else { 3.0 }
        })
    }
    fn reference() -> Vec<f64> {
        numbers(include_str!("references/brusselator1d.txt"))
    }
    fn rhs(_t: f64, y: &[f64], d: &mut [f64]) {
        let (y, d) = (&y[..2 * LINE], &mut d[..2 * LINE]);
        let point = |u: f64, v: f64, left: [f64; 2], right: [f64; 2]| {
            let w = u * u * v;
            let spread = [left[0] - 2.0 * u + right[0], left[1] - 2.0 * v + right[1]];
            (1.0 + w - 4.0 * u + LINE_RATE * spread[0], 3.0 * u - w + LINE_RATE * spread[1])
        };
        let last = 2 * LINE - 2;
        (d[0], d[1]) = point(y[0], y[1], [1.0, 3.0], [y[2], y[3]]);
        for k in (2..last).step_by(2) {
            (d[k], d[k + 1]) = point(y[k], y[k + 1], [y[k - 2], y[k - 1]], [y[k + 2], y[k + 3]]);
        }
        (d[last], d[last + 1]) = point(y[last], y[last + 1], [y[last - 2], y[last - 1]], [1.0, 3.0]);
    }
    fn jacobian(y: &[f64], mut set: impl FnMut(usize, usize, f64)) {
        for p in (0..2 * LINE).step_by(2) {
            let (u, v, q) = (y[p], y[p + 1], p + 1);
            set(p, p, 2.0 * u * v - 4.0 - 2.0 * LINE_RATE);
            set(p, q, u * u);
            set(q, p, 3.0 - 2.0 * u * v);
            set(q, q, -u * u - 2.0 * LINE_RATE);
            if p > 0 {
                set(p, p - 2, LINE_RATE);
                set(q, q - 2, LINE_RATE);
            }
            if q + 2 < 2 * LINE {
                set(p, p + 2, LINE_RATE);
                set(q, q + 2, LINE_RATE);
            }
        }
    }
}

/// The Brusselator on a periodic square of 32 × 32 points, all u before all v; a source is switched on at t = 1.1.
struct Square;
const SIDE: usize = 32;
const POINTS: usize = SIDE * SIDE;
const SQUARE_RATE: f64 = 10.0 * ((SIDE - 1) * (SIDE - 1)) as f64;

impl Large for Square {
    const NAME: &'static str = "brusselator2d";
    const N: usize = 2 * POINTS;
    const END: f64 = 11.5;
    fn start() -> Y {
        let at = |i: usize| i as f64 / (SIDE - 1) as f64;
        let hill = |x: f64| (x * (1.0 - x)).powf(1.5);
        Y::from_shape_fn(2 * POINTS, |k| {
            if k < POINTS { 22.0 * hill(at(k / SIDE)) } else { 27.0 * hill(at(k % SIDE)) }
        })
    }
    fn reference() -> Vec<f64> {
        numbers(include_str!("references/brusselator2d.txt"))
    }
    fn rhs(t: f64, y: &[f64], d: &mut [f64]) {
        let (u, v) = y[..2 * POINTS].split_at(POINTS);
        let (du, dv) = d[..2 * POINTS].split_at_mut(POINTS);
        for j in 0..SIDE {
            let (below, row, above) = ((j + SIDE - 1) % SIDE * SIDE, j * SIDE, (j + 1) % SIDE * SIDE);
            for i in 0..SIDE {
                let (k, left, right) = (row + i, row + (i + SIDE - 1) % SIDE, row + (i + 1) % SIDE);
                let w = u[k] * u[k] * v[k];
                let spread =
                    |x: &[f64]| SQUARE_RATE * (x[left] + x[right] + x[below + i] + x[above + i] - 4.0 * x[k]);
                du[k] = 1.0 + w - 4.4 * u[k] + spread(u);
                dv[k] = 3.4 * u[k] - w + spread(v);
            }
        }
        if t >= 1.1 {
            let at = |i: usize| i as f64 / (SIDE - 1) as f64;
            for (k, du) in du.iter_mut().enumerate() {
                let (x, z) = (at(k % SIDE) - 0.3, at(k / SIDE) - 0.6);
                if x * x + z * z <= 0.01 {
                    *du += 5.0;
                }
            }
        }
    }
    fn jacobian(y: &[f64], mut set: impl FnMut(usize, usize, f64)) {
        for k in 0..POINTS {
            let (i, j) = (k % SIDE, k / SIDE);
            let (u, v) = (y[k], y[POINTS + k]);
            set(k, k, 2.0 * u * v - 4.4 - 4.0 * SQUARE_RATE);
            set(k, POINTS + k, u * u);
            set(POINTS + k, k, 3.4 - 2.0 * u * v);
            set(POINTS + k, POINTS + k, -u * u - 4.0 * SQUARE_RATE);
            let (left, right) = (j * SIDE + (i + SIDE - 1) % SIDE, j * SIDE + (i + 1) % SIDE);
            for c in [left, right, (j + SIDE - 1) % SIDE * SIDE + i, (j + 1) % SIDE * SIDE + i] {
                set(k, c, SQUARE_RATE);
                set(POINTS + k, POINTS + c, SQUARE_RATE);
            }
        }
    }
}

/// The heat equation on 64 × 64 points of the unit square, zero on its edge.
struct Heat;
const GRID: usize = 64;
const HEAT_RATE: f64 = ((GRID + 1) * (GRID + 1)) as f64;

impl Large for Heat {
    const NAME: &'static str = "heat2d";
    const N: usize = GRID * GRID;
    const END: f64 = 0.1;
    const RATIO: f64 = 1e-2;
    fn start() -> Y {
        let at = |i: usize| (i + 1) as f64 / (GRID + 1) as f64;
        Y::from_shape_fn(Self::N, |k| {
            let (x, z) = (at(k % GRID), at(k / GRID));
            16.0 * x * (1.0 - x) * z * (1.0 - z) * (1.0 + x * z * z)
        })
    }
    /// By sines, the eigenvectors of the second difference: exact.
    fn reference() -> Vec<f64> {
        let h = 1.0 / (GRID + 1) as f64;
        let sine = |i: usize, k: usize| {
            (2.0 * h).sqrt() * (std::f64::consts::PI * h * ((i + 1) * (k + 1)) as f64).sin()
        };
        let decay = |k: usize| {
            let s = (0.5 * std::f64::consts::PI * h * (k + 1) as f64).sin();
            (-4.0 * HEAT_RATE * s * s * Self::END).exp()
        };
        let s = ndarray::Array2::from_shape_fn((GRID, GRID), |(i, k)| sine(i, k));
        let start = Self::start().into_shape_with_order((GRID, GRID)).expect("a square");
        let mut modes = s.dot(&start).dot(&s);
        modes.indexed_iter_mut().for_each(|((i, k), m)| *m *= decay(i) * decay(k));
        s.dot(&modes).dot(&s).iter().copied().collect()
    }
    fn rhs(_t: f64, y: &[f64], d: &mut [f64]) {
        let (y, d) = (&y[..GRID * GRID], &mut d[..GRID * GRID]);
        const NIL: [f64; GRID] = [0.0; GRID];
        let row = |j: usize| if j < GRID { &y[j * GRID..][..GRID] } else { &NIL[..] };
        for j in 0..GRID {
            let (below, own, above) = (row(j.wrapping_sub(1)), row(j), row(j + 1));
            let out = &mut d[j * GRID..][..GRID];
            for i in 1..GRID - 1 {
                out[i] = HEAT_RATE * (own[i - 1] + own[i + 1] + below[i] + above[i] - 4.0 * own[i]);
            }
            let last = GRID - 1;
            out[0] = HEAT_RATE * (own[1] + below[0] + above[0] - 4.0 * own[0]);
            out[last] = HEAT_RATE * (own[last - 1] + below[last] + above[last] - 4.0 * own[last]);
        }
    }
    fn jacobian(_y: &[f64], mut set: impl FnMut(usize, usize, f64)) {
        for k in 0..GRID * GRID {
            let (i, j) = (k % GRID, k / GRID);
            set(k, k, -4.0 * HEAT_RATE);
            let sides = [
                (i > 0, 1, false),
                (i + 1 < GRID, 1, true),
                (j > 0, GRID, false),
                (j + 1 < GRID, GRID, true),
            ];
            for (_, by, forward) in sides.into_iter().filter(|s| s.0) {
                set(k, if forward { k + by } else { k - by }, HEAT_RATE);
            }
        }
    }
}
