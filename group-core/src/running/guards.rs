//! The guards of a program: writers of the log, exporters of telemetry, profilers. They are dropped after the last line
//! was written, and in a thread where they may block.

use std::any::{Any, type_name};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::base::error::{Chain, Failure};
use crate::base::lock;
use crate::base::panic::caught_now;
use crate::base::text::Took;
use crate::lifecycle::interface::Stage;
use crate::record::console;
use crate::record::report::Report;
use crate::record::report_file::ReportFile;
use crate::running::log;

/// The guards that a program has given to its group. Cheap to clone; all clones hold the same guards.
#[derive(Clone, Default)]
pub(crate) struct Guards(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    /// In the order in which they were kept.
    guards: Vec<Guard>,
    /// The type of the guard that is being dropped.
    dropping: Option<&'static str>,
    /// The panics of those that were dropped.
    panics: Vec<Failure>,
}

struct Guard {
    type_name: &'static str,
    value: Box<dyn Any + Send>,
}

/// A group that is never run drops its guards in the same order.
impl Drop for Kept {
    fn drop(&mut self) {
        while let Some(guard) = self.guards.pop() {
            drop(guard);
        }
    }
}

impl Guards {
    pub(crate) fn keep<T: Send + 'static>(&self, guard: T) {
        let guard = Guard { type_name: type_name::<T>(), value: Box::new(guard) };
        lock(&self.0).guards.push(guard);
    }

    /// Takes the guards of another program part over.
    pub(crate) fn take_over(&self, other: &Self) {
        let more = std::mem::take(&mut lock(&other.0).guards);
        lock(&self.0).guards.extend(more);
    }

    /// Drops the guards, the last one first. A panic does not keep the others from being dropped.
    pub(crate) fn drop_all(&self) {
        while let Some(Guard { type_name, value }) = self.next() {
            if let Err(panicked) = caught_now(|| drop(value)) {
                let error = format!("the guard `{type_name}` {panicked}");
                lock(&self.0).panics.push(Failure::new(None, Stage::Stop, false, error.into()));
            }
        }
    }

    fn next(&self) -> Option<Guard> {
        let mut kept = lock(&self.0);
        let guard = kept.guards.pop();
        kept.dropping = guard.as_ref().map(|guard| guard.type_name);
        guard
    }

    /// Drops the guards in a thread of their own, once `last_line` has waited for the last line of the log. The runtime
    /// goes on meanwhile: an exporter of telemetry may need it. Returns the report, with what went wrong, which is told,
    /// and written to the file.
    pub(crate) async fn release(
        &self,
        report: Report,
        last_line: impl FnOnce() + Send + 'static,
        limit: Duration,
        report_file: Option<&ReportFile>,
    ) -> Report {
        if lock(&self.0).guards.is_empty() {
            return report;
        }
        let guards = self.clone();
        // Not a thread of ours: while a blocking task runs, paused time stands still.
        let dropped = spawn_blocking(move || {
            last_line();
            guards.drop_all();
        });
        // An inner error is the end of the runtime, in which the guards go, too.
        let late = timeout(limit, dropped).await.is_err().then(|| self.late(limit));
        let failures: Vec<Failure> = std::mem::take(&mut lock(&self.0).panics).into_iter().chain(late).collect();
        if failures.is_empty() {
            return report;
        }
        failures.iter().for_each(tell);
        let report = report.with(failures);
        if let Some(file) = report_file {
            file.write(&report);
        }
        report
    }

    /// The failure of guards that are not dropped within `limit`.
    pub(crate) fn late(&self, limit: Duration) -> Failure {
        let limit = Took(limit);
        let error = match lock(&self.0).dropping {
            Some(guard) => {
                format!("the guard `{guard}` is still being dropped, {limit} after the last line of the log")
            }
            None => {
                format!("the last line of the log is still being written after {limit}: its guards are not dropped")
            }
        };
        Failure::new(None, Stage::Stop, true, error.into())
    }
}

/// Tells of a failure in the log, and on stderr: the writer of the log may be what has failed.
fn tell(failure: &Failure) {
    console::say_besides(&Chain(failure).to_string());
    // The log is the user's code. Its panic has been printed.
    let _panicked = caught_now(|| if failure.is_fatal() { log::failed(failure) } else { log::survived(failure) });
}
