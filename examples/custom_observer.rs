//! Draws the progress of a run as bars: `cargo run --release --example custom_observer`.

use relucert::data::{CsvOptions, load};
use relucert::{CertifySettings, Control, Observer, Progress, certify};
use std::time::Duration;

/// Keeps what it is told, and stops the run when the bound is good enough for its owner.
struct Plot {
    control: Control,
    rows: Vec<(f64, f64, f64)>,
}

impl Observer for Plot {
    fn progress(&mut self, progress: &Progress) {
        self.rows.push((progress.seconds, progress.lower_bound, progress.upper_bound));
        if progress.lower_bound > 0.95 * progress.upper_bound {
            self.control.cancel();
        }
    }
}

fn main() -> relucert::Result<()> {
    let problem = load("iris", &CsvOptions::default())?.standardized().with_bias().problem(5.0)?;
    let control = Control::new().within(Duration::from_secs(30));
    let mut plot = Plot { control: control.clone(), rows: Vec::new() };
    let certified = certify(&problem, &CertifySettings::default(), &control, &mut plot)?;
    for (seconds, lower, upper) in &plot.rows {
        let length = (60.0 * lower / upper) as usize;
        println!("{seconds:6.2} s  bound {lower:9.4} |{:60}| {upper:.4}", "#".repeat(length));
    }
    println!("proved: {:.4}", certified.report.lower_bound);
    Ok(())
}
