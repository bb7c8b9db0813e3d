//! Stiff reference problems of many equations, and one of many steps.

use std::f64::consts::{PI, TAU};

use flowfield::{Structured, field};

use super::stiff::{Boxed, Problem, Vector};

fn numbers(text: &str) -> Vec<f64> {
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// Of `n` numbers those that are known; the others are not compared.
fn known(n: usize, values: &[(usize, f64)]) -> Vec<f64> {
    let mut all = vec![f64::NAN; n];
    values.iter().for_each(|&(i, v)| all[i] = v);
    all
}

/// A ring modulator: fifteen voltages and currents, oscillating and stiff (IVP Test Set; `Cs` = 2e-12).
pub fn ring_modulator() -> Problem {
    Problem {
        name: "ring modulator",
        field: || Box::new(field(modulate)),
        start: vec![0.0; 15],
        end: 1e-3,
        reference: vec![
            -0.2339057358486745e-1, -0.7367485485540825e-2, 0.2582956709291169, -0.406446572128345,
            -0.4039455665149794, 0.2607966765422943, 0.1106761861269975, 0.2939904342435596e-6,
            -0.2840029933642329e-7, 0.7267198267264553e-3, 0.792948719696084e-3, -0.7255283495698965e-3,
            -0.7941401968526521e-3, 0.7088495416976114e-4, 0.239005907523657e-4,
        ],
        atol: vec![1.0],
    }
}

fn modulate(t: f64, y: &Vector, d: &mut Vector) {
    let (c, cs, cp, r, rp, lh) = (1.6e-8, 2e-12, 1e-8, 25e3, 50.0, 4.45);
    let (ls1, ls, rg1, rg, ri, rc) = (2e-3, 5e-4, 36.3, 17.3, 50.0, 600.0);
    let (low, high) = (0.5 * (2e3 * PI * t).sin(), 2.0 * (2e4 * PI * t).sin());
    let diode = |u: f64| 40.67286402e-9 * ((17.7493332 * u).exp() - 1.0);
    let q1 = diode(y[2] - y[4] - y[6] - high);
    let q2 = diode(-y[3] + y[5] - y[6] - high);
    let q3 = diode(y[3] + y[4] + y[6] + high);
    let q4 = diode(-y[2] - y[5] + y[6] + high);
    d[0] = (y[7] - 0.5 * y[9] + 0.5 * y[10] + y[13] - y[0] / r) / c;
    d[1] = (y[8] - 0.5 * y[11] + 0.5 * y[12] + y[14] - y[1] / r) / c;
    d[2] = (y[9] - q1 + q4) / cs;
    d[3] = (-y[10] + q2 - q3) / cs;
    d[4] = (y[11] + q1 - q3) / cs;
    d[5] = (-y[12] - q2 + q4) / cs;
    d[6] = (-y[6] / rp + q1 + q2 - q3 - q4) / cp;
    d[7] = -y[0] / lh;
    d[8] = -y[1] / lh;
    d[9] = (0.5 * y[0] - y[2] - rg * y[9]) / ls;
    d[10] = (-0.5 * y[0] + y[3] - rg * y[10]) / ls;
    d[11] = (0.5 * y[1] - y[4] - rg * y[11]) / ls;
    d[12] = (-0.5 * y[1] + y[5] - rg * y[12]) / ls;
    d[13] = (-y[0] + low - (ri + rg1) * y[13]) / ls1;
    d[14] = (-y[1] - (rc + rg1) * y[14]) / ls1;
}

/// Penetration of antibodies into tissue: a reaction and diffusion equation, a band of five diagonals, and an influx that
/// stops at t = 5 (IVP Test Set, Medical Akzo Nobel; every ninth of its 400 values, and those below 1e-100 as zero).
pub fn medical_akzo() -> Problem {
    let mut reference = known(
        400,
        &[
            (0, 0.5113983840919909e-5),
            (18, 0.5336893059800053e-4),
            (36, 0.105288619558222e-3),
            (54, 0.1599523341096154e-3),
            (72, 0.2156525324601176e-3),
            (90, 0.2695040105145025e-3),
            (108, 0.3169160480759169e-3),
            (126, 0.3509412632351946e-3),
            (144, 0.3616265691144918e-3),
            (162, 0.335783708080497e-3),
            (180, 0.2582807380350103e-3),
            (189, 0.7425015664001834e-16),
            (198, 0.1173741304462833e-3),
            (207, 0.1548747348410801),
            (216, 0.7048158429518009e-6),
            (225, 0.9994229325942358),
            (234, 0.6912550453447044e-10),
            (243, 0.9999999762710279),
            (252, 0.872178345615447e-15),
            (261, 0.9999999999999036),
        ],
    );
    (9..180).step_by(18).for_each(|i| reference[i] = 0.0);
    (279..400).step_by(18).for_each(|i| reference[i] = 1.0);
    Problem {
        name: "Medical Akzo Nobel",
        field: || Box::new(Structured::banded(field(antibodies), 2, 2)),
        start: (0..400).map(|i| f64::from(i % 2)).collect(),
        end: 20.0,
        reference,
        atol: vec![1.0],
    }
}

fn antibodies(t: f64, y: &Vector, d: &mut Vector) {
    const N: usize = 200;
    let (k, c, dz) = (100.0, 4.0, 1.0 / N as f64);
    let influx = if t <= 5.0 { 2.0 } else { 0.0 };
    for j in 1..=N {
        let (i, z) = (2 * j - 2, j as f64 * dz - 1.0);
        let (alpha, beta) = (2.0 * z.powi(3) / (c * c), z.powi(4) / (c * c));
        let loss = k * y[i] * y[i + 1];
        d[i + 1] = -loss;
        d[i] = -loss;
        if j < N {
            let (left, right) = (if j == 1 { influx } else { y[i - 2] }, y[i + 2]);
            d[i] += beta * (left - 2.0 * y[i] + right) / (dz * dz) + alpha * (right - left) / (2.0 * dz);
        }
    }
}

/// Nerve cells on a ring near a cusp catastrophe, with a limit cycle; 96 equations, a periodic band whose pattern is detected
/// (Hairer, Wanner II, IV.10; reference: their exact solution).
pub fn cusp() -> Problem {
    let angle = |i: usize| TAU * (i / 3 + 1) as f64 / 32.0;
    Problem {
        name: "CUSP",
        field: || Box::new(Structured::detected(field(nerves))),
        start: (0..96).map(|i| [0.0, -2.0 * angle(i).cos(), 2.0 * angle(i).sin()][i % 3]).collect(),
        end: 1.1,
        reference: numbers(include_str!("references/cusp.txt")),
        atol: vec![1.0],
    }
}

fn nerves(_t: f64, y: &Vector, d: &mut Vector) {
    let spread = 32.0 * 32.0 / 144.0;
    for i in (0..96).step_by(3) {
        let (x, a, b) = (y[i], y[i + 1], y[i + 2]);
        let diffusion = |k: usize| spread * (y[(i + 93) % 96 + k] - 2.0 * y[i + k] + y[(i + 3) % 96 + k]);
        let u = (x - 0.7) * (x - 1.3);
        let v = u / (u + 0.1);
        d[i] = -1e4 * (b + x * (a + x * x)) + diffusion(0);
        d[i + 1] = b + 0.07 * v + diffusion(1);
        d[i + 2] = (1.0 - a * a) * b - a - 0.4 * x + 0.035 * v + diffusion(2);
    }
}

/// The Brusselator with diffusion on a line of 500 points (Hairer, Wanner II, IV.10; reference: extrapolation in 113-bit
/// arithmetic, as for the benchmarks).
pub fn brusselator_line() -> Problem {
    let x = |i: usize| (i / 2 + 1) as f64 / 501.0;
    Problem {
        name: "Brusselator on a line",
        field: || Box::new(Structured::banded(field(brusselate), 2, 2)),
        start: (0..1000).map(|i| if i % 2 == 0 { 1.0 + (TAU * x(i)).sin() } else { 3.0 }).collect(),
        end: 10.0,
        reference: numbers(include_str!("../../benches/ode/references/brusselator1d.txt")),
        atol: vec![1.0],
    }
}

fn brusselate(_t: f64, y: &Vector, d: &mut Vector) {
    let rate = 0.02 * 501.0 * 501.0;
    let edge = [1.0, 3.0];
    for i in (0..1000).step_by(2) {
        let (u, v) = (y[i], y[i + 1]);
        let spread = |k: usize| {
            let left = if i == 0 { edge[k] } else { y[i + k - 2] };
            let right = if i == 998 { edge[k] } else { y[i + k + 2] };
            rate * (left - 2.0 * y[i + k] + right)
        };
        d[i] = 1.0 + u * u * v - 4.0 * u + spread(0);
        d[i + 1] = 3.0 * u - u * u * v + spread(1);
    }
}

/// The Brusselator on a periodic square of 32 × 32 points, all u before all v, with a source that is switched on at t = 1.1; the
/// pattern is detected (SciMLBenchmarks; reference as for the line).
pub fn brusselator_square() -> Problem {
    let hill = |i: usize| (i as f64 / 31.0 * (1.0 - i as f64 / 31.0)).powf(1.5);
    Problem {
        name: "Brusselator on a square",
        field: || Box::new(Structured::detected(field(brusselate_square))),
        start: (0..2048).map(|k| if k < 1024 { 22.0 * hill(k / 32) } else { 27.0 * hill(k % 32) }).collect(),
        end: 11.5,
        reference: numbers(include_str!("../../benches/ode/references/brusselator2d.txt")),
        atol: vec![1.0],
    }
}

fn brusselate_square(t: f64, y: &Vector, d: &mut Vector) {
    let rate = 10.0 * 31.0 * 31.0;
    for k in 0..1024 {
        let (i, j) = (k % 32, k / 32);
        let around =
            [j * 32 + (i + 31) % 32, j * 32 + (i + 1) % 32, (j + 31) % 32 * 32 + i, (j + 1) % 32 * 32 + i];
        let spread =
            |from: usize| rate * (around.iter().map(|&a| y[from + a]).sum::<f64>() - 4.0 * y[from + k]);
        let (u, v) = (y[k], y[1024 + k]);
        let (x, z) = (i as f64 / 31.0 - 0.3, j as f64 / 31.0 - 0.6);
        let source = if t >= 1.1 && x * x + z * z <= 0.01 { 5.0 } else { 0.0 };
        d[k] = 1.0 + u * u * v - 4.4 * u + spread(0) + source;
        d[1024 + k] = 3.4 * u - u * u * v + spread(1024);
    }
}

const SIDE: usize = 24;

/// The heat equation on 24 × 24 points of the unit square, zero on its edge; reference: the exact solution of the differences,
/// a sum of two products of sines.
pub fn heat() -> Problem {
    let at = |i: usize| (i + 1) as f64 / (SIDE + 1) as f64;
    let waves = |k: usize, a: f64, b: f64| {
        let (x, z) = (at(k % SIDE), at(k / SIDE));
        a * (PI * x).sin() * (PI * z).sin() + b * (3.0 * PI * x).sin() * (2.0 * PI * z).sin()
    };
    let step = PI / (SIDE + 1) as f64;
    let rate = move |p: f64| 4.0 * ((SIDE + 1) as f64 * (0.5 * p * step).sin()).powi(2);
    let end = 0.1;
    let decay = [(-2.0 * rate(1.0) * end).exp(), (-(rate(3.0) + rate(2.0)) * end).exp()];
    Problem {
        name: "heat",
        field: heat_field,
        start: (0..SIDE * SIDE).map(|k| waves(k, 1.0, 1.0)).collect(),
        end,
        reference: (0..SIDE * SIDE).map(|k| waves(k, decay[0], decay[1])).collect(),
        atol: vec![1e-2],
    }
}

fn heat_field() -> Boxed {
    let spread = |_t: f64, y: &Vector, d: &mut Vector| {
        let rate = ((SIDE + 1) * (SIDE + 1)) as f64;
        for k in 0..SIDE * SIDE {
            let (i, j) = (k % SIDE, k / SIDE);
            let sides =
                [(i > 0, -1), (i + 1 < SIDE, 1), (j > 0, -(SIDE as isize)), (j + 1 < SIDE, SIDE as isize)];
            let around = sides.iter().filter(|s| s.0).map(|s| y[k.wrapping_add_signed(s.1)]);
            d[k] = rate * (around.sum::<f64>() - 4.0 * y[k]);
        }
    };
    Box::new(Structured::banded(field(spread), SIDE, SIDE))
}

pub fn all() -> Vec<Problem> {
    vec![ring_modulator(), medical_akzo(), cusp(), brusselator_line(), brusselator_square(), heat()]
}
