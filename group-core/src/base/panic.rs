//! Panics become errors, with their message and their place.
//!
//! The first call installs a panic hook for the whole process, which notes the place of a panic and then calls the
//! hook that was there before.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::pin::Pin;
use std::sync::Once;
use std::task::Poll;
use std::{fmt, task};

use pin_project_lite::pin_project;

use crate::base::error::BoxError;

thread_local! {
    /// The number of calls of [`caught_now`] that are on this thread's stack.
    static INSIDE: Cell<usize> = const { Cell::new(0) };
    /// True inside of [`quietly`].
    static QUIET: Cell<bool> = const { Cell::new(false) };
    /// The place of the last panic inside of [`caught_now`].
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The error that a panic becomes.
#[derive(Debug)]
struct Panicked {
    message: String,
    place: Option<String>,
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked: {}", self.message)?;
        match &self.place {
            Some(place) => write!(f, ", at {place}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Panicked {}

/// Runs a future; a panic in it becomes an error.
pub(crate) fn caught<F: Future>(future: F) -> Caught<F> {
    Caught { future }
}

pin_project! {
    /// The future of [`caught`]. Not an `async fn`, because its state would store the inner future twice.
    pub(crate) struct Caught<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Caught<F> {
    type Output = Result<F::Output, BoxError>;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Self::Output> {
        poll_caught(self.project().future, task)
    }
}

/// Polls a future once; a panic in it becomes an error.
pub(crate) fn poll_caught<F: Future + ?Sized>(
    future: Pin<&mut F>,
    task: &mut task::Context<'_>,
) -> Poll<Result<F::Output, BoxError>> {
    match caught_now(|| future.poll(task)) {
        Ok(polled) => polled.map(Ok),
        Err(panicked) => Poll::Ready(Err(panicked)),
    }
}

/// Runs a function; a panic in it becomes an error.
pub(crate) fn caught_now<T>(run: impl FnOnce() -> T) -> Result<T, BoxError> {
    note_places();
    INSIDE.set(INSIDE.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(run));
    INSIDE.set(INSIDE.get() - 1);
    result.map_err(|payload| {
        let place = PLACE.take();
        Panicked { message: message(&*payload), place }.into()
    })
}

/// Merges the two errors: that of a panic, and that of the code itself.
pub(crate) fn flatten<T>(result: Result<Result<T, BoxError>, BoxError>) -> Result<T, BoxError> {
    result.and_then(|result| result)
}

/// Runs a function that may panic to refuse its input. The panic's message is returned, and the panic hook that was
/// there before does not print it.
#[cfg(feature = "http")]
pub(crate) fn quietly<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    note_places();
    QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    QUIET.set(false);
    result.map_err(|payload| message(&*payload))
}

/// The message of a panic.
pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("with a value that is not text")
        .to_owned()
}

/// Installs the panic hook, once. Only a hook learns the place of a panic. This one notes it for [`caught_now`], and
/// passes every panic on to the hook that was there before, except inside of [`quietly`].
fn note_places() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            if INSIDE.get() > 0 {
                PLACE.set(info.location().map(ToString::to_string));
            }
            if !QUIET.get() {
                previous(info);
            }
        }));
    });
}
