//! What little a run may spend, and what it keeps when it is stopped.

use super::tools::{assert_honest, noisy, run, settings};
use relucert::branch::{BranchAndBound, BranchSettings, BranchStatus, branch_and_bound};
use relucert::certificate::branch::SearchSettings;
use relucert::certificate::{Grade, prove};
use relucert::report::Status;
use relucert::training::{TrainingSettings, train};
use relucert::{
    Certified, CertifySettings, Control, Network, Observer, Progress, Silent, TrainingProblem, certify,
};
use std::time::{Duration, Instant};

fn spending(cells: u64, visits: u64) -> BranchSettings {
    BranchSettings { search: SearchSettings { cells, visits }, ..BranchSettings::default() }
}

fn trained(problem: &TrainingProblem) -> (TrainingSettings, Network) {
    let training = TrainingSettings::default();
    let network = train(problem, &training, &Control::new());
    (training, network)
}

#[test]
fn a_larger_budget_never_gives_a_lower_bound() {
    for (n, d, c, part) in [(120, 4, 1, 0.01), (80, 5, 2, 0.01), (60, 3, 3, 0.003)] {
        let problem = noisy(n, d, c, part);
        let (training, network) = trained(&problem);
        let (mut last, mut first) = (0.0, None);
        for power in 0..=16 {
            let settings = spending(u64::MAX, 1000 << power);
            let control = Control::new();
            let best = branch_and_bound(
                &problem,
                network.clone(),
                1e-4,
                &settings,
                &training,
                &control,
                &mut |_| {},
            );
            let best = best.unwrap();
            let bound = best.lower_bound().value();
            assert!(bound >= last, "{n} × {d}, {} visits: {bound} below {last}", 1000 << power);
            assert!(bound <= best.network.objective(&problem));
            if let Some((certificate, proof)) = &best.bound {
                assert_eq!(prove(&problem, certificate).unwrap().lower_bound(), proof.lower_bound());
            }
            last = bound;
            first.get_or_insert(bound);
        }
        assert!(first < Some(last), "the budget must matter");
    }
}

#[test]
fn a_run_goes_on_where_it_ended_and_its_bound_only_rises() {
    let problem = noisy(200, 4, 2, 0.01);
    let (training, network) = trained(&problem);
    let mut road = BranchAndBound::new(&problem, network, 1e-3, &training);
    let (mut bound, mut objective) = (0.0, f64::INFINITY);
    let mut runs = 0;
    for power in 0..30 {
        let status = road.run(&spending(u64::MAX, 1000 << power), &Control::new(), &mut |progress| {
            // What is told on the way is proved and never falls.
            assert!(progress.lower_bound >= bound && progress.lower_bound <= progress.upper_bound);
            assert!((0.0..=1.0 + 1e-9).contains(&progress.search.share));
        });
        runs += 1;
        let best = road.best();
        assert!(best.lower_bound() >= bound && best.network.objective(&problem) <= objective);
        (bound, objective) = (best.lower_bound().value(), best.network.objective(&problem));
        match status.unwrap() {
            BranchStatus::Reached => break,
            status => assert_eq!(status, BranchStatus::Budget),
        }
    }
    assert!(
        runs > 3 && bound >= (1.0 - 1e-3) * objective * (1.0 - 1e-12),
        "{runs} runs: {bound} {objective}"
    );
    assert!(road.into_best().forecast.is_none());
}

#[test]
fn few_visits_cells_or_rounds_leave_a_bound() {
    let problem = noisy(100, 4, 2, 0.01);
    let whole = run(&problem, &settings(1e-3, u64::MAX));
    assert_eq!(whole.report.status, Status::Converged);
    for branch in [
        spending(1, 1),
        spending(0, 0),
        spending(u64::MAX, 10_000),
        spending(100, u64::MAX),
        spending(20_000, u64::MAX),
        BranchSettings { rounds: 0, ..BranchSettings::default() },
        BranchSettings { rounds: 1, ..BranchSettings::default() },
    ] {
        let limit = branch.search.clone();
        let found = run(&problem, &CertifySettings { branch, ..settings(1e-6, u64::MAX) });
        let figures = found.report.branch.unwrap();
        assert!(found.report.lower_bound > 0.0 && found.report.lower_bound <= whole.report.upper_bound);
        // A subtree is finished cell by cell.
        assert!(figures.cells <= limit.cells.saturating_add(64), "{figures:?} {limit:?}");
        assert!(figures.visits <= limit.visits.saturating_add(64 * 100), "{figures:?} {limit:?}");
    }
}

/// Cancels at the first report of a search that satisfies a condition.
struct Stopper<F> {
    control: Control,
    when: F,
    seen: Vec<Progress>,
}

impl<F: Fn(&Progress) -> bool> Observer for Stopper<F> {
    fn progress(&mut self, progress: &Progress) {
        self.seen.push(progress.clone());
        if (self.when)(progress) {
            self.control.cancel();
        }
    }

    fn warning(&mut self, message: &str) {
        panic!("{message}");
    }
}

fn stopped(
    problem: &TrainingProblem,
    settings: &CertifySettings,
    when: impl Fn(&Progress) -> bool,
) -> (Certified, Vec<Progress>) {
    let control = Control::new();
    let mut stopper = Stopper { control: control.clone(), when, seen: Vec::new() };
    let certified = certify(problem, settings, &control, &mut stopper).unwrap();
    assert_honest(problem, &certified, settings.tolerance);
    (certified, stopper.seen)
}

#[test]
fn a_run_that_is_cancelled_midway_keeps_what_it_has_proved() {
    let problem = noisy(100, 6, 1, 0.01);
    let settings = settings(1e-5, u64::MAX);
    let mut bounds = Vec::new();
    for cells in [1, 10_000, 100_000] {
        let (certified, seen) = stopped(&problem, &settings, |progress| {
            progress.lower_bound > 0.0 && progress.cells.is_some_and(|now| now >= cells)
        });
        assert_eq!(certified.report.status, Status::Cancelled);
        assert_eq!(certified.report.branch.unwrap().status, BranchStatus::Stopped);
        let last = seen.last().unwrap();
        assert!(last.lower_bound > 0.0 && certified.report.lower_bound >= last.lower_bound);
        assert!(seen.windows(2).all(|pair| pair[0].lower_bound <= pair[1].lower_bound));
        assert!(seen.iter().all(|progress| progress.lower_bound <= progress.upper_bound));
        assert!(seen.iter().all(|progress| progress.share.is_some_and(|share| share <= 1.0 + 1e-9)));
        bounds.push(certified.report.lower_bound.value());
    }
    assert!(bounds.is_sorted(), "{bounds:?}");
}

#[test]
fn a_run_that_is_cancelled_before_anything_still_has_a_proved_bound() {
    let problem = noisy(100, 4, 2, 0.01);
    let control = Control::new();
    control.cancel();
    let certified = certify(&problem, &settings(1e-3, u64::MAX), &control, &mut Silent).unwrap();
    assert_eq!(certified.report.status, Status::Cancelled);
    assert_eq!(certified.proof.grade(), Grade::Verified);
    assert_honest(&problem, &certified, 1e-3);
}

#[test]
fn a_time_limit_is_kept_with_a_proved_bound() {
    let problem = noisy(500, 8, 2, 0.003);
    for limit in [300, 3000] {
        let (begun, limit) = (Instant::now(), Duration::from_millis(limit));
        let control = Control::new().within(limit);
        let certified = certify(&problem, &settings(1e-6, u64::MAX), &control, &mut Silent).unwrap();
        let took = begun.elapsed();
        assert_eq!(certified.report.status, Status::TimeLimit);
        assert_eq!(certified.report.overrun, None, "{took:?}");
        assert!(certified.report.lower_bound > 0.0);
        assert_honest(&problem, &certified, 1e-6);
    }
}

/// Everything a run hands out, but for times.
fn bits(certified: &Certified) -> Vec<u64> {
    let network = &certified.network;
    let matrices = [certified.certificate.dual().w.as_ref(), network.hidden(), network.output()];
    let numbers = matrices.into_iter().flat_map(|m| m.col_iter().flat_map(|column| column.iter()));
    let report = &certified.report;
    let figures = [report.lower_bound.value(), report.upper_bound.value(), report.gap.value()];
    let branch = report.branch.unwrap();
    let numbers = numbers.copied().chain(figures).chain([branch.epsilon.unwrap_or(-1.0)]);
    numbers.map(f64::to_bits).chain([branch.cells, branch.visits, branch.dimension as u64]).collect()
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    for (problem, settings) in [
        (noisy(300, 4, 2, 0.01), settings(1e-3, u64::MAX)),
        // One that runs out of its budget.
        (noisy(200, 6, 1, 0.01), settings(1e-5, 5_000_000)),
    ] {
        let with = |threads: usize, settings: &CertifySettings| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| run(&problem, settings))
        };
        let one = with(1, &settings);
        for threads in [2, 8] {
            assert!(bits(&one) == bits(&with(threads, &settings)), "one thread against {threads}");
        }
        let other = with(2, &CertifySettings { seed: 1, ..settings });
        assert!(bits(&one) != bits(&other), "the comparison must be able to fail");
    }
}
