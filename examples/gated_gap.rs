//! The gap of networks over sampled activation patterns against their number, as in arXiv 2402.03625, figure 1:
//! `cargo run --release --example gated_gap -- gap.csv gap.svg` (some minutes).
//!
//! Gaussian data, n = 300 and d = 10, one output of a random teacher with noise. For m patterns: the value of the gated
//! problem (it falls with m; below the best network's objective it is a relaxation), the ReLU network under the cone
//! constraints (above it for every m), and the decomposition of the gated solution. Beside them the best network that
//! training finds, and the certified bound.

use plotters::prelude::*;
use relucert::baselines::gated::{GatedSettings, Patterns, cone_decomposition, constrained, solve};
use relucert::data::{TeacherSettings, teacher};
use relucert::{CertifySettings, Control, Silent, certify};
use std::error::Error;
use std::fmt::Write;

const SAMPLES: usize = 300;
const WEIGHT_DECAY: f64 = 3.0;
const PATTERNS: [usize; 8] = [2, 5, 10, 20, 50, 100, 200, 400];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let table = arguments.next().unwrap_or_else(|| "gated_gap.csv".into());
    let picture = arguments.next().unwrap_or_else(|| "gated_gap.svg".into());
    // nine features and the bias
    let settings =
        TeacherSettings { samples: SAMPLES, features: 9, outputs: 1, ..TeacherSettings::default() };
    let problem = teacher(&settings)?.problem(WEIGHT_DECAY)?;
    let control = Control::new();
    let certified = certify(&problem, &CertifySettings::default(), &control, &mut Silent)?;
    let best = certified.network.objective(&problem);
    let bound = certified.report.lower_bound;
    let mut csv = String::from("patterns,distinct,gated,relu,decomposition,best_network,proved_bound\n");
    let mut curves = [Vec::new(), Vec::new(), Vec::new()];
    for count in PATTERNS {
        // the first patterns of a seed are the same for every number
        let patterns = Patterns::gaussian(&problem, count, 1)?;
        let settings = GatedSettings { patterns: count, ..GatedSettings::default() };
        let gated = solve(&problem, &patterns, &settings, &control)?;
        let relu = constrained(&problem, &patterns, &gated, &settings, &control)?.objective(&problem);
        let split = cone_decomposition(&problem, &patterns, &gated, &control)?.objective(&problem);
        writeln!(
            csv,
            "{count},{},{},{relu},{split},{best},{:?}",
            patterns.count(),
            gated.value,
            bound.value()
        )?;
        for (curve, value) in curves.iter_mut().zip([gated.value, relu, split]) {
            curve.push((count as f64, value / best));
        }
        eprintln!(
            "{count} patterns: gated {:.4}, ReLU {relu:.4}, decomposition {split:.4}; best {best:.4}",
            gated.value
        );
    }
    std::fs::write(&table, csv)?;
    std::fs::write(&picture, draw(&curves, bound.value() / best)?)?;
    Ok(())
}

fn draw(curves: &[Vec<(f64, f64)>; 3], bound: f64) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (760, 480)).into_drawing_area();
        area.fill(&WHITE)?;
        let highest = curves.iter().flatten().map(|point| point.1).fold(1.0, f64::max);
        let mut chart = ChartBuilder::on(&area)
            .caption(format!("Sampled activation patterns, n = {SAMPLES}, d = 10"), ("sans-serif", 22))
            .margin(14)
            .x_label_area_size(46)
            .y_label_area_size(64)
            .build_cartesian_2d((1.5..500.0).log_scale(), 0.0..1.05 * highest)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .label_style(("sans-serif", 14))
            .x_desc("patterns drawn")
            .y_desc("objective / best network known")
            .draw()?;
        let colours = [RGBColor(31, 119, 180), RGBColor(190, 40, 40), RGBColor(230, 150, 30)];
        let names = ["gated (no cones): value", "ReLU under cone constraints", "cone decomposition of gated"];
        for ((curve, colour), name) in curves.iter().zip(colours).zip(names) {
            let stroke = colour.stroke_width(2);
            chart.draw_series(curve.iter().map(|point| Circle::new(*point, 4, colour.filled())))?;
            chart
                .draw_series(LineSeries::new(curve.iter().copied(), stroke))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], stroke));
        }
        for (value, colour, name) in
            [(1.0, BLACK, "best network known"), (bound, RGBColor(44, 140, 60), "proved lower bound")]
        {
            let stroke = colour.stroke_width(1);
            chart
                .draw_series(DashedLineSeries::new([(1.5, value), (500.0, value)], 8, 5, stroke))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], stroke));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .margin(12)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .label_font(("sans-serif", 14))
            .draw()?;
        area.present()?;
    }
    Ok(text)
}
