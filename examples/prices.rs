//! What rounds of prices win back of what dividing lost: `cargo run --release --example prices -- SAMPLES BLOCKS ROUNDS`.
//!
//! Random-teacher data (ten features, a bias, three outputs, γ = n/60, tolerance 1e-3). A line a round.

use faer::Mat;
use relucert::data::{TeacherSettings, teacher};
use relucert::training::{TrainingSettings, train};
use relucert::{
    Blocks, CertifySettings, Control, Observer, Prices, Progress, TrainingProblem, certify_network,
};

struct Lines;

impl Observer for Lines {
    fn progress(&mut self, progress: &Progress) {
        if progress.blocks.is_none_or(|(done, all)| done == all) {
            let round = if progress.blocks.is_some() { 0 } else { progress.iteration };
            println!(
                "round {round:>2}  bound {:10.4}  value {:10.4}  {:7.1} s",
                progress.lower_bound, progress.value, progress.seconds
            );
        }
    }
}

fn main() -> relucert::Result<()> {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let &[samples, blocks, rounds] = numbers.as_slice() else {
        return Err(relucert::Error::Input("give samples, blocks and rounds".into()));
    };
    let data = teacher(&TeacherSettings { samples, features: 10, outputs: 3, ..TeacherSettings::default() })?;
    let problem = data.problem(samples as f64 / 60.0)?;
    let x = Mat::from_fn(samples, 11, |i, j| if j < 10 { problem.features()[(i, j)] } else { 1.0 });
    let problem = TrainingProblem::new(x, problem.targets().to_owned(), problem.weight_decay())?;
    let network = train(&problem, &TrainingSettings::default(), &Control::new());
    let settings = CertifySettings {
        blocks: Blocks::Count(blocks),
        prices: Prices::Rounds(rounds),
        ..CertifySettings::default()
    };
    let found = certify_network(&problem, &network, &settings, &Control::new(), &mut Lines)?;
    let report = &found.report;
    println!(
        "n {samples}, {} blocks: bound {:.4} ({:?}), estimated loss {:?}, network {:.4}, solve {:.1} s, certify {:.1} s",
        report.blocks,
        report.lower_bound,
        report.grade,
        report.dividing_loss,
        report.upper_bound,
        report.seconds.solve,
        report.seconds.certify
    );
    Ok(())
}
