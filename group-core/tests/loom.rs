//! Every interleaving of three protocols, tried by loom: the stop request, the inbox and its driver, the tally.
//!
//! The files of the protocols are included here as they are. They take their primitives from `crate::base::primitives`,
//! which here is loom's. There is no `--cfg loom`: that would change tokio, too.
//!
//! Loom fails a model in which a thread waits for ever (a deadlock), or in which an assertion fails in any interleaving.
//! Each model says which weakenings of the real code make it fail; each was tried by hand. A model that fails with a
//! deadlock may abort the whole process, as loom's locks panic again in destructors: the first panic says what failed.
#![allow(dead_code, reason = "the models need only a part of each file")]

#[path = "../src/base"]
mod base {
    #[path = "sync.rs"]
    pub(crate) mod sync;

    /// Loom's primitives, and tokio's `Notify` made of them.
    pub(crate) mod primitives {
        pub(crate) use loom::sync::Mutex;
        pub(crate) use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

        use std::pin::Pin;
        use std::task::{Context, Poll, Waker};

        use crate::base::lock;

        /// As tokio's: a [`Notified`] is woken by each `notify_waiters` after it was made, also before its first poll.
        #[derive(Debug, Default)]
        pub(crate) struct Notify {
            calls: AtomicUsize,
            waiting: Mutex<Vec<Waker>>,
        }

        #[derive(Debug)]
        pub(crate) struct Notified<'a> {
            notify: &'a Notify,
            calls: usize,
        }

        impl Notify {
            pub(crate) fn notified(&self) -> Notified<'_> {
                Notified { notify: self, calls: self.calls.load(Ordering::SeqCst) }
            }

            pub(crate) fn notify_waiters(&self) {
                let woken = {
                    let mut waiting = lock(&self.waiting);
                    self.calls.fetch_add(1, Ordering::SeqCst);
                    std::mem::take(&mut *waiting)
                };
                woken.into_iter().for_each(Waker::wake);
            }
        }

        impl Future for Notified<'_> {
            type Output = ();

            fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
                let mut waiting = lock(&self.notify.waiting);
                if self.notify.calls.load(Ordering::SeqCst) == self.calls {
                    waiting.push(task.waker().clone());
                    return Poll::Pending;
                }
                Poll::Ready(())
            }
        }
    }

    /// Loom's locks are never poisoned: a panic fails the model.
    pub(crate) fn lock<T>(mutex: &primitives::Mutex<T>) -> loom::sync::MutexGuard<'_, T> {
        mutex.lock().expect("a lock is not poisoned")
    }
}

#[path = "../src/running"]
mod running {
    #[path = "stop_request.rs"]
    pub(crate) mod stop_request;

    pub(crate) mod message {

        /// The inbox only passes messages on, so a number is enough.
        #[derive(Debug)]
        pub(crate) struct Message(pub(crate) usize);

        /// As in `running/message.rs`.
        pub(crate) trait Post: Send + Sync {
            fn put(&self, message: Message);
            fn put_silently(&self, message: Message);
            fn wake(&self);
            fn deal(&self);
        }
    }
}

#[path = "../src/engine"]
mod engine {
    #[path = "inbox.rs"]
    pub(crate) mod inbox;
}

use std::future::poll_fn;
use std::sync::Arc;

use loom::future::block_on;
use loom::thread;

use self::base::primitives::{AtomicBool, AtomicUsize, Ordering};
use self::base::sync::Tally;
use self::engine::inbox::{Drive, Inbox};
use self::running::message::{Message, Post as _};
use self::running::stop_request::{StopRequest, StopWaiters};

/// Tries every interleaving of three threads in which at most two switches are forced on them. Without a bound it would
/// take hours; with 3 it takes ten times as long as with 2. The models of two threads need no bound.
fn three_threads(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(model);
}

/// A service, as far as its stop request goes.
#[derive(Default)]
struct Service {
    stop: StopRequest,
    waiters: StopWaiters,
    /// The `OnceLock` of the waiters, whose value is made already: only its flag orders anything.
    has_waiters: AtomicBool,
    /// Written before the request.
    settings: AtomicUsize,
}

impl Service {
    fn ask_to_stop(&self) {
        self.settings.store(1, Ordering::Relaxed);
        self.stop.ask(|| self.has_waiters.load(Ordering::Acquire).then_some(&self.waiters));
    }

    fn stop_waiters(&self) -> &StopWaiters {
        self.stop.waiters(|| {
            if !self.has_waiters.load(Ordering::Acquire) {
                self.has_waiters.store(true, Ordering::Release);
            }
            &self.waiters
        })
    }
}

/// Fails without the fence in `StopRequest::ask`, without that in `StopRequest::waiters`, with `AcqRel` in either, and if
/// `Latch::wait` looks before it registers. Fails, too, if the store or the load of `is_asked` is `Relaxed`: then the
/// waiter does not see what was written before the request.
#[test]
fn a_waiter_that_comes_at_the_moment_of_the_request_is_woken() {
    loom::model(|| {
        let service = Arc::new(Service::default());
        let waiting = thread::spawn({
            let service = Arc::clone(&service);
            move || {
                block_on(service.stop_waiters().latch.wait());
                assert_eq!(service.settings.load(Ordering::Relaxed), 1);
            }
        });
        service.ask_to_stop();
        waiting.join().unwrap();
    });
}

/// A driver that is over once it has read so many messages.
#[derive(Debug)]
struct Driver {
    messages: Vec<Message>,
    is_read: Vec<bool>,
}

impl Driver {
    fn is_over(&self) -> bool {
        self.is_read.iter().all(|&is_read| is_read)
    }
}

impl Drive for Driver {
    fn messages(&mut self) -> &mut Vec<Message> {
        &mut self.messages
    }

    fn receive_all(&mut self) {
        for Message(number) in self.messages.drain(..) {
            assert!(!self.is_read[number], "no message is read twice");
            self.is_read[number] = true;
        }
    }

    fn needs_its_task(&self) -> bool {
        self.is_over()
    }
}

/// The driver's task, as `engine/driver.rs` runs it, until so many messages are read.
fn run_driver(inbox: &Inbox<Driver>, messages: usize) {
    let mut driver = Box::new(Driver { messages: Vec::new(), is_read: vec![false; messages] });
    block_on(async {
        while !driver.is_over() {
            inbox.lay_down(driver);
            driver = poll_fn(|task| inbox.poll_take_up(false, task)).await.expect("the driver is not gone");
            driver.receive_all();
        }
    });
}

/// Runs the driver's task beside two threads, which put in messages 0 and 1.
fn with_driver(puts: [fn(&Inbox<Driver>, Message); 2]) {
    three_threads(move || {
        let inbox = Arc::new(Inbox::<Driver>::default());
        let putting = [0, 1].map(|number| {
            let inbox = Arc::clone(&inbox);
            thread::spawn(move || puts[number](&inbox, Message(number)))
        });
        run_driver(&inbox, 2);
        for thread in putting {
            thread.join().unwrap();
        }
    });
}

/// As a service's task at the end of its poll.
fn put_silently_and_deal(inbox: &Inbox<Driver>, message: Message) {
    inbox.put_silently(message);
    inbox.deal();
}

fn put(inbox: &Inbox<Driver>, message: Message) {
    inbox.put(message);
}

/// Fails if `put` wakes before it puts the message in, and if `lay_down` wakes nobody for a driver that needs its task.
#[test]
fn no_message_is_left_while_a_services_task_runs_the_driver() {
    with_driver([put_silently_and_deal, put]);
}

/// Fails if `lay_down` does not look for messages, if `put_silently` sets `holds_any` after it has released the lock, and
/// if `lay_down` wakes nobody for a driver that needs its task.
#[test]
fn no_message_is_left_while_two_services_tasks_run_the_driver() {
    with_driver([put_silently_and_deal, put_silently_and_deal]);
}

/// A timer rings once. If a service's task has taken the driver up at that moment, the driver's task must be woken again.
/// Fails if `poll_take_up` does not set `is_missed`.
#[test]
fn a_timer_that_rings_while_a_services_task_runs_the_driver_is_not_missed() {
    loom::model(|| {
        let inbox = Arc::new(Inbox::<Driver>::default());
        inbox.lay_down(Box::new(Driver { messages: Vec::new(), is_read: vec![false; 2] }));
        let putting = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || put_silently_and_deal(&inbox, Message(0))
        });
        block_on(poll_fn(|task| inbox.poll_take_up(true, task)));
        putting.join().unwrap();
    });
}

/// Fails if the count down or `is_any_left` is `Relaxed`, and if `none_left` looks before it registers.
#[test]
fn what_was_counted_has_been_done_when_none_is_left() {
    three_threads(|| {
        let tally = Tally::default();
        let done = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        for number in [0, 1] {
            let (counted, done) = (tally.count(), Arc::clone(&done));
            thread::spawn(move || {
                done[number].store(true, Ordering::Relaxed);
                drop(counted);
            });
        }
        block_on(tally.none_left());
        assert!(done.iter().all(|done| done.load(Ordering::Relaxed)));
    });
}
