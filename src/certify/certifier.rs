//! One entry to a run, with everything that a caller may set and nothing that he must.

use crate::certify::certified::{Certified, check_network};
use crate::certify::divide::{BlockExecutor, RayonExecutor};
use crate::certify::run::run;
use crate::certify::settings::CertifySettings;
use crate::control::Control;
use crate::error::Result;
use crate::problem::{Network, TrainingProblem};
use crate::progress::{Observer, Silent};

/// A run to be: [`certify()`](crate::certify()) and [`certify_network`](crate::certify_network) with whatever is left out at
/// its default.
///
/// ```
/// use relucert::{Certifier, CertifySettings, Control, TrainingProblem};
/// use std::time::Duration;
///
/// let x = faer::mat![[-1.0, 1.0], [0.0, 1.0], [1.0, 1.0], [2.0, 1.0]];
/// let y = faer::mat![[1.0], [0.0], [1.0], [2.0]];
/// let problem = TrainingProblem::new(x, y, 0.1)?;
/// let control = Control::new().within(Duration::from_secs(60));
/// let found = Certifier::new(CertifySettings::default()).control(&control).run(&problem)?;
/// assert!(found.proof.lower_bound() > 0.0);
/// # Ok::<(), relucert::Error>(())
/// ```
#[must_use = "a run begins with `run`"]
pub struct Certifier<'a> {
    settings: CertifySettings,
    control: Control,
    observer: Option<&'a mut dyn Observer>,
    executor: &'a dyn BlockExecutor,
    network: Option<&'a Network>,
}

impl<'a> Certifier<'a> {
    /// With these settings, no deadline, nobody told, and blocks solved by the threads of this process.
    pub fn new(settings: CertifySettings) -> Self {
        Self { settings, control: Control::new(), observer: None, executor: &RayonExecutor, network: None }
    }

    /// When to stop.
    pub fn control(self, control: &Control) -> Self {
        Self { control: control.clone(), ..self }
    }

    /// Who is told of the progress.
    pub fn observer(self, observer: &'a mut dyn Observer) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// Where blocks of samples are solved. The bound does not depend on it, and nothing that comes back is believed.
    pub fn executor(self, executor: &'a dyn BlockExecutor) -> Self {
        Self { executor, ..self }
    }

    /// A network that comes from elsewhere, to be judged in place of one that is trained; it is returned as it came.
    pub fn network(self, network: &'a Network) -> Self {
        Self { network: Some(network), ..self }
    }

    /// Runs. Errors: as [`certify()`](crate::certify()) and [`certify_network`](crate::certify_network), and what the
    /// executor reports.
    pub fn run(self, problem: &TrainingProblem) -> Result<Certified> {
        if let Some(network) = self.network {
            check_network(problem, network)?;
        }
        let silent: &mut dyn Observer = &mut Silent;
        let observer = match self.observer {
            Some(observer) => observer,
            None => silent,
        };
        let stages = run(problem, self.network, &self.settings, self.executor, &self.control, observer)?;
        Ok(stages.certified)
    }
}
