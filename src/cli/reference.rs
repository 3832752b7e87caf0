//! `relucert reference`.

use super::arguments::CertifyOptions;
use super::certify::run_with;
use crate::render::pictures::Moment;
use relucert::certify_by_interior_point;
use relucert::interior_point::{ReferenceIteration, ReferenceSettings};
use relucert::training::TrainingSettings;
use relucert::{Blocks, Error, Method, Result};
use std::io::{IsTerminal, Write};

pub(super) fn run(options: &CertifyOptions) -> Result<u8> {
    if matches!(options.blocks, Blocks::Count(count) if count > 1) {
        return Err(Error::Input(
            "--blocks: the dense solver takes all samples at once; leave it out".into(),
        ));
    }
    run_with(options, Method::InteriorPoint, |problem, control| {
        let training =
            TrainingSettings { effort: options.effort, seed: options.seed, ..TrainingSettings::default() };
        let mut log = Log { shown: !options.quiet && std::io::stderr().is_terminal(), headed: false };
        let mut history = Vec::new();
        let mut observer = |line: &ReferenceIteration| {
            log.line(line);
            history.push(Moment {
                seconds: line.seconds,
                value: line.value,
                bound: line.dual_value,
                infeasibility: line.primal_infeasibility,
            });
        };
        let settings = ReferenceSettings { cuts: options.cuts, ..ReferenceSettings::default() };
        let certified = certify_by_interior_point(problem, &settings, &training, control, &mut observer)?;
        // The solver's clock starts when the network is trained.
        history.iter_mut().for_each(|moment| moment.seconds += certified.report.seconds.round);
        Ok((certified, history))
    })
}

/// The iteration log on standard error, where that is a terminal.
struct Log {
    shown: bool,
    headed: bool,
}

impl Log {
    fn line(&mut self, line: &ReferenceIteration) {
        if !self.shown {
            return;
        }
        let mut error = std::io::stderr().lock();
        // A terminal that went away is no reason to stop.
        if !self.headed {
            self.headed = true;
            let _ = writeln!(
                error,
                " it          value           dual     gap  primal    dual  steps      pairs seconds"
            );
        }
        let _ = writeln!(
            error,
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
    }
}
