//! Code that the group runs in passing: subscribers of the log, wakers of those who wait for events, the texts and
//! destructors of errors. It may call the group, and may panic.

use std::error::Error;
use std::fmt;
use std::pin::pin;
use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use group::{BoxError, Context, Event, Group, Handle, Health, Phase, Restart, Service, Shutdown, Spec, State};
use tokio::runtime::Builder;

use crate::support::{Journal, listen, logged, on_line};

/// Runs a test on a thread of its own, with paused time. A lock that is taken twice would hang it for ever.
fn in_time(test: impl AsyncFnOnce() + Send + 'static) {
    let (ended, is_over) = mpsc::channel();
    let thread = thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(test());
        let _ = ended.send(());
    });
    let hangs = is_over.recv_timeout(Duration::from_secs(20)) == Err(mpsc::RecvTimeoutError::Timeout);
    assert!(!hangs, "a lock is taken twice");
    thread.join().unwrap();
}

/// The group of a test, once it runs, for code that cannot be handed it.
type Known = Arc<OnceLock<Handle>>;

/// All that can be asked of a group without waiting.
fn ask_all(handle: &Handle) {
    let status = handle.status();
    assert!(status.services().len() <= 10);
    let _ = (handle.events(), handle.local_addr("worker"), handle.is_stopping(), format!("{handle:?}"));
}

async fn until_stopped(shutdown: Shutdown) {
    shutdown.requested().await;
}

/// A group of two that tells its handle, from the first service's start on.
fn group_known_as(known: &Known) -> Group {
    let known = Arc::clone(known);
    let mut group = Group::new();
    group.add_fn("first", |handle: Handle, shutdown: Shutdown| async move {
        let _ = known.set(handle);
        shutdown.requested().await;
    });
    group.add_fn("worker", until_stopped);
    group
}

#[test]
fn a_subscriber_of_the_log_may_ask_the_group_anything() {
    in_time(async || {
        let known = Known::default();
        listen();
        let asked = Arc::clone(&known);
        on_line(move |_| asked.get().into_iter().for_each(ask_all));
        let report = group_known_as(&known).start().await.unwrap().stop().await;
        assert!(report.is_clean());
        // The order of the lines is the order in which it happened.
        let lines = logged();
        let place =
            |what: &str| lines.iter().position(|line| line.contains(what)).unwrap_or_else(|| panic!("{lines:#?}"));
        let order =
            ["first is ready", "worker is being built", "worker is ready", "2 services are ready", "stopping 2"];
        assert!(order.map(place).is_sorted(), "{lines:#?}");
        assert!(place("worker stopped") < place("first stopped"), "{lines:#?}");
        assert!(lines.last().unwrap().contains("stopped cleanly"), "{lines:#?}");
    });
}

#[test]
fn a_subscriber_of_the_log_may_stop_the_group_and_sees_what_it_reads_about() {
    in_time(async || {
        let known = Known::default();
        listen();
        let asked = Arc::clone(&known);
        on_line(move |line| {
            let Some(handle) = asked.get() else { return };
            if line.contains("2 services are ready") {
                assert_eq!(handle.status().phase(), Phase::Running);
                handle.exit(7);
            } else if line.contains("worker stopped") {
                assert_eq!(handle.status().service("worker").unwrap().state(), State::Gone);
            }
        });
        let report = group_known_as(&known).start().await.unwrap().wait().await;
        assert_eq!(report.exit_code(), 7, "{report}");
    });
}

/// Asks the group whenever it wakes.
struct Asks(Handle);

impl Wake for Asks {
    fn wake(self: Arc<Self>) {
        ask_all(&self.0);
    }
}

#[test]
fn the_waker_of_one_who_waits_for_events_may_ask_the_group() {
    in_time(async || {
        let known = Known::default();
        let running = group_known_as(&known).start().await.unwrap();
        let handle = running.handle();
        let mut events = handle.events();
        let waker = Waker::from(Arc::new(Asks(handle.clone())));
        let stops = tokio::spawn(running.stop());
        let mut seen = Vec::new();
        // Polls by hand, with a waker that is no task's.
        loop {
            match pin!(events.recv()).poll(&mut std::task::Context::from_waker(&waker)) {
                Poll::Ready(Some(event)) => seen.push(event),
                Poll::Ready(None) => break,
                Poll::Pending => tokio::task::yield_now().await,
            }
        }
        assert!(stops.await.unwrap().is_clean());
        assert_eq!(seen.last(), Some(&Event::GroupStopped), "{seen:?}");
    });
}

/// An error that asks the group for its text and in its destructor.
struct Nosy(Known);

impl fmt::Debug for Nosy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Nosy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.get().into_iter().for_each(ask_all);
        f.write_str("nosy")
    }
}

impl Error for Nosy {}

impl Drop for Nosy {
    fn drop(&mut self) {
        self.0.get().into_iter().for_each(ask_all);
    }
}

#[test]
fn an_error_may_ask_the_group_for_its_text_and_in_its_destructor() {
    in_time(async || {
        let known = Known::default();
        listen();
        let mut group = group_known_as(&known);
        // More failures than a report keeps.
        group.add_restartable_fn("nosy", {
            let known = Arc::clone(&known);
            move || {
                let known = Arc::clone(&known);
                async move {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    Err::<(), _>(Nosy(known))
                }
            }
        });
        let always = Restart::on_failure()
            .max(usize::MAX)
            .within(Duration::from_secs(1))
            .backoff(Duration::ZERO, Duration::ZERO);
        group.configure("nosy", |spec: Spec| spec.restart(always));
        let running = group.start().await.unwrap();
        tokio::time::sleep(Duration::from_millis(1_500_500)).await;
        let _ = format!("{running:?}");
        let report = running.stop().await;
        assert!(report.is_clean() && report.forgotten() > 0, "{}", report.summary());
    });
}

/// Its `health` fails with an error that panics: when it is asked for its text, or when it is dropped.
struct Unwell {
    text: bool,
}

#[derive(Debug)]
struct Illness {
    text: bool,
}

impl fmt::Display for Illness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        assert!(!self.text, "no words for it");
        f.write_str("ill")
    }
}

impl Error for Illness {}

impl Drop for Illness {
    fn drop(&mut self) {
        assert!(self.text, "no end to it");
    }
}

impl Service for Unwell {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        cx.shutdown().requested().await;
        Ok(())
    }

    async fn health(&self) -> Result<(), BoxError> {
        Err(Illness { text: self.text }.into())
    }
}

#[tokio::test]
async fn a_health_whose_error_panics_hides_no_other() {
    for (text, words) in
        [(true, "(the text of this error panicked: no words for it"), (false, "panicked: no end to it")]
    {
        let mut group = Group::new();
        group.add_as("well", Journal::default().probe("well")).add_as("unwell", Unwell { text });
        let running = group.start().await.unwrap();
        let health = running.handle().health().await;
        assert_eq!(health[0].health(), &Health::Healthy);
        let Health::Unhealthy(told) = health[1].health() else { panic!("{health:?}") };
        assert!(told.starts_with(words), "{told}");
        assert!(running.stop().await.is_clean());
    }
}

#[tokio::test]
async fn a_report_can_be_written_in_every_form_whatever_its_errors_do() {
    let mut group = Group::new();
    group.add_fn("s", || async { Err::<(), _>(Silent) });
    let error = group.start().await.unwrap_err();
    let report = error.report();
    let forms =
        [format!("{report}"), format!("{report:?}"), format!("{error}"), format!("{error:?}"), report.summary()];
    assert!(forms[0].contains("`s` failed to start: (the text of this error panicked: no text"), "{report}");
    assert!(forms[1].contains("(the text of this error panicked: no name"), "{}", forms[1]);
    let json = serde_json::to_string(&report).unwrap();
    assert!(json.contains("the text of this error panicked: no text"), "{json}");
}

/// An error that panics whatever it is asked.
struct Silent;

impl fmt::Debug for Silent {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no name");
    }
}

impl fmt::Display for Silent {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("no text");
    }
}

impl Error for Silent {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        panic!("no source");
    }
}
