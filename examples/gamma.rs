//! How the bound loosens as the weight decay falls: the table and the picture of `docs/reading-a-report.md`.
//! `cargo run --release --example gamma -- docs/gamma.svg` (some minutes).

use plotters::prelude::*;
use relucert::data::{CsvOptions, load};
use relucert::{CertifySettings, Control, Method, Report, Silent, certify};
use std::error::Error;
use std::time::Duration;

const DATA: [(&str, RGBColor); 2] = [("iris", RGBColor(31, 119, 180)), ("wine", RGBColor(190, 40, 40))];
/// γ for each sample.
const SHARES: [f64; 6] = [1.0 / 3.0, 0.1, 1.0 / 30.0, 0.01, 1.0 / 300.0, 0.001];

/// One data set: its label, its colour, and (γ/n, bound/network).
type Curve = (String, RGBColor, Vec<(f64, f64)>);

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "gamma.svg".into());
    println!("| data | γ | γ/n | network | relaxation | bound | gap | solver_gap |");
    println!("|---|---|---|---|---|---|---|---|");
    let mut curves = Vec::new();
    for (name, colour) in DATA {
        let mut curve = Vec::new();
        for share in SHARES {
            let report = run(name, share)?;
            println!(
                "| {name} | {:.4} | {share:.4} | {:.4} | {:.4} | {:.4} | {:.3} | {:.3} % |",
                report.gamma,
                report.upper_bound,
                report.relaxation_value.unwrap_or(f64::NAN),
                report.lower_bound,
                report.gap,
                100.0 * report.solver_gap.unwrap_or(f64::NAN),
            );
            curve.push((share, report.lower_bound.value() / report.upper_bound.value()));
        }
        curves.push((
            format!("{name}, n = {}", load(name, &CsvOptions::default())?.samples()),
            colour,
            curve,
        ));
    }
    draw(&path, &curves)
}

fn run(name: &str, share: f64) -> Result<Report, relucert::Error> {
    let dataset = load(name, &CsvOptions::default())?.standardized().with_bias();
    let problem = dataset.problem(share * dataset.samples() as f64)?;
    let control = Control::new().within(Duration::from_secs(120));
    let settings = CertifySettings { method: Method::Relaxation, ..CertifySettings::default() };
    Ok(certify(&problem, &settings, &control, &mut Silent)?.report)
}

fn draw(path: &str, curves: &[Curve]) -> Result<(), Box<dyn Error>> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (760, 460)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption("Certified bound over the network's objective", ("sans-serif", 22))
            .margin(14)
            .x_label_area_size(46)
            .y_label_area_size(64)
            .build_cartesian_2d((5e-4..1.0).log_scale(), 0.0..1.05)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .label_style(("sans-serif", 14))
            .x_desc("weight decay for each sample, γ/n (features standardised, with bias)")
            .y_desc("bound / network (1: proved optimal)")
            .draw()?;
        for (name, colour, curve) in curves {
            let stroke = colour.stroke_width(2);
            chart.draw_series(curve.iter().map(|point| Circle::new(*point, 4, colour.filled())))?;
            chart
                .draw_series(LineSeries::new(curve.iter().copied(), stroke))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], stroke));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .label_font(("sans-serif", 15))
            .border_style(BLACK.mix(0.3))
            .background_style(WHITE)
            .draw()?;
        area.present()?;
    }
    std::fs::write(path, text)?;
    Ok(())
}
