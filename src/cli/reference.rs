//! `relucert reference`.

use super::arguments::CertifyOptions;
use super::certify::run_with;
use super::progress::{Log, Shown};
use crate::render::pictures::Moment;
use relucert::certify_by_interior_point;
use relucert::interior_point::{ReferenceIteration, ReferenceSettings};
use relucert::training::TrainingSettings;
use relucert::{Blocks, Error, Method, Result};
use std::io::Write;

pub(super) fn run(options: &CertifyOptions) -> Result<u8> {
    if matches!(options.blocks, Blocks::Count(count) if count > 1) {
        return Err(Error::Input(
            "--blocks: the dense solver takes all samples at once; leave it out".into(),
        ));
    }
    run_with(options, Method::InteriorPoint, |problem, control| {
        let training =
            TrainingSettings { effort: options.effort, seed: options.seed, ..TrainingSettings::default() };
        let mut told = Told {
            shown: options.progress.shown("training"),
            log: options.progress.log(HEADING)?,
            headed: false,
        };
        let mut history = Vec::new();
        let mut observer = |line: &ReferenceIteration| {
            told.line(line);
            history.push(Moment {
                seconds: line.seconds,
                value: line.value,
                bound: line.dual_value,
                infeasibility: line.primal_infeasibility,
            });
        };
        let settings = ReferenceSettings { cuts: options.cuts, ..ReferenceSettings::default() };
        let certified = certify_by_interior_point(problem, &settings, &training, control, &mut observer)?;
        told.shown.finish();
        // The solver's clock starts when the network is trained.
        history.iter_mut().for_each(|moment| moment.seconds += certified.report.seconds.round);
        Ok((certified, history))
    })
}

/// The columns of the iteration log.
const HEADING: &str = " it          value           dual     gap  primal    dual  steps      pairs seconds";

/// The iteration log: on a terminal in full, else the last line now and then.
struct Told {
    shown: Shown,
    log: Option<Log>,
    headed: bool,
}

impl Told {
    fn line(&mut self, line: &ReferenceIteration) {
        let text = format!(
            "{:3} {:14.8e} {:14.8e} {:7.1e} {:7.1e} {:7.1e} {:.2} {:.2} {:6} {:7.1}",
            line.iteration,
            line.value,
            line.dual_value,
            line.gap,
            line.primal_infeasibility,
            line.dual_infeasibility,
            line.primal_step,
            line.dual_step,
            line.pairs,
            line.seconds,
        );
        if let Some(log) = &mut self.log {
            log.line(&text);
        }
        if self.shown.is_bar() {
            // A terminal that went away is no reason to stop.
            self.shown.aside(|| {
                let mut error = std::io::stderr().lock();
                if !self.headed {
                    let _ = writeln!(error, "{HEADING}");
                }
                let _ = writeln!(error, "{text}");
            });
            self.headed = true;
        } else {
            let message = format!(
                "iteration {}  value {:.6}  bound ~{:.6}",
                line.iteration, line.value, line.dual_value
            );
            self.shown.say("iterations", &message);
        }
    }
}
