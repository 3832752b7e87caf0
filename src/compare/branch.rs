//! The row of branch and bound.

use crate::branch::BranchSettings;
use crate::certificate::branch::SearchSettings;
use crate::certify::by_branch::LONG;
use crate::certify::certified::Certified;
use crate::certify::divide::RayonExecutor;
use crate::certify::run::run;
use crate::certify::settings::{Blocks, CertifySettings, Method, Prices};
use crate::control::Control;
use crate::error::Result;
use crate::problem::TrainingProblem;
use crate::progress::Silent;
use crate::relaxation::cuts::Cuts;

/// Branch and bound by itself, for as long as `certify` would give it without being asked.
pub(super) fn find(
    problem: &TrainingProblem,
    known: &CertifySettings,
    seed: u64,
    control: &Control,
) -> Result<Certified> {
    let search = budget(known);
    let settings = CertifySettings {
        seed,
        method: Method::Branch,
        branch: BranchSettings { search, ..known.branch.clone() },
        // Those are the relaxation's.
        blocks: Blocks::Count(1),
        prices: Prices::None,
        cuts: Cuts::None,
        checkpoint: None,
        ..known.clone()
    };
    Ok(run(problem, None, &settings, &RayonExecutor, control, &mut Silent)?.certified)
}

/// What `certify` would spend on a search without being asked, or less where the settings say so.
pub(super) fn budget(known: &CertifySettings) -> SearchSettings {
    SearchSettings { visits: known.branch.search.visits.min(LONG), ..known.branch.search.clone() }
}
