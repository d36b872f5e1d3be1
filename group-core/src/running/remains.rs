//! The parts of a service beside its own task: spawned tasks, connections, the thread of a blocking `start`, a `reload` or
//! `health` that runs. The service is gone when the last part is.
//!
//! # Protocol
//!
//! - State: `remains` in the [`Member`](crate::running::member::Member) counts 1 for the service's own task and 1 for
//!   each [`Remains`].
//! - Writers: `begin` sets it to 1 before the task's first poll. A new `Remains` adds 1, unless the count is 0 already:
//!   then the service is gone, and there is no `Remains`. Each `Remains` that is dropped, and the task when it ends,
//!   takes 1 away with [`OneLife::let_go`], in any thread.
//! - Reader: the part that takes the last 1 away. It drops the service and reports that to the driver.
//! - Ordering: adding is relaxed, because it publishes nothing, and a count of 0 is final. Taking away is `AcqRel`, as
//!   in `Arc`: the last part sees all that the others did before they let go.

use std::fmt;
use std::sync::Arc;

use crate::base::panic::caught_now;
use crate::running::instance::Instance;
use crate::running::message::{Message, News};
use crate::running::one_life::OneLife;

/// One part of a service beside its own task. The service is gone once the task has ended and every `Remains` is
/// dropped.
pub(crate) struct Remains(OneLife);

impl fmt::Debug for Remains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a part of {}", self.0.member().spec.get_name())
    }
}

impl Remains {
    /// Counts one more part. Returns `None` if the service is gone.
    pub(crate) fn of(life: &OneLife) -> Option<Self> {
        life.member().add_part().then(|| Self(life.clone()))
    }
}

impl Clone for Remains {
    fn clone(&self) -> Self {
        self.0.member().add_part();
        Self(self.0.clone())
    }
}

impl Drop for Remains {
    fn drop(&mut self) {
        if self.0.let_go() {
            self.0.shared().inbox.wake();
        }
    }
}

impl OneLife {
    /// One part of the service is over: its task, or a [`Remains`]. Returns true if it was the last one; then the
    /// driver has a message, or will have one, but was not woken.
    pub(crate) fn let_go(&self) -> bool {
        let is_last = self.member().remove_part();
        if is_last {
            self.take_leave();
        }
        is_last
    }

    /// Drops the service, of which no part is left, and reports that.
    fn take_leave(&self) {
        let member = self.member();
        // These tasks failed after the service's own task had ended.
        if let Some(children) = member.take_children() {
            children.take_failures().into_iter().for_each(|error| self.tell_silently(News::Failed(error)));
        }
        let last = Last { instance: member.take_instance(), life: self.clone() };
        if member.spec.has_blocking_drop() {
            let life = self.clone();
            // If the runtime is being shut down, it drops the task here and now.
            self.shared().runtime.spawn_blocking(move || {
                let _here = life.member().has_this_thread();
                drop(last);
                life.shared().inbox.wake();
            });
        }
    }

    fn tell_silently(&self, news: News) {
        self.shared().inbox.put_silently(Message::Service(self.id(), news));
    }
}

/// The value of a service of which nothing else is left. When this is dropped, the service is gone.
struct Last {
    instance: Option<Arc<dyn Instance>>,
    life: OneLife,
}

impl Drop for Last {
    fn drop(&mut self) {
        if let Err(panicked) = caught_now(|| drop(self.instance.take())) {
            self.life.tell_silently(News::Failed(panicked));
        }
        self.life.member().end_runtime();
        self.life.tell_silently(News::Gone);
    }
}
