//! Colour transfer: a noon picture takes the palette of a dusk picture by optimal transport of its colours.

mod common;

use std::path::Path;

use common::options::Options;
use common::picture::Drawn;
use flowfield::dataset::normal;
use flowfield::transport::{Gaussian, PointCost, Sinkhorn, entropic_map, uniform};
use ndarray::{Array1, Array2, Axis};
use plotters::prelude::*;

const ABOUT: &str =
    "Draws two landscapes and gives the first the colours of the second: by the optimal map between
Gaussians fitted to the colours, and by the entropic map between samples of them. Both maps are found on a few
hundred colours and then move every pixel. Writes transport_colors.png.";

/// Width and height of a picture.
const SIZE: (usize, usize) = (240, 180);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let o = Options::read(ABOUT);
    let (noon, dusk) = (landscape(&NOON, o.seed), landscape(&DUSK, o.seed + 10));
    let samples = if o.quick { 200 } else { 1000 };
    let (x, y, w) = (thin(&noon, samples), thin(&dusk, samples), uniform::<f64>(samples));

    let (from, to) = (Gaussian::fit(&x)?, Gaussian::fit(&y)?);
    let affine = from.map(&to)?.apply(&noon)?;
    println!("Gaussian  W2 = {:.4} between the fitted palettes", from.w2_squared(&to)?.sqrt());

    let eps = 2e-3;
    let s = Sinkhorn::new(eps).solve(&PointCost::squared_euclidean(&x, &y)?, &w, &w)?.ensure()?;
    let entropic = entropic_map(&noon, &y, &w, &s.g, eps)?;
    println!("entropic  value {:.4} at ε = {eps}, residual {:.1e}, {} passes", s.value, s.residual, s.passes);

    let file = o.file("transport_colors.png")?;
    let names = ["noon", "dusk", "noon, Gaussian map", "noon, entropic map"];
    draw(&file, &names, &[&noon, &dusk, &affine, &entropic])?;
    println!("drew {}", file.display());
    Ok(())
}

/// Colours of sky at the top and at the horizon, sun, far hills, near hills.
type Palette = [[f64; 3]; 5];
const NOON: Palette =
    [[0.25, 0.50, 0.90], [0.75, 0.87, 0.97], [1.0, 0.98, 0.85], [0.35, 0.55, 0.45], [0.20, 0.45, 0.15]];
const DUSK: Palette =
    [[0.16, 0.10, 0.32], [0.95, 0.45, 0.25], [1.0, 0.85, 0.45], [0.40, 0.18, 0.35], [0.12, 0.06, 0.16]];

/// A sky with a sun over two ranges of hills; a row a pixel, columns red, green, blue.
fn landscape(palette: &Palette, seed: u64) -> Array2<f64> {
    let waves = normal::<f64>((12, 2), seed);
    let hill = |u: f64, first: usize| -> f64 {
        (0..6)
            .map(|k| 0.05 / (k + 1) as f64 * ((k + 2) as f64 * 2.0 * u + waves[[first + k, 0]] * 3.0).sin())
            .sum()
    };
    let grain = normal::<f64>((SIZE.0 * SIZE.1, 3), seed + 1) * 0.015;
    let pixel = |p: usize| {
        let (u, v) = ((p % SIZE.0) as f64 / SIZE.0 as f64, (p / SIZE.0) as f64 / SIZE.1 as f64);
        let (far, near) = (0.58 + hill(u, 0), 0.74 + hill(u, 6));
        if v > near {
            return blend(palette[4], palette[3], 0.5 * (1.0 - v) / (1.0 - near));
        }
        if v > far {
            return blend(palette[3], palette[1], 0.4 * (near - v) / (near - far).max(0.05));
        }
        let sun = ((u - 0.68) * 1.33).hypot(v - 0.28);
        let glow = (0.09 / sun.max(0.07)).powi(2).min(1.0);
        blend(blend(palette[0], palette[1], (v / 0.6).powf(1.5)), palette[2], glow)
    };
    Array2::from_shape_fn((SIZE.0 * SIZE.1, 3), |(p, c)| (pixel(p)[c] + grain[[p, c]]).clamp(0.0, 1.0))
}

fn blend(a: [f64; 3], b: [f64; 3], t: f64) -> [f64; 3] {
    std::array::from_fn(|c| a[c] + (b[c] - a[c]) * t.clamp(0.0, 1.0))
}

/// `n` rows spread over a picture.
fn thin(picture: &Array2<f64>, n: usize) -> Array2<f64> {
    // A step that shares no factor with the width visits all columns.
    let rows: Vec<usize> = (0..n).map(|k| k * 7919 % picture.nrows()).collect();
    picture.select(Axis(0), &rows)
}

/// Pictures in two rows, each with its name and its palette sorted by brightness below.
fn draw(file: &Path, names: &[&str], pictures: &[&Array2<f64>]) -> Drawn {
    common::picture::fonts();
    let (zoom, bar, gap) = (2, 26, 34);
    let cell = (SIZE.0 as i32 * zoom + 12, SIZE.1 as i32 * zoom + bar + gap + 8);
    let root = BitMapBackend::new(file, (2 * cell.0 as u32 + 12, 2 * cell.1 as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    let font = ("sans-serif", 18).into_font();
    for (k, (name, picture)) in names.iter().zip(pictures).enumerate() {
        let (left, top) = (12 + (k as i32 % 2) * cell.0, (k as i32 / 2) * cell.1);
        root.draw(&Text::new(*name, (left, top + 8), font.clone()))?;
        for (p, colour) in picture.rows().into_iter().enumerate() {
            let (x, y) = (left + (p % SIZE.0) as i32 * zoom, top + gap + (p / SIZE.0) as i32 * zoom);
            root.draw(&Rectangle::new([(x, y), (x + zoom, y + zoom)], rgb(&colour.to_owned()).filled()))?;
        }
        let mut palette: Vec<Array1<f64>> =
            thin(picture, SIZE.0).rows().into_iter().map(|c| c.to_owned()).collect();
        palette.sort_by(|a, b| a.sum().total_cmp(&b.sum()));
        let below = top + gap + SIZE.1 as i32 * zoom + 4;
        for (k, colour) in palette.iter().enumerate() {
            let x = left + k as i32 * zoom;
            root.draw(&Rectangle::new([(x, below), (x + zoom, below + bar)], rgb(colour).filled()))?;
        }
    }
    root.present()?;
    Ok(())
}

fn rgb(colour: &Array1<f64>) -> RGBColor {
    let byte = |c: usize| (colour[c].clamp(0.0, 1.0) * 255.0).round() as u8;
    RGBColor(byte(0), byte(1), byte(2))
}
