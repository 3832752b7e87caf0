//! The cells of a proof on the circle and on the sphere: the pictures of `docs/branch-and-bound.md`.
//! `cargo run --release --example cells -- docs` (a second).

use plotters::coord::Shift;
use plotters::prelude::*;
use relucert::certificate::branch::{ClosedCell, NeuronClaim, SearchSettings};
use relucert::data::{TeacherSettings, teacher};
use relucert::training::{TrainingSettings, train};
use relucert::{Control, TrainingProblem};
use std::error::Error;
use std::path::Path;

const SAMPLES: usize = 40;
/// The level that is proved is (1 + ε)γ.
const EPSILON: f64 = 1e-3;
/// Points of an edge of a cell.
const POINTS: usize = 12;
const BLUE: RGBColor = RGBColor(31, 119, 180);
const RED: RGBColor = RGBColor(190, 40, 40);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    // With a bias, two and three dimensions.
    for (features, name, size) in [(1, "cells_circle.svg", (760, 420)), (2, "cells_sphere.svg", (560, 560))] {
        let settings =
            TeacherSettings { samples: SAMPLES, features, outputs: 1, ..TeacherSettings::default() };
        let problem = teacher(&settings)?.problem(0.03 * SAMPLES as f64)?;
        let network = train(&problem, &TrainingSettings::default(), &Control::new());
        let residual = problem.targets() - network.predict_for(problem.stored_features());
        let claim = NeuronClaim::new(&problem, residual)?;
        let level = (1.0 + EPSILON) * problem.weight_decay();
        let cells = claim.closed_cells(level, &SearchSettings::default());
        println!("{name}: {} cells, {} neurons", cells.len(), network.width());
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
            area.fill(&WHITE)?;
            let at = Ratios { problem: &problem, claim: &claim };
            if features == 1 {
                circle(&area, &at, &cells)?
            } else {
                sphere(&area, &at, &cells)?
            }
            area.present()?;
        }
        std::fs::write(Path::new(&folder).join(name), text)?;
    }
    Ok(())
}

/// |Wᵀ(Xu)₊| / γ|u|.
struct Ratios<'a> {
    problem: &'a TrainingProblem,
    claim: &'a NeuronClaim<'a>,
}

impl Ratios<'_> {
    fn at(&self, u: &[f64]) -> f64 {
        let (x, w) = (self.problem.features(), self.claim.w());
        let mut sum = 0.0;
        for i in 0..self.problem.samples() {
            sum += w[(i, 0)] * u.iter().enumerate().map(|(k, u)| x[(i, k)] * u).sum::<f64>().max(0.0);
        }
        sum.abs() / (self.problem.weight_decay() * u.iter().map(|u| u * u).sum::<f64>().sqrt())
    }
}

/// The function over the angle, the level, and where cells end.
fn circle(area: &Area<'_>, at: &Ratios<'_>, cells: &[ClosedCell]) -> Result<(), Box<dyn Error>> {
    let mut chart = ChartBuilder::on(area)
        .caption("Forty samples in the plane: the cells of a proof", ("sans-serif", 20))
        .margin(14)
        .x_label_area_size(42)
        .y_label_area_size(56)
        .build_cartesian_2d(-180f64..180f64, 0f64..1.25)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .x_desc("angle of u, in degrees")
        .y_desc("|Wᵀ(Xu)₊| / γ|u|")
        .x_labels(9)
        .draw()?;
    let curve = (0..=1440).map(|i| f64::from(i) / 4.0 - 180.0).map(|degrees| {
        let (sin, cos) = degrees.to_radians().sin_cos();
        (degrees, at.at(&[cos, sin]))
    });
    for cell in cells {
        for end in &cell.corners {
            for sign in [1.0, -1.0] {
                let degrees = (sign * end[1]).atan2(sign * end[0]).to_degrees();
                chart
                    .draw_series(LineSeries::new([(degrees, 0.0), (degrees, 0.06)], BLUE.stroke_width(1)))?;
            }
        }
    }
    chart.draw_series(LineSeries::new(curve, BLACK.stroke_width(2)))?;
    let level = 1.0 + EPSILON;
    chart.draw_series(LineSeries::new([(-180.0, level), (180.0, level)], RED.stroke_width(2)))?;
    chart.draw_series(std::iter::once(Text::new(
        format!("level that is proved, 1 + ε = {level}"),
        (-176.0, level + 0.08),
        ("sans-serif", 15).into_font().color(&RED),
    )))?;
    chart.draw_series(std::iter::once(Text::new(
        format!("ends of the {} cells and of their antipodes", cells.len()),
        (-176.0, 0.14),
        ("sans-serif", 15).into_font().color(&BLUE),
    )))?;
    Ok(())
}

/// The half of the sphere that is seen, cells filled by the function at their centres.
fn sphere(area: &Area<'_>, at: &Ratios<'_>, cells: &[ClosedCell]) -> Result<(), Box<dyn Error>> {
    let area = area.titled("Forty samples in space: the cells of a proof", ("sans-serif", 20))?;
    let (width, height) = area.dim_in_pixel();
    let radius = 0.46 * f64::from(width.min(height));
    let place = |u: [f64; 3]| {
        // What is behind the edge is drawn on it.
        let behind = if u[2] < 0.0 { u[0].hypot(u[1]) } else { 1.0 };
        let x = (f64::from(width) / 2.0 + radius * u[0] / behind).round() as i32;
        (x, (f64::from(height) / 2.0 - radius * u[1] / behind).round() as i32)
    };
    for cell in cells {
        for sign in [1.0, -1.0] {
            let value = at.at(&cell.centre.iter().map(|u| sign * u).collect::<Vec<_>>());
            let shade = (value / (1.0 + EPSILON)).clamp(0.0, 1.0).powi(3);
            let colour = RGBColor(mix(shade, 240, 190), mix(shade, 245, 40), mix(shade, 250, 40));
            let turned: Vec<[f64; 3]> = outline(cell).iter().map(|u| turn(u, sign)).collect();
            if turned.iter().any(|u| u[2] > 0.0) {
                let points: Vec<(i32, i32)> = turned.into_iter().map(place).collect();
                area.draw(&Polygon::new(points.clone(), colour.filled()))?;
                area.draw(&PathElement::new(points, BLACK.mix(0.45).stroke_width(1)))?;
            }
        }
    }
    Ok(())
}

fn mix(shade: f64, from: u8, to: u8) -> u8 {
    (f64::from(from) + shade * (f64::from(to) - f64::from(from))) as u8
}

/// Points on the edges of a cell.
fn outline(cell: &ClosedCell) -> Vec<[f64; 3]> {
    let corners = &cell.corners;
    let edges = corners.iter().zip(corners.iter().cycle().skip(1));
    let part = |i: usize| i as f64 / POINTS as f64;
    edges
        .flat_map(|(a, b)| (0..=POINTS).map(move |i| [0, 1, 2].map(|k| a[k] + part(i) * (b[k] - a[k]))))
        .collect()
}

/// On the sphere, seen from a corner of the cube.
fn turn(u: &[f64; 3], sign: f64) -> [f64; 3] {
    let norm = sign * u.iter().map(|u| u * u).sum::<f64>().sqrt();
    let [x, y, z] = u.map(|u| u / norm);
    let ((sa, ca), (sb, cb)) = (35f64.to_radians().sin_cos(), 28f64.to_radians().sin_cos());
    let (x, z) = (ca * x - sa * z, sa * x + ca * z);
    [x, cb * y - sb * z, sb * y + cb * z]
}
