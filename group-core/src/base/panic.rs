//! Panics become errors, with their message and their place.
//!
//! The first call installs a panic hook for the whole process, which notes the place of a panic and then calls the
//! hook that was there before.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::error::Error;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::pin::Pin;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;
use std::{fmt, task};

use pin_project_lite::pin_project;

/// True if a panic ends the process at once. A library may have been built otherwise than the program, which decides.
static ABORTS: AtomicBool = AtomicBool::new(cfg!(panic = "abort"));

pub(crate) fn aborts() -> bool {
    ABORTS.load(Ordering::Relaxed)
}

/// The program is built with `panic = "abort"`.
pub(crate) fn set_aborts() {
    ABORTS.store(true, Ordering::Relaxed);
}

/// The crate's `BoxError`, whose file is above this one.
type BoxError = Box<dyn Error + Send + Sync>;

thread_local! {
    /// The number of calls of [`caught_now`] that are on this thread's stack.
    static INSIDE: Cell<usize> = const { Cell::new(0) };
    /// True inside of [`quietly`].
    static QUIET: Cell<bool> = const { Cell::new(false) };
    /// The last panic inside of [`caught_now`], whether or not that has caught it.
    static LAST: RefCell<Option<Noted>> = const { RefCell::new(None) };
}

/// A panic that the hook has seen.
struct Noted {
    mark: Mark,
    place: Option<String>,
}

/// The words of a panic, as its error has them, for a hook.
pub(crate) fn words(info: &PanicHookInfo<'_>) -> String {
    Panicked { message: message(info.payload()), place: info.location().map(ToString::to_string) }.to_string()
}

/// Tells one panic from another by its payload: the user's code may catch the one that the hook has seen, and resume
/// another, of which no hook hears. A text is the same if it lies at the same place in memory, another value if it has the
/// same type.
#[derive(PartialEq)]
struct Mark {
    type_id: TypeId,
    at: Option<*const u8>,
    message: String,
}

impl Mark {
    fn of(payload: &(dyn Any + Send)) -> Self {
        Self { type_id: payload.type_id(), at: text(payload).map(str::as_ptr), message: message(payload) }
    }
}

/// The error that a panic becomes.
#[derive(Debug)]
struct Panicked {
    message: String,
    place: Option<String>,
}

/// The first words of a panic of the standard library's `print!` and `eprint!`.
const PRINT_FAILED: &str = "failed printing to std";

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked: {}", self.message)?;
        if self.message.starts_with(PRINT_FAILED) {
            f.write_str(" (nobody reads it any more, and then `println!` panics; `writeln!` and `tracing` do not)")?;
        }
        match &self.place {
            Some(place) => write!(f, ", at {place}"),
            None => Ok(()),
        }
    }
}

impl Error for Panicked {}

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
        let mark = Mark::of(&*payload);
        let place = LAST.take().filter(|last| last.mark == mark).and_then(|last| last.place);
        drop_payload(payload);
        Panicked { message: mark.message, place }.into()
    })
}

/// Drops the payload of a panic. Its destructor may panic in turn; what it panics with is leaked, so that there is an end.
fn drop_payload(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
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
    result.map_err(|payload| {
        let message = message(&*payload);
        drop_payload(payload);
        message
    })
}

/// The message of a panic.
pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    text(payload).unwrap_or("with a value that is not text").to_owned()
}

fn text(payload: &(dyn Any + Send)) -> Option<&str> {
    let fixed = payload.downcast_ref::<&str>().copied();
    fixed.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

/// Installs the panic hook, once. Only a hook learns the place of a panic. This one notes it for [`caught_now`], and
/// passes every panic on to the hook that was there before, except inside of [`quietly`]. In a destructor that runs because
/// of a panic, no hook can be installed.
fn note_places() {
    static ONCE: Once = Once::new();
    if thread::panicking() {
        return;
    }
    ONCE.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            if INSIDE.get() > 0 {
                let place = info.location().map(ToString::to_string);
                LAST.set(Some(Noted { mark: Mark::of(info.payload()), place }));
            }
            // Nothing is refused quietly where a panic ends the process.
            if !QUIET.get() || aborts() {
                previous(info);
            }
        }));
    });
}
