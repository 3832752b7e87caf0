//! Certifies sparse features: `cargo run --release --example sparse`.

use faer::Mat;
use relucert::{CertifySettings, Control, Silent, TrainingProblem, certify};
use sprs::TriMat;
use std::time::Duration;

fn main() -> relucert::Result<()> {
    // Twenty documents of three words each, out of twelve.
    let mut words = TriMat::new((20, 12));
    for document in 0..20 {
        for word in 0..3 {
            words.add_triplet(document, (document * (word + 2) + 5 * word) % 12, 1.0);
        }
    }
    let targets = Mat::from_fn(20, 1, |document, _| f64::from(document as u32 % 4) - 1.5);
    let problem = TrainingProblem::new(words.to_csr(), targets, 0.5)?;
    let control = Control::new().within(Duration::from_secs(20));
    let certified = certify(&problem, &CertifySettings::default(), &control, &mut Silent)?;
    println!(
        "objective {:.4}, lower bound {:.4}",
        certified.report.upper_bound, certified.report.lower_bound
    );
    Ok(())
}
