//! The messages for the driver, from every task and thread, and the driver itself while nothing runs it.
//!
//! # Protocol
//!
//! The driver has no thread and no lock of its own. It lies in the inbox as a box, and the thread that takes the box
//! out runs it: usually the task of the service that has just reported something, else the driver's own task, which
//! also serves the timers.
//!
//! ```text
//!               poll_take_up (1)                                                lay_down (2)
//! [laid down] -+-------------------> [taken up by its task] ------------------+--------------> [laid down]
//!              | deal, if a message waits                                     |
//!              +-------------------> [taken up by a service's task] ----------+
//!                                      | poll_take_up finds no driver         |
//!                                      +--> [missed] -------------------------+
//!                                                       lay_down wakes its task
//!
//! (1) if a message waits, if a timer has rung, or if the driver needs its task; a thread that stands in for that task
//!     takes it up as the task of a service does
//! (2) wakes its task if a message has come meanwhile, or if the driver needs its task
//! ```
//!
//! - *Laid down*: `driver` is there. Its task has left a waker in `reader`, or is about to poll.
//! - *Taken up by its task* or *by a service's task*: `driver` is none, and one thread runs it outside of the lock.
//! - *Missed*: a service's task has it, and its own task has looked for it meanwhile (`is_missed`). That look may have
//!   been for the timers, which ring only once, so its task is woken when the driver is laid down.
//!
//! **State:** `queue`, under its lock, and `holds_any`, which is true while `messages` is not empty.
//!
//! **Writers and readers:** any thread puts messages in. Only `deal`, the driver's task and a thread that stands in for it
//! take the driver up, and each lays it down again. `reader` is written by the driver's task and taken by the thread that wakes it.
//!
//! **No message is left unread.** A message that is put with [`Post::put`] wakes the reader. A message that is put
//! silently is followed by `deal` (or `wake`) of the same task. If `deal` takes the driver up, it takes the message,
//! too. If the driver is taken up already, the message came under the lock before `lay_down`, which finds it there and
//! wakes the driver's task.
//!
//! **Orderings:** all of `queue` is ordered by its lock. `holds_any` is written under the lock only and read by `deal`
//! without it, `Relaxed`. That suffices because `deal` must see only the messages of its own task: the task reads its
//! own `true`, or a later value. A later `false` was written under the lock by a thread that has taken this message
//! with all others. A stale `false` can hide only messages of others, who deal with them or wake the reader. A stale
//! `true` costs one look under the lock.

use std::task::{Context, Poll, Waker};

use crate::base::lock;
use crate::base::primitives::{AtomicBool, Mutex, Ordering};
use crate::running::message::{Message, Post};

/// The capacity that is kept: more messages hardly ever wait at once.
const ROOM: usize = 64;

/// Holds the messages until the driver reads them, and the driver between two reads. It exists before the driver.
pub(crate) struct Inbox<D> {
    queue: Mutex<Queue<D>>,
    /// True while messages wait. It is a hint that saves `deal` the lock.
    holds_any: AtomicBool,
}

struct Queue<D> {
    messages: Vec<Message>,
    /// The driver while it is laid down.
    driver: Option<Box<D>>,
    /// True once the driver's task has looked for it while a service's task had taken it up.
    is_missed: bool,
    /// Wakes the driver's task or, before there is a driver, the task that waits for a message.
    reader: Option<Waker>,
    /// True once the driver is gone. Messages are dropped from then on.
    is_closed: bool,
}

impl<D> Default for Inbox<D> {
    fn default() -> Self {
        Self { queue: Mutex::default(), holds_any: AtomicBool::new(false) }
    }
}

impl<D> Default for Queue<D> {
    fn default() -> Self {
        Self { messages: Vec::new(), driver: None, is_missed: false, reader: None, is_closed: false }
    }
}

/// A driver, as the inbox sees it.
pub(crate) trait Drive {
    /// The buffer into which the inbox moves its messages when the driver is taken up.
    fn messages(&mut self) -> &mut Vec<Message>;

    /// Handles the messages in that buffer.
    fn receive_all(&mut self);

    /// Returns true if there is something to do that only the driver's own task can do.
    fn needs_its_task(&self) -> bool;
}

impl<D: Drive> Inbox<D> {
    /// Takes the driver up, with the messages that wait. Returns `None` if no message waits, or if the driver is taken
    /// up already: `lay_down` will see the messages.
    fn take_up(&self) -> Option<Box<D>> {
        // Relaxed: it sees at least the messages of its own task. See the protocol.
        if !self.holds_any.load(Ordering::Relaxed) {
            return None;
        }
        self.take_up_now()
    }

    /// Takes the driver up for its own task: if messages wait, if the task needs it, or if `is_time` for a timer.
    /// Otherwise the task is woken later. Ready with `None` when the driver is gone.
    pub(crate) fn poll_take_up(&self, is_time: bool, task: &mut Context<'_>) -> Poll<Option<Box<D>>> {
        let mut queue = lock(&self.queue);
        if queue.is_closed {
            return Poll::Ready(None);
        }
        queue.is_missed = queue.driver.is_none();
        let has_messages = !queue.messages.is_empty();
        if let Some(mut driver) = queue.driver.take_if(|driver| is_time || has_messages || driver.needs_its_task()) {
            self.hand_over(&mut queue.messages, driver.messages());
            return Poll::Ready(Some(driver));
        }
        queue.reader = Some(task.waker().clone());
        Poll::Pending
    }

    /// Takes the driver up for a thread that stands in for its task, unless it is taken up already.
    pub(crate) fn take_up_now(&self) -> Option<Box<D>> {
        let mut queue = lock(&self.queue);
        let mut driver = queue.driver.take()?;
        self.hand_over(&mut queue.messages, driver.messages());
        Some(driver)
    }

    /// Looks at the driver where it lies. Returns `None` while it is taken up, or gone.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut D) -> T) -> Option<T> {
        lock(&self.queue).driver.as_deref_mut().map(look)
    }

    fn hand_over(&self, waiting: &mut Vec<Message>, received: &mut Vec<Message>) {
        received.shrink_to(ROOM);
        std::mem::swap(waiting, received);
        self.holds_any.store(false, Ordering::Relaxed);
    }

    /// Lays the driver down, and wakes its task if there is something to do already.
    pub(crate) fn lay_down(&self, driver: Box<D>) {
        let mut queue = lock(&self.queue);
        if queue.is_closed {
            // It is dropped after the lock is released.
            return;
        }
        let is_needed = queue.is_missed || !queue.messages.is_empty() || driver.needs_its_task();
        queue.driver = Some(driver);
        let reader = if is_needed { queue.reader.take() } else { None };
        drop(queue);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Ready once such a message waits, which is left in the inbox.
    pub(crate) fn poll_holds(&self, is_such: impl Fn(&Message) -> bool, task: &mut Context<'_>) -> Poll<()> {
        let mut queue = lock(&self.queue);
        if queue.messages.iter().any(is_such) {
            return Poll::Ready(());
        }
        queue.reader = Some(task.waker().clone());
        Poll::Pending
    }

    /// Takes the messages that came before there was a driver.
    pub(crate) fn take(&self) -> Vec<Message> {
        std::mem::take(&mut lock(&self.queue).messages)
    }

    /// Returns true if such a message waits.
    pub(crate) fn holds(&self, is_such: impl Fn(&Message) -> bool) -> bool {
        lock(&self.queue).messages.iter().any(is_such)
    }

    /// Drops what is in it and all that comes later, and wakes the reader, which sees that it is closed.
    pub(crate) fn close(&self) {
        let closed = Queue { is_closed: true, ..Queue::default() };
        // The rest is dropped after the lock is released.
        let mut rest = std::mem::replace(&mut *lock(&self.queue), closed);
        if let Some(reader) = rest.reader.take() {
            reader.wake();
        }
    }
}

impl<D: Drive + Send> Post for Inbox<D> {
    fn put(&self, message: Message) {
        self.put_silently(message);
        self.wake();
    }

    fn put_silently(&self, message: Message) {
        let mut queue = lock(&self.queue);
        if !queue.is_closed {
            queue.messages.push(message);
            self.holds_any.store(true, Ordering::Relaxed);
        }
    }

    fn wake(&self) {
        let reader = lock(&self.queue).reader.take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn deal(&self) {
        if let Some(mut driver) = self.take_up() {
            driver.receive_all();
            self.lay_down(driver);
        }
    }
}
