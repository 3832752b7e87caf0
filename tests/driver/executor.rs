//! Executors of blocks: the same bits wherever a block is solved, and nothing that an executor returns is believed.

use relucert::certificate::{Grade, prove};
use relucert::data::{TeacherSettings, teacher};
use relucert::training::TrainingSettings;
use relucert::{
    BlockExecutor, BlockOutcome, BlockTask, BlockTasks, Blocks, Certified, Certifier, CertifySettings,
    Checkpoint, Control, Error, Observer, Prices, Progress, RayonExecutor, Result, TrainingProblem, certify,
};
use std::io::{Cursor, Read, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use zip::write::FileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

fn problem(seed: u64) -> TrainingProblem {
    let data = TeacherSettings { samples: 60, features: 3, outputs: 2, seed, ..TeacherSettings::default() };
    teacher(&data).unwrap().problem(0.6).unwrap()
}

fn settings(prices: Prices) -> CertifySettings {
    let training =
        TrainingSettings { width: 8, starts: 1, iterations: 50, rounds: 1, ..TrainingSettings::default() };
    CertifySettings { blocks: Blocks::Count(3), prices, training, ..CertifySettings::default() }
}

fn run(problem: &TrainingProblem, prices: Prices, executor: &dyn BlockExecutor) -> Result<Certified> {
    Certifier::new(settings(prices)).executor(executor).run(problem)
}

fn bits(found: &Certified) -> Vec<u64> {
    let dual = found.certificate.dual();
    let numbers = dual.y.iter().chain(&dual.n).chain(dual.w.col_iter().flat_map(|column| column.iter()));
    let report = &found.report;
    let rest = [report.lower_bound.value(), report.relaxation_value.unwrap(), report.dividing_loss.unwrap()];
    numbers.chain(&rest).map(|value| value.to_bits()).collect()
}

/// Every task and every outcome as bytes, a thread for each, as processes of a pool would; the rounds seen.
#[derive(Default)]
struct Remote {
    rounds: Mutex<Vec<usize>>,
    /// Whether outcomes are received as they come, last first.
    receives: bool,
}

fn elsewhere(task: &[u8]) -> Result<Vec<u8>> {
    BlockTask::from_bytes(task)?.solve(&Control::new())?.to_bytes()
}

impl BlockExecutor for Remote {
    fn execute(
        &self,
        tasks: &BlockTasks<'_>,
        _: &Control,
        progress: &mut dyn FnMut(),
    ) -> Vec<Result<BlockOutcome>> {
        self.rounds.lock().unwrap().push(tasks.len());
        let sent: Vec<Vec<u8>> =
            (0..tasks.len()).map(|place| tasks.task(place).unwrap().to_bytes().unwrap()).collect();
        let answers: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                sent.iter().map(|bytes| scope.spawn(move || elsewhere(bytes).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let mut outcomes: Vec<Result<BlockOutcome>> =
            answers.iter().map(|bytes| BlockOutcome::from_bytes(bytes)).collect();
        if self.receives {
            let received = outcomes.into_iter().enumerate().rev().map(|(place, outcome)| {
                let outcome = tasks.receive(place, outcome?);
                progress();
                outcome
            });
            outcomes = received.collect();
            outcomes.reverse();
        }
        outcomes
    }
}

/// What an observer saw of the blocks.
#[derive(Default)]
struct Done(Vec<(usize, usize)>);

impl Observer for Done {
    fn progress(&mut self, progress: &Progress) {
        self.0.extend(progress.blocks);
    }
}

#[test]
fn the_bits_do_not_depend_on_where_blocks_are_solved() {
    let problem = problem(0);
    for prices in [Prices::None, Prices::Rounds(2)] {
        let whole = certify(&problem, &settings(prices), &Control::new(), &mut relucert::Silent).unwrap();
        for receives in [false, true] {
            let (remote, mut done) = (Remote { receives, ..Remote::default() }, Done::default());
            let certifier = Certifier::new(settings(prices)).executor(&remote).observer(&mut done);
            let found = certifier.run(&problem).unwrap();
            assert_eq!(bits(&found), bits(&whole), "{prices:?}");
            assert_eq!(prove(&problem, &found.certificate).unwrap().lower_bound(), whole.report.lower_bound);
            let rounds = remote.rounds.into_inner().unwrap();
            // The blocks, the parts that tell the loss, and the rounds of prices.
            assert_eq!(rounds[..2], [3, 6]);
            assert_eq!(rounds.len() > 2, prices != Prices::None, "{rounds:?}");
            assert_eq!(done.0, if receives { vec![(1, 3), (2, 3), (3, 3)] } else { vec![] });
        }
    }
}

/// Solves here, and does to the outcomes what `lie` says.
struct Liar<F>(F);

impl<F: Fn(&BlockTasks<'_>, Vec<Result<BlockOutcome>>) -> Vec<Result<BlockOutcome>> + Sync> BlockExecutor
    for Liar<F>
{
    fn execute(
        &self,
        tasks: &BlockTasks<'_>,
        control: &Control,
        progress: &mut dyn FnMut(),
    ) -> Vec<Result<BlockOutcome>> {
        (self.0)(tasks, RayonExecutor.execute(tasks, control, progress))
    }
}

type Lie = dyn Fn(&BlockTasks<'_>, Vec<Result<BlockOutcome>>) -> Vec<Result<BlockOutcome>> + Sync;

fn message(problem: &TrainingProblem, lie: &Lie) -> String {
    let error = run(problem, Prices::None, &Liar(lie)).map(|_| ()).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

#[test]
fn outcomes_of_other_tasks_are_refused() {
    let problem = problem(0);
    let swapped = message(&problem, &|_, mut outcomes| {
        outcomes.swap(0, 2);
        outcomes
    });
    assert!(swapped.contains("an outcome of block 2 of 3 for block 0 of 3"), "{swapped}");

    // The same blocks of other data, proved in this very process.
    let other = self::problem(7);
    let kept = Mutex::new(Vec::new());
    let collect = Liar(|_: &BlockTasks<'_>, outcomes: Vec<Result<BlockOutcome>>| {
        let mut kept = kept.lock().unwrap();
        if kept.is_empty() {
            kept.extend(outcomes.iter().map(|outcome| outcome.as_ref().unwrap().clone()));
        }
        outcomes
    });
    run(&other, Prices::None, &collect).unwrap();
    let foreign = kept.into_inner().unwrap();
    let honest = run(&problem, Prices::None, &RayonExecutor).unwrap().report.lower_bound;
    let found = run(
        &problem,
        Prices::None,
        &Liar(|_: &BlockTasks<'_>, outcomes: Vec<Result<BlockOutcome>>| match outcomes.len() {
            3 => foreign.iter().cloned().map(Ok).collect(),
            _ => outcomes,
        }),
    );
    // Dual points of other targets prove little here, or nothing: never what they proved there.
    if let Ok(found) = found {
        assert!(found.report.lower_bound < honest);
        assert_eq!(prove(&problem, &found.certificate).unwrap().lower_bound(), found.report.lower_bound);
    }
}

#[test]
fn forged_claims_and_damaged_bytes_make_no_bound() {
    let problem = problem(0);
    let honest = run(&problem, Prices::None, &RayonExecutor).unwrap().report.lower_bound;
    let claim = |_: &BlockTasks<'_>, outcomes: Vec<Result<BlockOutcome>>| {
        let forge = |outcome: Result<BlockOutcome>| {
            BlockOutcome::from_bytes(&with_a_greater_claim(&outcome?.to_bytes()?))
        };
        outcomes.into_iter().map(forge).collect()
    };
    // The claim is read, and proved away.
    let found = run(&problem, Prices::None, &Liar(claim)).unwrap();
    assert_eq!(found.report.lower_bound, honest);
    assert_eq!(FORGED.load(Ordering::Relaxed), 3);
    let task = relucert::Division::new(&problem, &trained(&problem), &settings(Prices::None))
        .unwrap()
        .task(0)
        .unwrap();
    let bytes = task.to_bytes().unwrap();
    let mut refused = 0;
    for place in (0..bytes.len()).step_by(bytes.len() / 80) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x55;
        match BlockTask::from_bytes(&damaged) {
            Ok(read) => assert_eq!(read.problem().targets(), task.problem().targets()),
            Err(error) => {
                assert_eq!(error.to_string().lines().count(), 1, "{error}");
                refused += 1;
            }
        }
        assert!(BlockTask::from_bytes(&bytes[..place]).is_err());
    }
    assert!(refused > 40, "{refused}");
}

/// Claims forged so far.
static FORGED: AtomicUsize = AtomicUsize::new(0);

/// An outcome whose figures claim a bound a thousand times too high or more, in an archive without a fault.
fn with_a_greater_claim(bytes: &[u8]) -> Vec<u8> {
    let mut whole = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut forged = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..whole.len() {
        let mut member = whole.by_index(index).unwrap();
        let name = member.name().to_owned();
        let mut content = Vec::new();
        member.read_to_end(&mut content).unwrap();
        if name == "json.npy" {
            let key = b"\"lower_bound\":";
            let place = content.windows(key.len()).position(|part| part == key).unwrap() + key.len();
            let point = place + content[place..].iter().position(|byte| *byte == b'.').unwrap();
            // As long as before: the header of the array says how long that is. The values of parts claim no bound.
            if content[point + 1..point + 4].iter().all(u8::is_ascii_digit) {
                content[place] = b'9';
                content[point] = b'0';
                content[point + 3] = b'.';
                FORGED.fetch_add(1, Ordering::Relaxed);
            }
        }
        forged
            .start_file(name, FileOptions::default().compression_method(CompressionMethod::Stored))
            .unwrap();
        forged.write_all(&content).unwrap();
    }
    forged.finish().unwrap().into_inner()
}

fn trained(problem: &TrainingProblem) -> relucert::Network {
    relucert::training::train(problem, &settings(Prices::None).training, &Control::new())
}

#[test]
fn errors_name_the_task_and_too_few_outcomes_are_one() {
    let problem = problem(0);
    let failed = message(&problem, &|tasks, mut outcomes| {
        outcomes[1] = Err(tasks.failed(1, "the machine went away"));
        outcomes
    });
    assert_eq!(failed, "block 1 of 3 was not solved: the machine went away");
    let few = message(&problem, &|_, mut outcomes| {
        outcomes.pop();
        outcomes
    });
    assert!(few.contains("2 outcomes of 3 tasks"), "{few}");
    let _ = message(&problem, &|tasks, outcomes| {
        assert!(matches!(tasks.task(tasks.len()), Err(Error::Parameter { name: "place", .. })));
        assert!(!tasks.is_empty() && tasks.at_once() >= 1);
        outcomes.into_iter().map(|_| Err(tasks.failed(0, "nothing"))).collect()
    });
}

#[test]
fn blocks_received_before_a_failure_are_in_the_checkpoint() {
    let problem = problem(0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.npz");
    let interval = std::time::Duration::ZERO;
    let with = CertifySettings {
        checkpoint: Some(Checkpoint { interval, ..Checkpoint::new(&path) }),
        ..settings(Prices::None)
    };
    let broken = Liar(|tasks: &BlockTasks<'_>, mut outcomes: Vec<Result<BlockOutcome>>| {
        outcomes[2] = Err(tasks.failed(2, "no room"));
        outcomes
    });
    assert!(Certifier::new(with.clone()).executor(&broken).run(&problem).is_err());
    // All three were received by the executor within; the parts that tell the loss are the first round.
    let remote = Remote::default();
    let found = Certifier::new(with).executor(&remote).run(&problem).unwrap();
    assert_eq!(remote.rounds.into_inner().unwrap(), [6]);
    assert_eq!(bits(&found), bits(&run(&problem, Prices::None, &RayonExecutor).unwrap()));
    assert_eq!(found.report.grade, Grade::Verified);
}
