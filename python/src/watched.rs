//! Work in a thread of its own, while Python's thread waits for it: without the interpreter's lock, and with an ear for
//! Ctrl-C.

use crate::errors::{defect, refused};
use crate::outcome::told;
use pyo3::exceptions::{PyKeyboardInterrupt, PyUserWarning};
use pyo3::prelude::{Bound, PyAny, PyAnyMethods, PyErr, PyResult, Python};
use rayon::ThreadPool;
use relucert::{Control, Observer, Progress};
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
