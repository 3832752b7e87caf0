//! A run in a thread of its own, while Python's thread waits for it: without the interpreter's lock, and with an ear for
//! Ctrl-C.

use crate::arrays::{array2, network, problem};
use crate::errors::{defect, refused};
use crate::executor::PythonExecutor;
use crate::options::{Options, control, effort, pool};
use crate::outcome::{Outcome, told};
use numpy::PyArray2;
use pyo3::exceptions::{PyKeyboardInterrupt, PyUserWarning};
use pyo3::prelude::{Bound, PyAny, PyAnyMethods, PyErr, PyResult, Python, pyfunction};
use rayon::ThreadPool;
use relucert::training::TrainingSettings;
use relucert::{Certifier, Control, Observer, Progress};
use std::ffi::CString;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How often the waiting thread looks for Ctrl-C (conventional).
const LOOK: Duration = Duration::from_millis(50);
/// The stack of the thread that a run is in: that of a main thread.
const STACK: usize = 8 << 20;

/// What a run tells on its way.
enum Told {
    Progress(Progress),
    Warning(String),
}

struct Teller(Sender<Told>);

// Nobody listens any more after a second Ctrl-C.
impl Observer for Teller {
    fn progress(&mut self, progress: &Progress) {
        let _ = self.0.send(Told::Progress(progress.clone()));
    }

    fn warning(&mut self, message: &str) {
        let _ = self.0.send(Told::Warning(message.into()));
    }
}

/// Does the work in a thread of its own with the threads of `pool`, and hands back what it gives and what it told.
///
/// The first Ctrl-C raises the flag of `control`, and the work ends by itself with what it has; the second raises
/// `KeyboardInterrupt` at once. So does any exception of the callback, once the work has ended.
pub(crate) fn watched<T: Send + 'static>(
    py: Python<'_>,
    control: &Control,
    pool: Arc<ThreadPool>,
    callback: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&Control, &mut dyn Observer) -> relucert::Result<T> + Send + 'static,
) -> PyResult<(T, Vec<Progress>)> {
    let (sender, receiver) = channel();
    let flag = control.clone();
    let worker = thread::Builder::new()
        .name("relucert".into())
        .stack_size(STACK)
        .spawn(move || pool.install(|| work(&flag, &mut Teller(sender))))?;
    let receiver = Mutex::new(receiver);
    let (mut history, mut trouble) = (Vec::new(), None);
    loop {
        let heard = match py.detach(|| next(&receiver)) {
            Ok(Told::Progress(progress)) => {
                let heard = match callback {
                    Some(callback) if trouble.is_none() => callback.call1((told(py, &progress)?,)).map(drop),
                    _ => Ok(()),
                };
                history.push(progress);
                heard
            }
            Ok(Told::Warning(message)) => {
                let message = CString::new(message.replace('\0', " "))?;
                PyErr::warn(py, &py.get_type::<PyUserWarning>(), &message, 2)
            }
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => break,
        };
        for heard in [heard, py.check_signals()] {
            match heard {
                Ok(()) => {}
                Err(error) if error.is_instance_of::<PyKeyboardInterrupt>(py) => {
                    if control.is_cancelled() {
                        return Err(error);
                    }
                    control.cancel();
                }
                Err(error) => {
                    control.cancel();
                    trouble.get_or_insert(error);
                }
            }
        }
    }
    let outcome = py.detach(|| worker.join()).map_err(|panic| defect(&*panic))?.map_err(refused)?;
    match trouble {
        Some(error) => Err(error),
        None => Ok((outcome, history)),
    }
}

fn next(receiver: &Mutex<Receiver<Told>>) -> Result<Told, RecvTimeoutError> {
    receiver.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(LOOK)
}

/// Certifies a network that is trained, or the one given.
#[pyfunction]
#[pyo3(signature = (x, y, gamma, bias, weights, options, time_limit, threads, callback, futures))]
#[expect(clippy::too_many_arguments, reason = "the keywords of the caller")]
pub(crate) fn certify(
    py: Python<'_>,
    x: &Bound<'_, PyAny>,
    y: &Bound<'_, PyAny>,
    gamma: f64,
    bias: bool,
    weights: Option<(Bound<'_, PyAny>, Bound<'_, PyAny>)>,
    options: Options,
    time_limit: Option<f64>,
    threads: Option<usize>,
    callback: Option<&Bound<'_, PyAny>>,
    futures: Option<Bound<'_, PyAny>>,
) -> PyResult<Outcome> {
    let control = control(time_limit)?;
    let settings = options.settings()?;
    let pool = pool(threads)?;
    let given = weights.as_ref().map(network).transpose()?;
    let problem = Arc::new(problem(x, y, gamma, bias)?);
    let shared = Arc::clone(&problem);
    let executor = futures.map(PythonExecutor::new);
    let (certified, history) = watched(py, &control, pool, callback, move |control, observer| {
        let mut run = Certifier::new(settings).control(control).observer(observer);
        if let Some(network) = &given {
            run = run.network(network);
        }
        if let Some(executor) = &executor {
            run = run.executor(executor);
        }
        run.run(&shared)
    })?;
    Ok(Outcome::new(problem, certified, history))
}

/// U and V as arrays.
pub(crate) type Weights<'py> = (Bound<'py, PyArray2<f64>>, Bound<'py, PyArray2<f64>>);

/// Trains a network: U and V.
#[pyfunction]
#[pyo3(signature = (x, y, gamma, bias, effort_name, width, starts, seed, time_limit, threads))]
#[expect(clippy::too_many_arguments, reason = "the keywords of the caller")]
pub(crate) fn train<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    gamma: f64,
    bias: bool,
    effort_name: &str,
    width: usize,
    starts: usize,
    seed: u64,
    time_limit: Option<f64>,
    threads: Option<usize>,
) -> PyResult<Weights<'py>> {
    let control = control(time_limit)?;
    let settings =
        TrainingSettings { effort: effort(effort_name)?, width, starts, seed, ..TrainingSettings::default() };
    settings.validate().map_err(refused)?;
    let pool = pool(threads)?;
    let problem = problem(x, y, gamma, bias)?;
    let (network, _) = watched(py, &control, pool, None, move |control, _| {
        Ok(relucert::training::train(&problem, &settings, control))
    })?;
    Ok((array2(py, network.hidden())?, array2(py, network.output())?))
}
