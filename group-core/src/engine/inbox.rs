//! What reaches a driver, from every task and thread.

use std::fmt::Debug;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use crate::base::lock;
use crate::running::message::{Message, Post};

/// Room for so many messages is kept: hardly ever do more wait at once.
const ROOM: usize = 64;

/// Where messages wait for the driver, and the driver for messages. It is there before the driver is.
#[derive(Debug)]
pub(crate) struct Inbox<D> {
    queue: Mutex<Queue<D>>,
    /// Whether messages wait.
    holds_any: AtomicBool,
}

#[derive(Debug)]
struct Queue<D> {
    messages: Vec<Message>,
    /// While nobody has taken it up.
    driver: Option<Box<D>>,
    /// Whether its task looked for it while somebody else had taken it up.
    is_missed: bool,
    /// Wakes the driver's task, or who waits for a message before there is a driver.
    reader: Option<Waker>,
    /// The driver is gone.
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

/// What an inbox knows of the driver that lies in it.
pub(crate) trait Drive {
    /// Where the inbox puts messages when the driver is taken up.
    fn messages(&mut self) -> &mut Vec<Message>;

    /// Deals with these messages.
    fn receive_all(&mut self);

    /// Whether there is something to do that only its own task does.
    fn needs_its_task(&self) -> bool;
}

impl<D: Drive> Inbox<D> {
    /// The driver and what waits for it. None if nothing does, or somebody else has taken it up, who will see to it.
    fn take_up(&self) -> Option<Box<D>> {
        // What this thread has put in, it sees.
        if !self.holds_any.load(Ordering::Relaxed) {
            return None;
        }
        let mut queue = lock(&self.queue);
        let mut driver = queue.driver.take()?;
        self.hand_over(&mut queue.messages, driver.messages());
        Some(driver)
    }

    /// The same for the driver's own task, which takes it up for more than messages, and is woken when there is
    /// something to do. Ready with none when the driver is gone.
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

    fn hand_over(&self, waiting: &mut Vec<Message>, received: &mut Vec<Message>) {
        received.shrink_to(ROOM);
        std::mem::swap(waiting, received);
        self.holds_any.store(false, Ordering::Relaxed);
    }

    /// Leaves the driver to whoever takes it up next: its task, if something is to be done already.
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

    /// Ready once such a message waits. It stays there.
    pub(crate) fn poll_holds(&self, is_such: impl Fn(&Message) -> bool, task: &mut Context<'_>) -> Poll<()> {
        let mut queue = lock(&self.queue);
        if queue.messages.iter().any(is_such) {
            return Poll::Ready(());
        }
        queue.reader = Some(task.waker().clone());
        Poll::Pending
    }

    /// What has come before there was a driver.
    pub(crate) fn take(&self) -> Vec<Message> {
        std::mem::take(&mut lock(&self.queue).messages)
    }

    /// Whether such a message waits.
    pub(crate) fn holds(&self, is_such: impl Fn(&Message) -> bool) -> bool {
        lock(&self.queue).messages.iter().any(is_such)
    }

    /// Nobody will read it any more, and who waits for that hears of it.
    pub(crate) fn close(&self) {
        let closed = Queue { is_closed: true, ..Queue::default() };
        // What is in it is dropped after the lock is released.
        let mut rest = std::mem::replace(&mut *lock(&self.queue), closed);
        if let Some(reader) = rest.reader.take() {
            reader.wake();
        }
    }
}

impl<D: Drive + Debug + Send> Post for Inbox<D> {
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
