//! Counts of one service: the messages of a consumer, the connections of a server that drains.

use std::fmt;
use std::time::Duration;

use crate::base::text::{Took, count};

/// The number of messages that [`Context::for_each`](crate::Context::for_each) has taken, by their result.
///
/// With the feature `serde` it can be serialized.
///
/// ```
/// use futures_util::stream;
/// use group::{Context, Group};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let consume = |cx: Context| async move { cx.for_each(stream::iter(0..3), 16, |_| async {}).await.map(drop) };
/// let report = Group::new().add_fn("orders", consume).run().await;
/// let messages = report.service("orders").unwrap().messages().unwrap();
/// assert_eq!((messages.finished(), messages.failed(), messages.abandoned()), (3, 0, 0));
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Messages {
    pub(crate) finished: u64,
    pub(crate) failed: u64,
    pub(crate) abandoned: u64,
    pub(crate) left: u64,
}

impl Messages {
    /// The number of messages whose handler returned without an error.
    #[must_use]
    pub fn finished(&self) -> u64 {
        self.finished
    }

    /// The number of messages whose handler returned an error or panicked, at the last retry too if there were any.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// The number of messages that were in flight when the service was aborted, or waited to be retried when it
    /// was asked to stop.
    #[must_use]
    pub fn abandoned(&self) -> u64 {
        self.abandoned
    }

    /// The number of messages that the stream still held when the service had stopped, and that were dropped with it. A
    /// queue in the process says how many: the channels of tokio and futures do, with their `size_hint`. The queue of a
    /// broker keeps what was not taken, and counts as empty.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }
}

impl fmt::Display for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let finished = usize::try_from(self.finished).unwrap_or(usize::MAX);
        write!(f, "{} finished", count(finished, "message"))?;
        if self.failed > 0 {
            write!(f, ", {} failed", self.failed)?;
        }
        if self.abandoned > 0 {
            write!(f, ", {} abandoned", self.abandoned)?;
        }
        if self.left > 0 {
            write!(f, ", {} left in the queue", self.left)?;
        }
        Ok(())
    }
}

/// The number of jobs that a service has spawned with [`Context::spawn_job`](crate::Context::spawn_job), by their result.
///
/// With the feature `serde` it can be serialized.
///
/// ```
/// use group::{Context, Group};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let report = Group::new().add_fn("mailer", |cx: Context| async move { cx.spawn_job(async {}) }).run().await;
/// let jobs = report.service("mailer").unwrap().jobs().unwrap();
/// assert_eq!((jobs.finished(), jobs.failed(), jobs.cut()), (1, 0, 0));
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Jobs {
    pub(crate) finished: u64,
    pub(crate) failed: u64,
    pub(crate) cut: u64,
}

impl Jobs {
    /// The number of jobs that returned without an error.
    #[must_use]
    pub fn finished(&self) -> u64 {
        self.finished
    }

    /// The number of jobs that returned an error, or panicked.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// The number of jobs that were still at work when the service was aborted.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.cut
    }
}

impl fmt::Display for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let finished = usize::try_from(self.finished).unwrap_or(usize::MAX);
        write!(f, "{} finished", count(finished, "job"))?;
        if self.failed > 0 {
            write!(f, ", {} failed", self.failed)?;
        }
        if self.cut > 0 {
            write!(f, ", {} cut", self.cut)?;
        }
        Ok(())
    }
}

/// The connections of a server when it stopped. Idle ones, which are closed at once, do not count.
///
/// With the feature `serde` it can be serialized.
///
/// ```
/// # use group::axum::{Router, routing::get};
/// # use group::{Context, Group, http};
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let mut group = Group::new();
/// group.add_fn("web", |cx: Context| async move { http::serve(&cx, "127.0.0.1:0", Router::new()).await });
/// let report = group.start().await.unwrap().stop().await;
/// let drain = report.service("web").unwrap().drain().unwrap();
/// assert_eq!((drain.drained(), drain.cut()), (0, 0));
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drain {
    pub(crate) drained: usize,
    pub(crate) cut: usize,
    pub(crate) streams: usize,
    pub(crate) took: Duration,
}

impl Drain {
    /// Adds the counts of another server.
    pub(crate) fn add(&mut self, other: Self) {
        self.drained += other.drained;
        self.cut += other.cut;
        self.streams += other.streams;
        self.took = self.took.max(other.took);
    }

    /// The number of connections that had a request in flight, and were closed after it was answered.
    #[must_use]
    pub fn drained(&self) -> usize {
        self.drained
    }

    /// The number of connections that still had a request in flight when the service's time was up.
    #[must_use]
    pub fn cut(&self) -> usize {
        self.cut
    }

    /// The number of streams among both: a `WebSocket`, server-sent events, or any other answer that had
    /// begun before the stop was asked for.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.streams
    }

    /// The time until the last connection was closed or cut.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.took
    }
}

/// `drained 3 connections in 12 ms`.
impl fmt::Display for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "drained {}", count(self.drained, "connection"))?;
        if self.cut > 0 {
            write!(f, " and cut {}", self.cut)?;
        }
        write!(f, " in {}", Took(self.took))
    }
}
