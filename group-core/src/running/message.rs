//! What reaches the driver of a group, and the way to it.

use std::fmt::Debug;
use std::time::Duration;

use crate::base::error::BoxError;
use crate::lifecycle::event::Id;

/// What reaches the driver.
#[derive(Debug)]
pub(crate) enum Message {
    Service(Id, News),
    /// A service asks for more time from now on.
    Extend(Id, Duration),
    Stop,
    Exit(u8),
    Signal(i32),
    /// A service serves clients from outside.
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "nothing here serves without it"))]
    Serves,
    /// A signal that asks for a reload.
    #[cfg_attr(windows, expect(dead_code, reason = "there is no such event"))]
    Reload(i32),
}

/// What a service's task tells.
#[derive(Debug)]
pub(crate) enum News {
    Built,
    Ready,
    Ended,
    Failed(BoxError),
    /// Something of it failed besides what it failed for.
    AlsoFailed(BoxError),
    /// A handler of it panicked, which its clients were told, and which was logged.
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "there are no handlers without it"))]
    HandlerPanicked(BoxError),
    Gone,
}

/// The way to the driver. It is there before the driver is.
pub(crate) trait Post: Debug + Send + Sync {
    /// Puts a message in, and wakes the reader. Once the driver is gone, messages are dropped.
    fn put(&self, message: Message);

    /// Puts a message in and wakes nobody: it is read together with the next one, or by [`deal`](Self::deal).
    fn put_silently(&self, message: Message);

    /// Wakes the reader.
    fn wake(&self);

    /// Runs the driver on this thread for the messages that wait, unless another thread runs it already.
    fn deal(&self);
}
