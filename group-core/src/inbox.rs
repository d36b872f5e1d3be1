//! What reaches a driver, from every task and thread.

use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use crate::lock::lock;
use crate::shared::Message;

/// Room for so many messages is kept: hardly ever do more wait at once.
const ROOM: usize = 64;

/// Where messages wait for the driver, which takes all of them at once. It is there before the driver is.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    messages: Vec<Message>,
    /// Who waits for the next.
    reader: Option<Waker>,
    /// Nobody will read it any more.
    is_closed: bool,
}

impl Inbox {
    /// Puts a message in, and wakes who reads. When nobody will read it, it is dropped.
    pub(crate) fn put(&self, message: Message) {
        self.put_silently(message);
        self.wake();
    }

    /// Puts a message in that is read when something else comes, or when [`wake`](Self::wake) says so.
    pub(crate) fn put_silently(&self, message: Message) {
        let mut queue = lock(&self.queue);
        if !queue.is_closed {
            queue.messages.push(message);
        }
    }

    /// Wakes who reads.
    pub(crate) fn wake(&self) {
        let reader = lock(&self.queue).reader.take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Takes all that wait, in order, for `messages`, which is empty. Ready if there are any.
    pub(crate) fn poll_take(&self, messages: &mut Vec<Message>, task: &mut Context<'_>) -> Poll<()> {
        messages.shrink_to(ROOM);
        self.poll(task, |waiting| {
            std::mem::swap(waiting, messages);
            !messages.is_empty()
        })
    }

    /// Ready once such a message waits. It stays there.
    pub(crate) fn poll_holds(&self, is_such: impl Fn(&Message) -> bool, task: &mut Context<'_>) -> Poll<()> {
        self.poll(task, |waiting| waiting.iter().any(is_such))
    }

    fn poll(&self, task: &mut Context<'_>, look: impl FnOnce(&mut Vec<Message>) -> bool) -> Poll<()> {
        let mut queue = lock(&self.queue);
        if look(&mut queue.messages) {
            return Poll::Ready(());
        }
        queue.reader = Some(task.waker().clone());
        Poll::Pending
    }

    /// Whether such a message waits.
    pub(crate) fn holds(&self, is_such: impl Fn(&Message) -> bool) -> bool {
        lock(&self.queue).messages.iter().any(is_such)
    }

    /// Nobody will read it any more.
    pub(crate) fn close(&self) {
        let closed = Queue { is_closed: true, ..Queue::default() };
        // What is in it is dropped after the lock is released.
        let _rest = std::mem::replace(&mut *lock(&self.queue), closed);
    }
}

#[cfg(test)]
mod tests {
    use crate::{Group, Shutdown};

    #[tokio::test]
    async fn what_comes_after_the_end_is_not_kept() {
        let mut group = Group::new();
        group.add_fn("service", |shutdown: Shutdown| async move { shutdown.requested().await });
        let running = group.start().await.expect("it starts");
        let handle = running.handle();
        assert!(running.stop().await.is_clean());
        handle.stop();
        assert!(!handle.shared.inbox.holds(|_| true));
    }
}
