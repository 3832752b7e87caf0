//! Runs that are stopped: at once, between levels, in the middle of a repair. What was found is never lost.

use crate::common::{gaussian, problem};
use faer::Mat;
use relucert::certificate::Grade;
use relucert::dual::DualPoint;
use relucert::repair::{RepairSettings, repair};
use relucert::report::Status;
use relucert::{
    Certified, CertifySettings, Control, Method, Observer, Progress, Silent, TrainingProblem, certify,
};
use std::time::Duration;

fn teacher(samples: usize) -> TrainingProblem {
    teacher_of(samples, 4)
}

fn teacher_of(samples: usize, features: usize) -> TrainingProblem {
    let (x, noise) = (gaussian(1, samples, features), gaussian(2, samples, 2));
    let y = Mat::from_fn(samples, 2, |i, j| x[(i, j)].abs() + 0.3 * noise[(i, j)]);
    problem(&x, &y, 0.02 * samples as f64)
}

fn run(problem: &TrainingProblem, control: &Control, observer: &mut dyn Observer) -> Certified {
    // Tight enough for a dozen levels.
    let settings = CertifySettings { tolerance: 1e-5, method: Method::LowRank, ..CertifySettings::default() };
    certify(problem, &settings, control, observer).unwrap()
}

/// Stops the run after a number of levels.
struct Stopper {
    control: Control,
    levels: usize,
    seen: Vec<Progress>,
}

impl Observer for Stopper {
    fn progress(&mut self, progress: &Progress) {
        self.seen.push(progress.clone());
        if self.seen.len() == self.levels {
            self.control.cancel();
        }
    }
}

#[test]
fn a_run_stopped_before_it_begins_has_a_bound() {
    let problem = teacher(40);
    let cancelled = Control::new();
    cancelled.cancel();
    let late = Control::new().within(Duration::ZERO);
    for (control, status) in [(cancelled, Status::Cancelled), (late, Status::TimeLimit)] {
        let report = run(&problem, &control, &mut Silent).report;
        assert_eq!((report.status, report.grade), (status, Grade::Verified));
        assert!(report.lower_bound.value() > 0.1 * report.upper_bound.value(), "{report:?}");
        assert!(report.lower_bound <= report.upper_bound, "{report:?}");
    }
}

#[test]
fn a_run_stopped_between_levels_keeps_the_bound_it_reported_and_starts_no_further_level() {
    let problem = teacher(24);
    let mut best = 0.0;
    for levels in [1, 3, 6] {
        let control = Control::new();
        let mut stopper = Stopper { control: control.clone(), levels, seen: Vec::new() };
        let report = run(&problem, &control, &mut stopper).report;
        assert_eq!((report.status, report.grade), (Status::Cancelled, Grade::Verified));
        assert_eq!(stopper.seen.len(), levels);
        let reported = stopper.seen[levels - 1].lower_bound;
        assert!(report.lower_bound >= reported * (1.0 - 1e-6), "{reported}: {report:?}");
        assert!(report.lower_bound <= report.upper_bound, "{report:?}");
        assert!(report.lower_bound > best, "the levels must differ");
        best = report.lower_bound.value();
    }
}

#[test]
fn a_run_stopped_after_a_level_that_was_not_repaired_repairs_it_then() {
    let problem = teacher_of(600, 5);
    let mut won: f64 = 1.0;
    for levels in 1..=7 {
        let control = Control::new();
        let mut stopper = Stopper { control: control.clone(), levels, seen: Vec::new() };
        let report = run(&problem, &control, &mut stopper).report;
        assert_eq!((report.status, report.grade), (Status::Cancelled, Grade::Verified));
        let reported = stopper.seen[levels - 1].lower_bound;
        assert!(report.lower_bound >= reported * (1.0 - 1e-6), "{reported}: {report:?}");
        assert!(report.lower_bound <= report.upper_bound, "{report:?}");
        won = won.max(report.lower_bound.value() / reported);
    }
    assert!(won > 1.01, "some level must have been left to the end: {won}");
}

#[test]
fn a_repair_that_is_stopped_ends_within_its_grace() {
    let problem = teacher(24);
    // A pair makes the repair dense in the samples.
    let dual = DualPoint {
        w: problem.targets().to_owned(),
        pairs: vec![[0, 25]],
        n: vec![1e-3],
        ..DualPoint::zero(24, 2)
    };
    let stopped = Control::new();
    stopped.cancel();
    let bound = |grace, control: &Control| {
        let settings = RepairSettings { grace, ..RepairSettings::default() };
        let repaired = repair(&problem, &dual, &settings, control).unwrap();
        assert!(repaired.dual.check(&problem).is_ok());
        repaired.estimated_bound
    };
    let whole = bound(0.0, &Control::new());
    assert!(whole > 0.0);
    assert_eq!(bound(0.0, &stopped), 0.0);
    // Twelve factorisations of order 24 find some shift, not the best one.
    let some = bound(12.0 * 24f64.powi(3) / 3.0, &stopped);
    assert!(0.0 < some && some < 0.9999 * whole, "{some} of {whole}");
    assert_eq!(bound(1e12, &stopped), whole);
}

#[test]
fn an_interior_point_run_stopped_on_the_way_has_the_bound_of_its_best_point() {
    let problem = teacher(30);
    let settings = CertifySettings { method: Method::InteriorPoint, ..CertifySettings::default() };
    let whole = certify(&problem, &settings, &Control::new(), &mut Silent).unwrap().report;
    assert_eq!(whole.status, Status::Converged);
    for iterations in [1, 8] {
        let control = Control::new();
        let mut stopper = Stopper { control: control.clone(), levels: iterations, seen: Vec::new() };
        let report = certify(&problem, &settings, &control, &mut stopper).unwrap().report;
        assert_eq!((report.status, report.grade), (Status::Cancelled, Grade::Verified));
        assert_eq!(stopper.seen.len(), iterations, "it went on after it was told to stop");
        assert!(report.lower_bound > 0.0 && report.lower_bound <= whole.upper_bound, "{report:?}");
    }
}
