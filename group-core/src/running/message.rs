//! The messages to the driver of a group, and the inbox that takes them.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::base::error::BoxError;
use crate::lifecycle::interface::{ByHand, Id};
use crate::running::control_error::Answer;

/// A message to the driver.
pub(crate) enum Message {
    Service(Id, News),
    /// A service asks for more time from now on.
    Extend(Id, Duration),
    Stop,
    /// The outer group asks this one to stop, and leaves it so much time.
    StopWithin(Duration),
    /// The program asks for the end at once.
    Abort,
    Exit(u8),
    /// A service is to be controlled by hand. The answer is what came of it.
    ByHand(ByHand, Id, oneshot::Sender<Answer>),
    /// This signal asks for a stop or, if it is the second such message, forces the end.
    Signal(i32),
    /// This signal repeats a request that was made less than half a second ago.
    SameRequest(i32),
    /// This signal was ignored when the program was started, and is ignored.
    Ignored(i32),
    /// A service serves clients from outside.
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "nothing here serves without it"))]
    Serves,
    /// This signal asks for a reload.
    Reload(i32),
}

/// A service's task reports this.
pub(crate) enum News {
    Built,
    Ready,
    Ended,
    Failed(BoxError),
    /// Another part of the service failed, after the failure that was reported.
    AlsoFailed(BoxError),
    /// A job of the service failed, or a run of a ticker, and the service goes on.
    Survived(BoxError),
    /// The service has stopped, but something inside of it was aborted.
    StoppedUncleanly(BoxError),
    /// A handler of the service panicked. The client was answered, and the panic was logged.
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "there are no handlers without it"))]
    HandlerPanicked(BoxError),
    Gone,
}

/// The inbox of the driver. It exists before the driver does.
pub(crate) trait Post: Send + Sync {
    /// Puts a message in, and wakes the reader. Once the driver is gone, messages are dropped.
    fn put(&self, message: Message);

    /// Puts a message in without waking the reader: it is read together with the next one, or by [`deal`](Self::deal).
    fn put_silently(&self, message: Message);

    /// Wakes the reader.
    fn wake(&self);

    /// Runs the driver on this thread for the messages that are queued, unless another thread runs it already.
    fn deal(&self);
}
