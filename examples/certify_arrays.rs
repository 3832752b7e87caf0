//! Certifies a problem given as arrays: `cargo run --release --example certify_arrays`.

use faer::Mat;
use relucert::{CertifySettings, Control, Silent, TrainingProblem, certify};
use std::time::Duration;

fn main() -> relucert::Result<()> {
    // |x| at nine points; the second column is the bias.
    let features = Mat::from_fn(9, 2, |row, column| if column == 0 { row as f64 / 4.0 - 1.0 } else { 1.0 });
    let targets = Mat::from_fn(9, 1, |row, _| (row as f64 / 4.0 - 1.0).abs());
    let problem = TrainingProblem::new(features, targets, 0.1)?;
    let control = Control::new().within(Duration::from_secs(20));
    let certified = certify(&problem, &CertifySettings::default(), &control, &mut Silent)?;
    let report = &certified.report;
    println!("network with {} neurons: objective {:.6}", report.network_width, report.upper_bound);
    println!("every network:           objective {:.6} or more", report.lower_bound);
    println!("gap {:.2}, {:?}", report.gap, report.status);
    Ok(())
}
