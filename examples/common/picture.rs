//! Pictures: charts with axes, and grids of small grey images.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

pub type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Colours that a colour-blind reader can tell apart (Okabe and Ito).
pub const BLUE: RGBColor = RGBColor(0, 114, 178);
pub const ORANGE: RGBColor = RGBColor(230, 159, 0);
pub const GREEN: RGBColor = RGBColor(0, 158, 115);
pub const VERMILION: RGBColor = RGBColor(213, 94, 0);
pub const GREY: RGBColor = RGBColor(120, 120, 120);

/// Makes a font known to the charts.
pub fn fonts() {
    // Fails only for bytes that are no font; the charts would then say so themselves.
    let _ = register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular());
}

/// One thing drawn into a panel.
pub enum Layer<'a> {
    Line(&'a [(f64, f64)], RGBColor),
    /// Many short lines of one colour.
    Lines(&'a [Vec<(f64, f64)>], RGBColor),
    Dots(&'a [(f64, f64)], RGBColor, i32),
}

/// A chart: title, axis names, ranges (found from the layers if absent) and layers.
pub struct Panel<'a> {
    pub title: &'a str,
    pub axes: (&'a str, &'a str),
    pub range: Option<[f64; 4]>,
    pub layers: Vec<Layer<'a>>,
}

/// Draws panels side by side, each `size` pixels.
pub fn panels(file: &Path, size: (u32, u32), all: &[Panel<'_>]) -> Drawn {
    fonts();
    let root = BitMapBackend::new(file, (size.0 * all.len() as u32, size.1)).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, panel) in root.split_evenly((1, all.len())).iter().zip(all) {
        draw(area, panel)?;
    }
    root.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, plotters::coord::Shift>;

fn draw(area: &Area<'_>, panel: &Panel<'_>) -> Drawn {
    let [x0, x1, y0, y1] = panel.range.unwrap_or_else(|| range(&panel.layers));
    let mut chart = ChartBuilder::on(area)
        .caption(panel.title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(42)
        .y_label_area_size(58)
        .build_cartesian_2d(x0..x1, y0..y1)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.08))
        .x_desc(panel.axes.0)
        .y_desc(panel.axes.1)
        .label_style(("sans-serif", 14))
        .draw()?;
    for layer in &panel.layers {
        match layer {
            Layer::Line(points, colour) => {
                chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
            }
            Layer::Lines(lines, colour) => {
                let style = colour.mix(0.35).stroke_width(1);
                chart.draw_series(lines.iter().map(|l| PathElement::new(l.clone(), style)))?;
            }
            Layer::Dots(points, colour, radius) => {
                // A dot outside would be drawn on the frame.
                let inside = |p: &&(f64, f64)| (x0..=x1).contains(&p.0) && (y0..=y1).contains(&p.1);
                let dots =
                    points.iter().filter(inside).map(|&p| Circle::new(p, *radius, colour.mix(0.8).filled()));
                chart.draw_series(dots)?;
            }
        }
    }
    Ok(())
}

/// The smallest ranges that hold every layer, with a margin.
fn range(layers: &[Layer<'_>]) -> [f64; 4] {
    let mut r = [f64::INFINITY, f64::NEG_INFINITY, f64::INFINITY, f64::NEG_INFINITY];
    let mut take = |points: &[(f64, f64)]| {
        for &(x, y) in points {
            r = [r[0].min(x), r[1].max(x), r[2].min(y), r[3].max(y)];
        }
    };
    for layer in layers {
        match layer {
            Layer::Line(p, _) | Layer::Dots(p, _, _) => take(p),
            Layer::Lines(lines, _) => lines.iter().for_each(|l| take(l)),
        }
    }
    let (dx, dy) = (0.04 * (r[1] - r[0]).max(1e-9), 0.04 * (r[3] - r[2]).max(1e-9));
    [r[0] - dx, r[1] + dx, r[2] - dy, r[3] + dy]
}

/// A row of a grid: its name, and square grey images (values in [-1, 1], -1 black).
pub struct ImageRow {
    pub name: String,
    pub images: Vec<Vec<f32>>,
}

/// Draws rows of `side × side` images, each pixel `zoom` pixels, with the columns' names on top.
pub fn image_grid(file: &Path, side: usize, zoom: i32, columns: &[String], rows: &[ImageRow]) -> Drawn {
    fonts();
    let (left, top, gap) = (190, 34, 4);
    let cell = side as i32 * zoom + gap;
    let size = (left + columns.len() as i32 * cell + gap, top + rows.len() as i32 * cell + gap);
    let root = BitMapBackend::new(file, (size.0 as u32, size.1 as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    let font = ("sans-serif", 16).into_font();
    for (c, name) in columns.iter().enumerate() {
        root.draw(&Text::new(name.as_str(), (left + c as i32 * cell + cell / 3, 10), font.clone()))?;
    }
    for (r, row) in rows.iter().enumerate() {
        let top = top + r as i32 * cell;
        root.draw(&Text::new(row.name.as_str(), (10, top + cell / 3), font.clone()))?;
        for (c, image) in row.images.iter().enumerate() {
            draw_image(&root, image, side, zoom, (left + c as i32 * cell, top))?;
        }
    }
    root.present()?;
    Ok(())
}

fn draw_image(root: &Area<'_>, image: &[f32], side: usize, zoom: i32, (left, top): (i32, i32)) -> Drawn {
    for y in 0..side as i32 * zoom {
        for x in 0..side as i32 * zoom {
            let at = |p: i32| ((p as f32 + 0.5) / zoom as f32 - 0.5).clamp(0.0, side as f32 - 1.0);
            let value = bilinear(image, side, at(x), at(y));
            let grey = ((value.clamp(-1.0, 1.0) + 1.0) * 127.5) as u8;
            root.draw_pixel((left + x, top + y), &RGBColor(grey, grey, grey))?;
        }
    }
    Ok(())
}

/// The image between its pixels' centres.
fn bilinear(image: &[f32], side: usize, x: f32, y: f32) -> f32 {
    let (i, j) = (x as usize, y as usize);
    let (i1, j1) = ((i + 1).min(side - 1), (j + 1).min(side - 1));
    let (u, v) = (x - i as f32, y - j as f32);
    let row = |j: usize| image[j * side + i] * (1.0 - u) + image[j * side + i1] * u;
    row(j) * (1.0 - v) + row(j1) * v
}
