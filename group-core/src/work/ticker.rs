//! The runs of a ticker, and what becomes of one that fails.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Mutex;
use std::task;
use std::task::Poll;

use tokio::time::{Instant, sleep};

use crate::base::error::BoxError;
use crate::base::panic::caught;
use crate::base::{chance, lock};
use crate::lifecycle::restart::Backoff;
use crate::running::message::News;
use crate::service::context::Context;
use crate::service::result::ServiceResult;
use crate::service::shutdown::Shutdown;
use crate::spec::restart::Permanent;

/// The reaction of a ticker to a run that fails or panics.
///
/// It stops by default, as a service does whose `start` fails: there is one rule for all that a service does, and a run
/// that fails every night is noticed. With `Log` it is a line in a log that is read when something else is wrong; so that is
/// for the program to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailedRun {
    /// The ticker ends with the error, and the service fails. The default.
    #[default]
    Stop,
    /// The log and the report have the error, as one that the service survives. The next run comes when it would have come.
    Log,
    /// As `Log`, but the run is tried again: after 100 ms, and then after waits that double up to 30 s, each shortened at
    /// random by up to a half, until it succeeds or the service is asked to stop. Not after an error that is
    /// [`Permanent`].
    Retry,
}

/// The future of a ticker, from [`Context::every`] and `Context::cron`. It ticks while it is awaited.
#[must_use = "it ticks while it is awaited"]
pub struct Ticks<'a> {
    on_error: FailedRun,
    begin: Option<Box<dyn FnOnce(FailedRun) -> Ticking<'a> + Send + 'a>>,
    ticking: Option<Ticking<'a>>,
}

/// Boxed, so that rustc reports a tick that returns something else once, and not at the `.await`, too.
type Ticking<'a> = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send + 'a>>;

impl<'a> Ticks<'a> {
    pub(super) fn new(begin: impl FnOnce(FailedRun) -> Ticking<'a> + Send + 'a) -> Self {
        Self { on_error: FailedRun::default(), begin: Some(Box::new(begin)), ticking: None }
    }

    /// Sets the reaction to a run that fails. [`FailedRun::Stop`] by default. Once it ticks, this changes nothing.
    ///
    /// ```
    /// use group::{Context, FailedRun, Group};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut group = Group::new();
    /// group.add_fn("sweeper", |cx: Context| async move {
    ///     let sweep = || async { Err::<(), _>("the disk is busy") };
    ///     cx.every(Duration::from_secs(30), sweep).on_error(FailedRun::Log).await
    /// });
    /// # let running = group.start().await.unwrap();
    /// # assert!(running.stop().await.is_clean());
    /// # }
    /// ```
    pub fn on_error(mut self, reaction: FailedRun) -> Self {
        self.on_error = reaction;
        self
    }
}

impl Future for Ticks<'_> {
    type Output = Result<(), BoxError>;

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Self::Output> {
        let on_error = self.on_error;
        if let Some(begin) = self.begin.take() {
            self.ticking = Some(begin(on_error));
        }
        match &mut self.ticking {
            Some(ticking) => ticking.as_mut().poll(task),
            None => Poll::Pending,
        }
    }
}

impl fmt::Debug for Ticks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticks").field("on_error", &self.on_error).finish_non_exhaustive()
    }
}

/// A ticker of a service. Its runs are counted under its name.
pub(crate) struct Ticker<F> {
    pub(super) cx: Context,
    pub(super) shutdown: Shutdown,
    name: &'static str,
    on_error: FailedRun,
    tick: Mutex<F>,
}

impl<F, Fut> Ticker<F>
where
    F: FnMut() -> Fut,
    Fut: Future<Output: ServiceResult>,
{
    /// A ticker that is awaited in `start`.
    pub(super) fn of_start(cx: &Context, name: &'static str, on_error: FailedRun, tick: F) -> Self {
        Self { cx: cx.clone(), shutdown: cx.shutdown(), name, on_error, tick: Mutex::new(tick) }
    }

    /// A ticker in a task beside `start`.
    pub(crate) fn beside_start(cx: &Context, name: &'static str, on_error: FailedRun, tick: F) -> Self {
        let shutdown = Shutdown::beside_start(cx.clone());
        Self { cx: cx.clone(), shutdown, name, on_error, tick: Mutex::new(tick) }
    }

    /// Runs one tick, and tries it again if that is what is to be done.
    ///
    /// # Errors
    ///
    /// The error with which the ticker ends.
    pub(super) async fn run(&self) -> Result<(), BoxError> {
        if self.on_error == FailedRun::Stop {
            return self.once().await;
        }
        let mut retries = 0;
        while let Err(error) = caught(self.once()).await.and_then(|result| result) {
            let again = self.on_error == FailedRun::Retry && !Permanent::is_in(&error);
            self.cx.tell(News::Survived(InMethod { method: self.name, error }.into()));
            if !again {
                break;
            }
            let wait = Backoff::DEFAULT.wait(retries, chance());
            retries = retries.saturating_add(1);
            tokio::select! {
                biased;
                () = self.shutdown.requested() => break,
                () = sleep(wait) => {}
            }
        }
        Ok(())
    }

    async fn once(&self) -> Result<(), BoxError> {
        let begun = Instant::now();
        let running = lock(&self.tick)();
        let result = running.await.into_result();
        #[cfg(feature = "metrics")]
        self.cx.member().measures().ticker(self.name).count(result.is_ok(), begun.elapsed());
        #[cfg(not(feature = "metrics"))]
        let _ = begun;
        result
    }
}

/// Runs a ticker in a task beside `start`. Its failure is the failure of the service, and names the method.
pub(crate) fn spawn(
    cx: &Context,
    method: &'static str,
    ticking: impl Future<Output = Result<(), BoxError>> + Send + 'static,
) {
    let ticking = caught(cx.clone().noting_polls(ticking));
    cx.spawn_ticker(async move {
        let result = ticking.await.and_then(|result| result);
        result.map_err(|error| InMethod { method, error }.into())
    });
}

/// An error, with the name of the method that it came from.
#[derive(Debug)]
struct InMethod {
    method: &'static str,
    error: BoxError,
}

impl fmt::Display for InMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in `{}`", self.method)
    }
}

impl Error for InMethod {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.error)
    }
}
