//! Consumers: the messages of a stream, several at a time, and none of them cut off at the stop.

use std::error::Error;
use std::fmt;
use std::future::IntoFuture;
use std::pin::{Pin, pin};
#[cfg(feature = "metrics")]
use std::sync::atomic::Ordering::Relaxed;
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
    /// Handles the messages of a stream, at most `concurrency` at a time, until the service is asked to stop
    /// or the stream ends. Then it takes no more messages, and finishes those in flight.
    ///
    /// The stream is polled only when there is room for another message: not while `concurrency` messages are in
    /// flight, and not after the request to stop. A stream that must be polled to stay connected, for example to
    /// send heartbeats to its broker, belongs in a task of its own, with a channel in between. If polling the
    /// stream also sends the acknowledgements, as the event loop of an MQTT client does, the queue of
    /// acknowledgements needs room for every message in flight; otherwise a handler waits for room that only the
    /// stream can make.
    ///
    /// Once this is awaited, the group waits for the service at the stop, as for one that takes [`Shutdown`].
    /// Messages that are still in flight when the service is aborted at its limit count as abandoned in the
    /// report: [`ServiceReport::messages`](crate::ServiceReport::messages).
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
    /// A handler returns `()` or `Result<(), E>`. [`retry`](ForEach::retry) and [`on_error`](ForEach::on_error)
    /// decide what happens after an error or a panic. Acknowledge a message at the end of its handler, so that
    /// the broker delivers an abandoned message again.
    ///
    /// The handlers run in the task that awaits this, so they can borrow, for example `&self`. Code that blocks
    /// or computes for long belongs in [`spawn_blocking`](https://docs.rs/tokio/1/tokio/task/fn.spawn_blocking.html).
    /// A concurrency of 0 counts as 1.
    pub fn for_each<'a, S, H, Fut>(&'a self, stream: S, concurrency: usize, handler: H) -> ForEach<'a, S::Message>
    where
        S: MessageStream + 'a,
        H: Fn(S::Message) -> Fut + Send + Sync + 'a,
        Fut: Future<Output: HandlerResult> + Send + 'a,
    {
        ForEach {
            settings: Settings {
                concurrency: concurrency.max(1),
                retries: 0,
                backoff: Backoff::DEFAULT,
                copy: |_| None,
                on_error: OnError::Log,
            },
            run: Box::new(move |settings| Box::pin(run(self, stream.into_stream(), handler, settings))),
        }
    }
}

/// A stream of messages for [`Context::for_each`]: every [`Stream`] that is `Send`, of messages that are.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a stream of messages",
    label = "not a `Stream`",
    note = "the receiver of a tokio channel is wrapped, as in `tokio_stream::wrappers::ReceiverStream::new(receiver)`",
    note = "the stream and its messages must be `Send`"
)]
pub trait MessageStream: Send {
    /// A message.
    type Message: Send;

    /// Returns the stream.
    fn into_stream(self) -> impl Stream<Item = Self::Message> + Send;
}

#[diagnostic::do_not_recommend]
impl<S: Stream<Item: Send> + Send> MessageStream for S {
    type Message = S::Item;

    fn into_stream(self) -> impl Stream<Item = S::Item> + Send {
        self
    }
}

/// The return types of a handler of [`Context::for_each`]: every [`ServiceResult`].
#[diagnostic::on_unimplemented(
    message = "a handler of messages cannot return `{Self}`",
    label = "expected `()` or `Result<(), E>`",
    note = "`E` must convert into `Box<dyn Error + Send + Sync>`, as `anyhow::Error` and every error type do",
    note = "for `Box<dyn Error>`, write `Box<dyn Error + Send + Sync>`, or `group::BoxError`"
)]
pub trait HandlerResult {
    /// Converts it into a `Result` with a [`BoxError`].
    ///
    /// # Errors
    ///
    /// If it was an error.
    fn into_result(self) -> Result<(), BoxError>;
}

#[diagnostic::do_not_recommend]
impl<T: ServiceResult> HandlerResult for T {
    fn into_result(self) -> Result<(), BoxError> {
        ServiceResult::into_result(self)
    }
}

/// A consumer of a stream, from [`Context::for_each`]. It runs when it is awaited.
#[must_use = "no message is taken until it is awaited"]
pub struct ForEach<'a, M> {
    settings: Settings<M>,
    run: Box<dyn FnOnce(Settings<M>) -> Consuming<'a> + Send + 'a>,
}

type Consuming<'a> = Pin<Box<dyn Future<Output = Result<Messages, MessageFailed>> + Send + 'a>>;

/// How the messages of one stream are handled.
struct Settings<M> {
    concurrency: usize,
    retries: usize,
    backoff: Backoff,
    /// Copies a message for another try; returns `None` without [`ForEach::retry`].
    copy: fn(&M) -> Option<M>,
    on_error: OnError,
}

/// The reaction of [`Context::for_each`] to a message whose handler failed or panicked, and that is not tried
/// again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnError {
    /// Logs the error, counts the message as failed, and goes on. The default.
    #[default]
    Log,
    /// Takes no more messages, finishes those in flight, and returns the error. A service that returns it has
    /// failed.
    Stop,
}

/// The error of [`Context::for_each`] with [`OnError::Stop`]: a handler failed.
#[derive(Debug)]
pub struct MessageFailed {
    error: BoxError,
    messages: Messages,
}

impl MessageFailed {
    /// Returns how many messages were finished, failed and abandoned, this one included.
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

impl<M> ForEach<'_, M> {
    /// Sets the reaction to a message that failed. [`OnError::Log`] by default.
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.settings.on_error = on_error;
        self
    }

    /// Tries a message again, at most `max` times, if its handler fails or panics, unless the error is
    /// [`Permanent`]. It counts as in flight meanwhile. Once the service is asked to stop, no message is tried
    /// again: one that waits for its next try is abandoned. 0 by default.
    pub fn retry(mut self, max: usize) -> Self
    where
        M: Clone,
    {
        self.settings.retries = max;
        self.settings.copy = |message| Some(message.clone());
        self
    }

    /// Sets the wait before the first retry of a message, and the longest wait. The wait doubles with each retry,
    /// and each wait is shortened at random by up to a half. 100 ms and 30 s by default.
    pub fn backoff(mut self, shortest: Duration, longest: Duration) -> Self {
        self.settings.backoff = Backoff { shortest, longest };
        self
    }
}

async fn run<S, H, Fut>(
    cx: &Context,
    stream: S,
    handler: H,
    settings: Settings<S::Item>,
) -> Result<Messages, MessageFailed>
where
    S: Stream,
    H: Fn(S::Item) -> Fut,
    Fut: Future<Output: HandlerResult>,
{
    let shutdown = &cx.shutdown();
    let (handler, settings) = (&handler, &settings);
    let mut count = Count { cx, messages: Messages::default() };
    let mut first = None;
    let mut takes_more = true;
    let mut stream = pin!(stream);
    let mut in_flight = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.requested(), if takes_more => {
                takes_more = false;
                count.still_holds(&*stream);
            }
            Some(outcome) = in_flight.next(), if !in_flight.is_empty() => {
                if let Some(error) = count.note(outcome) && settings.on_error == OnError::Stop {
                    takes_more = false;
                    first.get_or_insert(error);
                }
            }
            message = stream.next(), if takes_more && in_flight.len() < settings.concurrency => match message {
                Some(message) => {
                    count.took();
                    in_flight.push(settings.handle(message, handler, cx, shutdown));
                    // A stream that is always ready must still let other tasks run.
                    tokio::task::coop::consume_budget().await;
                }
                None => takes_more = false,
            },
            else => break,
        }
    }
    if shutdown.is_requested() {
        // More may have come since the request.
        count.still_holds(&*stream);
    }
    let messages = count.messages;
    first.map_or(Ok(messages), |error| Err(MessageFailed { error, messages }))
}

impl<M> fmt::Debug for ForEach<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForEach")
            .field("concurrency", &self.settings.concurrency)
            .field("on_error", &self.settings.on_error)
            .finish_non_exhaustive()
    }
}

// For every message type, so that rustc does not report the `.await` beside a wrong argument.
impl<'a, M> IntoFuture for ForEach<'a, M> {
    type Output = Result<Messages, MessageFailed>;
    type IntoFuture = Consuming<'a>;

    fn into_future(self) -> Self::IntoFuture {
        (self.run)(self.settings)
    }
}

/// The outcome of one message.
enum Handled {
    Finished,
    Failed(BoxError),
    /// With the error of its last try.
    Abandoned(BoxError),
}

impl<M> Settings<M> {
    /// Handles a message, with its retries.
    async fn handle<Fut>(
        &self,
        mut message: M,
        handler: &impl Fn(M) -> Fut,
        cx: &Context,
        shutdown: &Shutdown,
    ) -> Handled
    where
        Fut: Future<Output: HandlerResult>,
    {
        let mut retries = 0;
        loop {
            let copy = if retries < self.retries { (self.copy)(&message) } else { None };
            let result = caught(async { handler(message).await.into_result() }).await;
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
                let (name, error) = (cx.name(), Chain(&*error));
                tracing::warn!(target: "group", service = name, "a message of {name} failed, retrying in {}: {error}", Took(wait));
            }
            tokio::select! {
                biased;
                () = shutdown.requested() => return Handled::Abandoned(error),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

/// Counts the messages of one stream, for the consumer's result and for the service's report. A message counts
/// as abandoned until it is finished or has failed, so the numbers are right however the consumer ends.
struct Count<'a> {
    cx: &'a Context,
    messages: Messages,
}

impl Count<'_> {
    fn add(&mut self, change: impl Fn(&mut Messages)) {
        change(&mut self.messages);
        self.cx.member().count_messages(change);
    }

    /// Counts a message that was taken from the stream.
    fn took(&mut self) {
        self.add(|messages| messages.abandoned += 1);
    }

    /// Counts the messages that the stream still holds, as far as it says so. An endless one holds none.
    fn still_holds(&mut self, stream: &impl Stream) {
        let (holds, _) = stream.size_hint();
        let left = if holds == usize::MAX { 0 } else { u64::try_from(holds).unwrap_or(u64::MAX) };
        let before = self.messages.left;
        self.add(|messages| messages.left = messages.left + left - before);
    }

    /// Counts the outcome of a message, and logs a failure. Returns the error of a message that failed for good.
    fn note(&mut self, handled: Handled) -> Option<BoxError> {
        let name = self.cx.name();
        match handled {
            Handled::Finished => {
                self.add(|messages| {
                    messages.abandoned -= 1;
                    messages.finished += 1;
                });
                None
            }
            Handled::Failed(error) => {
                self.add(|messages| {
                    messages.abandoned -= 1;
                    messages.failed += 1;
                });
                tracing::error!(target: "group", service = name, "a message of {name} failed: {}", Chain(&*error));
                Some(error)
            }
            Handled::Abandoned(error) => {
                tracing::warn!(target: "group", service = name, "a message of {name} failed and is abandoned: {}", Chain(&*error));
                None
            }
        }
    }
}

impl Drop for Count<'_> {
    fn drop(&mut self) {
        let (name, messages) = (self.cx.name(), self.messages);
        #[cfg(feature = "metrics")]
        self.cx.member().measures().abandoned.fetch_add(messages.abandoned, Relaxed);
        if messages.abandoned > 0 || messages.left > 0 {
            tracing::warn!(target: "group", service = name, "{name}: {messages}");
        } else if self.cx.member().is_asked_to_stop() {
            tracing::info!(target: "group", service = name, "{name}: {messages}");
        }
    }
}
