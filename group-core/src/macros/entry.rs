//! The `main` of a program, and the tests of a group.

use std::future::poll_fn;
use std::io;
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::base::error::{BoxError, Chain, Failure};
use crate::base::panic::caught;
use crate::engine::driver::Mailbox;
use crate::engine::watch::Watch;
use crate::group::Group;
#[cfg(feature = "listenfd")]
use crate::http::handed;
use crate::lifecycle::interface::Stage;
use crate::record::console;
use crate::record::report::{Outcome, Report};
use crate::running::handle::{Handle, Running};
use crate::running::message::Message;

/// How long what outlives the group, such as a detached task, may take to be dropped. The services
/// are gone by then; only what blocks a thread takes so long.
const LEFTOVERS: Duration = Duration::from_millis(100);

/// The group is the one of all registered services, and there is none.
const NOTHING_REGISTERED: &str =
    "no service is registered: a crate that is never named is never linked; name it, as in `use billing as _;`";

/// What `#[group::main(…)]` and `#[group::test(…)]` say of the threads to run on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Threads {
    /// One thread for everything, instead of one per core.
    pub current_thread: bool,
    /// The number of worker threads, instead of one per core.
    pub worker_threads: Option<usize>,
    /// Time stands still, and leaps when nothing else is to be done. Needs the feature `testing`.
    pub paused: bool,
}

impl Threads {
    /// Runs a program: the signal handlers, the body, the group, the exit code.
    ///
    /// The handlers stand before the body runs. If a signal comes while it does, the body is
    /// dropped at its next await, and nothing is started.
    pub fn main(self, mut group: Group, body: impl AsyncFnOnce(&mut Group) -> Result<(), BoxError>) -> ExitCode {
        // While nothing else reads the environment, and before there are children that would have them.
        #[cfg(feature = "listenfd")]
        handed::receive();
        let (watch, inbox) = match Watch::install(group.declared.stop_limit()) {
            Ok(watch) => watch,
            Err(error) => return refuse(format!("cannot listen for signals: {error}")),
        };
        let runtime = match self.runtime() {
            Ok(runtime) => runtime,
            Err(error) => return refuse(format!("cannot build the runtime: {error}")),
        };
        group.is_mains = true;
        let report = runtime.block_on(async {
            let result = run_body(&inbox, caught(body(&mut group))).await;
            console::install();
            match result {
                Ok(()) if group.is_empty() && !inbox.holds(asks_to_stop) => {
                    Report::bad_group(vec![NOTHING_REGISTERED.into()])
                }
                Ok(()) => group.run_watched(&watch, inbox).await,
                Err(error) => {
                    Report::refused(Outcome::StartFailed, vec![Failure::new(Some("main"), Stage::Start, true, error)])
                }
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

    /// Runs a test on free ports: the body, and then the stop of what runs, if the body took it.
    ///
    /// # Panics
    ///
    /// When the test fails: the body, or the group, by ending otherwise than cleanly.
    #[track_caller]
    pub fn test(self, mut group: Group, body: impl AsyncFnOnce(&mut Trial) -> Result<(), BoxError>) {
        group.on_free_ports();
        let runtime = self.runtime().unwrap_or_else(|error| panic!("cannot build the runtime: {error}"));
        let (result, report) = runtime.block_on(async {
            let mut trial = Trial { group, started: None };
            let result = caught(body(&mut trial)).await;
            (result, trial.end().await)
        });
        runtime.shutdown_timeout(LEFTOVERS);
        let unclean = report.filter(|report| !report.is_clean());
        if let (true, Some(report)) = (!matches!(result, Ok(Ok(()))), &unclean) {
            // It may well be why.
            eprintln!("{report}");
        }
        match result {
            // The panic was printed when it happened.
            Err(panicked) => resume_unwind(Box::new(panicked.to_string())),
            Ok(Err(error)) => panic!("{}", Chain(&*error)),
            Ok(Ok(())) => {
                if let Some(report) = unclean {
                    panic!("{report}");
                }
            }
        }
    }

    fn runtime(self) -> io::Result<Runtime> {
        let mut builder = if self.current_thread { Builder::new_current_thread() } else { Builder::new_multi_thread() };
        if let Some(threads) = self.worker_threads {
            builder.worker_threads(threads);
        }
        #[cfg(feature = "testing")]
        builder.start_paused(self.paused);
        builder.enable_all().build()
    }
}

/// A group under test.
#[derive(Debug)]
pub struct Trial {
    group: Group,
    started: Option<Handle>,
}

impl Trial {
    /// The group, not started.
    pub fn group(&mut self) -> &mut Group {
        &mut self.group
    }

    /// Starts it, to be stopped when the test is over.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub async fn start(&mut self) -> Result<Running, BoxError> {
        if self.group.is_empty() {
            return Err(NOTHING_REGISTERED.into());
        }
        let running = self.group.start().await.map_err(|error| error.into_report().to_string())?;
        self.started = Some(running.handle());
        Ok(running)
    }

    /// Stops it, if it was started here.
    async fn end(self) -> Option<Report> {
        let started = self.started?;
        started.stop();
        Some(started.wait().await)
    }
}

/// Runs the body of `main` until it returns or a stop is asked for.
async fn run_body(
    inbox: &Mailbox,
    body: impl Future<Output = Result<Result<(), BoxError>, BoxError>>,
) -> Result<(), BoxError> {
    tokio::select! {
        biased;
        () = poll_fn(|task| inbox.poll_holds(asks_to_stop, task)) => Ok(()),
        result = body => result.and_then(|result| result),
    }
}

fn asks_to_stop(message: &Message) -> bool {
    matches!(message, Message::Signal(_))
}

fn refuse(mistake: String) -> ExitCode {
    console::install();
    Report::bad_group(vec![mistake.into()]).exit_code().into()
}
