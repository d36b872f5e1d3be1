//! The `main` of a program, and the tests of a group.

use std::future::poll_fn;
use std::io;
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::base::error::{BoxError, Chain, Failure};
use crate::base::panic::{caught, set_aborts};
use crate::base::program::Program;
#[cfg(feature = "cli")]
use crate::cli;
use crate::engine::driver::Mailbox;
use crate::engine::watch::Watch;
use crate::group::Group;
#[cfg(feature = "listenfd")]
use crate::http::handed;
use crate::lifecycle::interface::Stage;
use crate::record::console;
use crate::record::report::{Outcome, Report};
use crate::running::handle::{Handle, Running, Unseen};
use crate::running::message::Message;
use crate::systemd::manager::Invitation;

/// How long the runtime may take to drop tasks that outlive the group, such as detached ones. The services are gone by
/// then, and only a blocked thread takes so long.
const LEFTOVERS: Duration = Duration::from_millis(100);

/// The mistake of a group of all registered services, if there are none.
const NOTHING_REGISTERED: &str =
    "no service is registered: a crate that is never named is never linked; name it, as in `use billing as _;`";

/// The arguments of `#[group::main(…)]` and `#[group::test(…)]` about the runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct Threads {
    /// One thread for everything, instead of one per core.
    pub current_thread: bool,
    /// The number of worker threads, instead of one per core.
    pub worker_threads: Option<usize>,
    /// Paused time: it stands still, and advances when all tasks wait. Needs the feature `testing`.
    pub paused: bool,
    /// The program is built with `panic = "abort"`.
    pub aborts: bool,
}

impl Threads {
    /// Runs a program: installs the signal handlers, runs the body and then the group, and returns the exit code.
    ///
    /// The handlers are installed before the body runs. If a signal comes while it runs, the body is dropped at its
    /// next await, and nothing is started.
    #[cfg_attr(
        not(any(feature = "cli", feature = "metrics")),
        expect(unused_variables, reason = "without these, nothing presents it")
    )]
    pub fn main(
        self,
        program: Program,
        mut group: Group,
        body: impl AsyncFnOnce(&mut Group) -> Result<(), BoxError>,
    ) -> ExitCode {
        if self.aborts {
            set_aborts();
        }
        // Before other threads read the environment, and before there are child processes that would inherit the sockets.
        group.invitation = Invitation::take();
        #[cfg(feature = "listenfd")]
        handed::receive();
        #[cfg(feature = "metrics")]
        if let Program { name: Some(name), version: Some(version), .. } = program {
            group.declared.metrics.set_program(name, version);
        }
        #[cfg(feature = "cli")]
        if program.reads_arguments
            && let Err(code) = cli::read(program, &mut group)
        {
            return code;
        }
        let report_file = group.declared.report_file();
        let guards = group.declared.guards.clone();
        let limit = group.declared.stop_limit();
        let (watch, inbox) = match Watch::install(limit, report_file.clone()) {
            Ok(watch) => watch,
            Err(error) => return refuse(format!("cannot listen for signals: {error}")),
        };
        let runtime = match self.runtime() {
            Ok(runtime) => runtime,
            Err(error) => return refuse(format!("cannot build the runtime: {error}")),
        };
        group.is_mains = true;
        let report = runtime.block_on(async {
            let telling = group.invitation.as_ref().map(|invitation| watch.spawn(invitation.tell_of_body()));
            let result = run_body(&inbox, caught(body(&mut group))).await;
            telling.inspect(JoinHandle::abort);
            console::install();
            let refused = match result {
                Ok(()) if group.is_empty() && !inbox.holds(asks_to_stop) => {
                    Report::bad_group(vec![NOTHING_REGISTERED.into()])
                }
                Ok(()) => return group.run_watched(&watch, inbox).await,
                Err(error) => body_failed(group.declared.mistakes, error),
            };
            report_file.write(&refused);
            let refused = guards.release(refused, || (), limit, Some(&report_file)).await;
            if let Some(manager) = group.invitation.and_then(Invitation::accept) {
                manager.tell_refused(&refused).await;
            }
            refused
        });
        // From here on, no signal may change the exit code.
        watch.stay();
        match report.outcome() {
            Outcome::Forced(_) => runtime.shutdown_background(),
            _ => runtime.shutdown_timeout(LEFTOVERS),
        }
        report.exit_code().into()
    }

    /// Runs a test on free ports: runs the body, and then stops the group, if it was started for the body, and every
    /// group that the body has started and not waited for.
    ///
    /// # Panics
    ///
    /// If the body fails, or if a group that is stopped here does not end cleanly.
    #[track_caller]
    pub fn test(self, mut group: Group, body: impl AsyncFnOnce(&mut Trial) -> Result<(), BoxError>) {
        group.on_free_ports();
        let unseen = Unseen::default();
        group.unseen = Some(unseen.clone());
        let runtime = self.runtime().unwrap_or_else(|error| panic!("cannot build the runtime: {error}"));
        let (result, reports) = runtime.block_on(async {
            let mut trial = Trial { group, started: None, unseen };
            let result = caught(body(&mut trial)).await;
            (result, trial.end().await)
        });
        runtime.shutdown_timeout(LEFTOVERS);
        let unclean = reports.into_iter().find(|report| !report.is_clean());
        if let (true, Some(report)) = (!matches!(result, Ok(Ok(()))), &unclean) {
            // The end of the group may be the reason.
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
    unseen: Unseen,
}

impl Trial {
    /// Returns the group, not started.
    pub fn group(&mut self) -> &mut Group {
        &mut self.group
    }

    /// Starts the group. It is stopped after the test.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub async fn start(&mut self) -> Result<Running, BoxError> {
        if self.group.is_empty() {
            return Err(NOTHING_REGISTERED.into());
        }
        let running = self.group.start().await.map_err(|error| error.into_report().to_string())?;
        self.started = Some(running.handle());
        Ok(running)
    }

    /// Stops the group that was started here, and those whose reports the test has not seen.
    async fn end(self) -> Vec<Report> {
        let mut reports = Vec::new();
        for group in self.started.into_iter().chain(self.unseen.take()) {
            group.stop();
            reports.push(group.wait().await);
        }
        reports
    }
}

/// Runs the body of `main` until it returns or a stop is requested.
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

/// The report of a body that failed. What it did wrong with the group, such as a section of the file that it could not
/// read, is an invalid setup, and mostly the whole error.
fn body_failed(mistakes: Vec<BoxError>, error: BoxError) -> Report {
    let outcome = if mistakes.is_empty() { Outcome::StartFailed } else { Outcome::BadGroup };
    let is_told = mistakes.iter().any(|mistake| error.to_string().contains(&mistake.to_string()));
    let error = (!is_told).then(|| Failure::new(Some("main"), Stage::Start, true, error));
    let mistakes = mistakes.into_iter().map(|mistake| Failure::new(None, Stage::Plan, true, mistake));
    Report::refused(outcome, mistakes.chain(error).collect())
}

fn asks_to_stop(message: &Message) -> bool {
    matches!(message, Message::Signal(_))
}

/// Ends a program that cannot run.
fn refuse(mistake: String) -> ExitCode {
    console::install();
    Report::bad_group(vec![mistake.into()]).exit_code().into()
}
