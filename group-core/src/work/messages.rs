//! The messages of a stream, several at a time, and none cut off at the stop.

use std::error::Error;
use std::fmt;
use std::future::IntoFuture;
use std::pin::{Pin, pin};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, Stream, StreamExt as _};

use crate::base::chance;
use crate::base::error::{BoxError, Chain};
use crate::base::panic::caught;
use crate::base::text::Took;
use crate::lifecycle::restart::Backoff;
use crate::record::counts::Messages;
use crate::service::context::Context;
use crate::service::result::ServiceResult;
use crate::service::shutdown::Shutdown;
use crate::spec::restart::Permanent;

impl Context {
    /// Handles the messages of a stream, so many at a time at most, until the service is asked to stop
    /// or the stream ends: then no more are taken, and those in hand are finished.
    ///
    /// The stream is asked for a message only when there is room for one: while as many as may be are in
    /// hand, and from the request to stop on, nobody polls it. One that must be polled to stay connected,
    /// as to send heartbeats to its broker, belongs into a task of its own, with a channel in between. Where
    /// the stream's polls also send the acknowledgements, as an MQTT client's event loop does, there must be
    /// room for all that may wait, or a handler waits for room that only the stream can make.
    ///
    /// Once this is awaited, the service is waited for at the stop, as one that takes [`Shutdown`] is.
    /// What is still in hand when the service is aborted at its limit is counted as abandoned, and is
    /// in the report: [`ServiceReport::messages`](crate::ServiceReport::messages).
    ///
    /// ```
    /// use futures_util::stream;
    /// use group::{Context, Group};
    ///
    /// async fn orders(cx: Context) -> Result<(), group::MessageFailed> {
    ///     let messages = stream::iter(["one tea", "two coffees"]);
    ///     let done = cx
    ///         .for_each(messages, 16, |order| async move {
    ///             println!("here is {order}");
    ///             Ok::<_, std::io::Error>(())
    ///         })
    ///         .retry(3)
    ///         .await?;
    ///     assert_eq!(done.finished(), 2);
    ///     Ok(())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let report = Group::new().add_fn("orders", orders).run().await;
    /// assert_eq!(report.service("orders").unwrap().messages().unwrap().finished(), 2);
    /// # }
    /// ```
    ///
    /// A handler returns `()`, or `Result<(), E>`. What becomes of an error or a panic is up to
    /// [`retry`](ForEach::retry) and [`on_error`](ForEach::on_error). Acknowledge a message
    /// at the end of its handler: what was abandoned will come again.
    ///
    /// The handlers run in the task that awaits this. So they can borrow, `&self` for one; what blocks
    /// or computes for long belongs into [`spawn_blocking`](https://docs.rs/tokio/1/tokio/task/fn.spawn_blocking.html).
    /// A concurrency of 0 counts as 1.
    pub fn for_each<S, H, Fut>(&self, stream: S, concurrency: usize, handler: H) -> ForEach<'_, S, H>
    where
        S: Stream,
        H: Fn(S::Item) -> Fut,
        Fut: Future<Output: ServiceResult>,
    {
        ForEach {
            cx: self,
            stream,
            concurrency: concurrency.max(1),
            handling: Handling { handler, retries: 0, backoff: Backoff::DEFAULT, copy: |_| None },
            on_error: OnError::Log,
        }
    }
}

/// What [`Context::for_each`] returns: await it.
#[must_use = "no message is taken until it is awaited"]
pub struct ForEach<'a, S: Stream, H> {
    cx: &'a Context,
    stream: S,
    concurrency: usize,
    handling: Handling<S::Item, H>,
    on_error: OnError,
}

/// What is done with one message.
struct Handling<M, H> {
    handler: H,
    retries: usize,
    backoff: Backoff,
    /// For another try.
    copy: fn(&M) -> Option<M>,
}

/// What [`Context::for_each`] does about a message whose handler failed or panicked, and will not be
/// tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnError {
    /// Logs it, counts it, and goes on. The default.
    #[default]
    Log,
    /// Takes no more messages, finishes those in hand, and returns the error. In a service, that is
    /// its failure.
    Stop,
}

/// A handler failed, and [`OnError::Stop`] says that this is the end.
#[derive(Debug)]
pub struct MessageFailed {
    error: BoxError,
    messages: Messages,
}

impl MessageFailed {
    /// What came of the messages that were taken, this one included.
    #[must_use]
    pub fn messages(&self) -> Messages {
        self.messages
    }
}

impl fmt::Display for MessageFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message failed")
    }
}

impl Error for MessageFailed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.error)
    }
}

impl<S: Stream, H> ForEach<'_, S, H> {
    /// What is done about a message that failed. [`OnError::Log`] by default.
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.on_error = on_error;
        self
    }

    /// Tries a message again, so many times at most, when its handler fails or panics; not when the
    /// error is [`Permanent`]. It counts as in hand meanwhile. Once the service is asked to stop,
    /// nothing is tried again: such a message is abandoned. Never by default.
    pub fn retry(mut self, max: usize) -> Self
    where
        S::Item: Clone,
    {
        self.handling.retries = max;
        self.handling.copy = |message| Some(message.clone());
        self
    }

    /// The wait before the first retry of a message, which doubles with each that follows, and the
    /// longest wait. Each is shortened at random by up to a half. 100 ms and 30 s by default.
    pub fn backoff(mut self, shortest: Duration, longest: Duration) -> Self {
        self.handling.backoff = Backoff { shortest, longest };
        self
    }

    async fn run<Fut>(self) -> Result<Messages, MessageFailed>
    where
        H: Fn(S::Item) -> Fut,
        Fut: Future<Output: ServiceResult>,
    {
        let Self { cx, stream, concurrency, handling, on_error } = self;
        let shutdown = &cx.shutdown();
        let mut tally = Tally { cx, messages: Messages::default() };
        let mut first = None;
        let mut takes = true;
        let mut stream = pin!(stream);
        let mut in_hand = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                () = shutdown.requested(), if takes => takes = false,
                Some(handled) = in_hand.next(), if !in_hand.is_empty() => {
                    if let Some(error) = tally.note(handled) && on_error == OnError::Stop {
                        takes = false;
                        first.get_or_insert(error);
                    }
                }
                message = stream.next(), if takes && in_hand.len() < concurrency => match message {
                    Some(message) => {
                        tally.took();
                        in_hand.push(handling.handle(message, shutdown));
                        // What is always ready must still let others run.
                        tokio::task::coop::consume_budget().await;
                    }
                    None => takes = false,
                },
                else => break,
            }
        }
        let messages = tally.messages;
        first.map_or(Ok(messages), |error| Err(MessageFailed { error, messages }))
    }
}

impl<S: Stream, H> fmt::Debug for ForEach<'_, S, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForEach")
            .field("concurrency", &self.concurrency)
            .field("on_error", &self.on_error)
            .finish_non_exhaustive()
    }
}

impl<'a, S, H, Fut> IntoFuture for ForEach<'a, S, H>
where
    S: Stream<Item: Send> + Send + 'a,
    H: Fn(S::Item) -> Fut + Send + Sync + 'a,
    Fut: Future<Output: ServiceResult> + Send + 'a,
{
    type Output = Result<Messages, MessageFailed>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// What came of one message.
enum Handled {
    Finished,
    Failed(BoxError),
    /// With what it failed for the last time.
    Abandoned(BoxError),
}

impl<M, H, Fut> Handling<M, H>
where
    H: Fn(M) -> Fut,
    Fut: Future<Output: ServiceResult>,
{
    async fn handle(&self, mut message: M, shutdown: &Shutdown) -> Handled {
        let mut retries = 0;
        loop {
            let copy = if retries < self.retries { (self.copy)(&message) } else { None };
            let result = caught(async { (self.handler)(message).await.into_result() }).await;
            let error = match (result.and_then(|result| result), copy) {
                (Ok(()), _) => return Handled::Finished,
                (Err(error), Some(copy)) if !Permanent::is_in(&error) => {
                    message = copy;
                    error
                }
                (Err(error), _) => return Handled::Failed(error),
            };
            let wait = self.backoff.wait(u32::try_from(retries).unwrap_or(u32::MAX), chance());
            retries += 1;
            if !shutdown.is_requested() {
                let (name, error) = (shutdown.cx.name(), Chain(&*error));
                tracing::warn!(target: "group", service = name, "a message of {name} failed, and is tried again in {}: {error}", Took(wait));
            }
            tokio::select! {
                biased;
                () = shutdown.requested() => return Handled::Abandoned(error),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

/// Counts the messages of one stream, here and for the service's report. A message counts as
/// abandoned until something else came of it, so the numbers are right however this ends.
struct Tally<'a> {
    cx: &'a Context,
    messages: Messages,
}

impl Tally<'_> {
    fn count(&mut self, change: impl Fn(&mut Messages)) {
        change(&mut self.messages);
        self.cx.member().count_messages(change);
    }

    fn took(&mut self) {
        self.count(|messages| messages.abandoned += 1);
    }

    /// Returns the error of a message that failed for good.
    fn note(&mut self, handled: Handled) -> Option<BoxError> {
        let name = self.cx.name();
        match handled {
            Handled::Finished => {
                self.count(|messages| {
                    messages.abandoned -= 1;
                    messages.finished += 1;
                });
                None
            }
            Handled::Failed(error) => {
                self.count(|messages| {
                    messages.abandoned -= 1;
                    messages.failed += 1;
                });
                tracing::error!(target: "group", service = name, "a message of {name} failed: {}", Chain(&*error));
                Some(error)
            }
            Handled::Abandoned(error) => {
                tracing::warn!(target: "group", service = name, "a message of {name} failed, and is abandoned: {}", Chain(&*error));
                None
            }
        }
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        let (name, messages) = (self.cx.name(), self.messages);
        if messages.abandoned > 0 {
            tracing::warn!(target: "group", service = name, "{name}: {messages}");
        } else if self.cx.member().is_asked_to_stop() {
            tracing::info!(target: "group", service = name, "{name}: {messages}");
        }
    }
}
