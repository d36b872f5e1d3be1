//! The `main` of a program.

use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::error::{Failure, Stage};
use crate::panic::caught;
use crate::shared::Message;
use crate::watch::{Inbox, Watch};
use crate::{BoxError, Group, Outcome, Report, console};

/// How long what outlives the group, such as a detached task, may take to be dropped. The services
/// are gone by then; only what blocks a thread takes so long.
const LEFTOVERS: Duration = Duration::from_millis(100);

/// What `#[group::main(…)]` was given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Main {
    /// One thread for everything, instead of one per core.
    pub current_thread: bool,
    /// The number of worker threads, instead of one per core.
    pub worker_threads: Option<usize>,
}

impl Main {
    /// Runs a program: the signal handlers, the body, the group, the exit code.
    ///
    /// The handlers stand before the body runs. If a signal comes while it does, the body is
    /// dropped at its next await, and nothing is started.
    pub fn run(self, mut group: Group, body: impl AsyncFnOnce(&mut Group) -> Result<(), BoxError>) -> ExitCode {
        let (watch, mut inbox) = match Watch::install(group.stop_limit()) {
            Ok(watch) => watch,
            Err(error) => return refuse(format!("cannot listen for signals: {error}")),
        };
        let runtime = match self.runtime() {
            Ok(runtime) => runtime,
            Err(error) => return refuse(format!("cannot build the runtime: {error}")),
        };
        let report = runtime.block_on(async {
            let (early, result) = run_body(&mut inbox, caught(body(&mut group))).await;
            console::install();
            match result {
                Ok(()) if group.is_empty() && !early.iter().any(asks_to_stop) => Report::bad_group(vec![
                    "no service is registered: a crate that is never named is never linked; name it, as in `use billing as _;`".into(),
                ]),
                Ok(()) => group.run_watched(&watch, inbox, early).await,
                Err(error) => Report::refused(Outcome::StartFailed, vec![Failure::new(Some("main"), Stage::Start, true, error)]),
            }
        });
        // What is left to do is to end: no signal may change the exit code any more.
        watch.stay();
        match report.outcome() {
            Outcome::Forced(_) => runtime.shutdown_background(),
            _ => runtime.shutdown_timeout(LEFTOVERS),
        }
        report.exit_code().into()
    }

    fn runtime(self) -> io::Result<Runtime> {
        let mut builder = if self.current_thread { Builder::new_current_thread() } else { Builder::new_multi_thread() };
        if let Some(threads) = self.worker_threads {
            builder.worker_threads(threads);
        }
        builder.enable_all().build()
    }
}

/// Runs the body of `main` until it returns or a stop is asked for. What had reached the inbox by
/// then comes back, for the driver.
async fn run_body(
    inbox: &mut Inbox,
    body: impl Future<Output = Result<Result<(), BoxError>, BoxError>>,
) -> (Vec<Message>, Result<(), BoxError>) {
    let mut body = pin!(body);
    let mut early = Vec::new();
    loop {
        tokio::select! {
            biased;
            Some(message) = inbox.recv() => {
                let stop = asks_to_stop(&message);
                early.push(message);
                if stop {
                    return (early, Ok(()));
                }
            }
            result = &mut body => return (early, result.and_then(|result| result)),
        }
    }
}

fn asks_to_stop(message: &Message) -> bool {
    matches!(message, Message::Signal(_))
}

fn refuse(mistake: String) -> ExitCode {
    console::install();
    Report::bad_group(vec![mistake.into()]).exit_code().into()
}
