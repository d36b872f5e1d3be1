//! The lines and events that a group has for code that is not its own: subscribers of the log, and tasks that wait for
//! events. They wait here until the journal is unlocked.
//!
//! # Protocol
//!
//! Subscribers, wakers, and the texts and destructors of errors are code of the user's, and may call the group. So none of
//! it runs under the lock of the journal. The journal only puts here, in order, what is to be said. The thread that has
//! written says it once the lock is released ([`Shared::write`](crate::running::shared::Shared::write)).
//!
//! **State:** `waiting` and `is_speaking`, both under the lock of the journal.
//!
//! **The order** is that of the journal, because one thread speaks at a time: it takes all that waits, says it, and looks
//! again, until nothing waits. A thread that writes meanwhile leaves its part to that thread, and goes on. So does the
//! speaker itself, if the code that it calls writes into the journal. Nothing is left unsaid: the look that finds nothing
//! and the end of `is_speaking` are one step under the lock.
//!
//! **Last words** do not wait for their turn ([`take`](Outbox::take)): the thread that speaks may be blocked for ever.
//!
//! **A panic** in what is called is caught, and the rest is said all the same. The first one is kept as a failure of the
//! group. The panic hook has printed each of them.

use tracing::Level;
use tracing::level_filters::LevelFilter;

use crate::base::error::BoxError;
use crate::base::panic::caught_now;
use crate::running::members::Members;

/// One thing to be said. Also to drop a value of the user's.
type Saying = Box<dyn FnOnce(&Members) + Send>;

/// The lines and events that wait until the journal is unlocked.
pub(crate) struct Outbox {
    waiting: Vec<Saying>,
    is_speaking: bool,
    /// The most verbose level that is read. What nobody reads is not put here.
    level: LevelFilter,
    /// True once a panic of what was called is kept.
    has_panicked: bool,
}

impl Default for Outbox {
    fn default() -> Self {
        Self { waiting: Vec::new(), is_speaking: false, level: LevelFilter::OFF, has_panicked: false }
    }
}

impl Outbox {
    pub(super) fn set_level(&mut self, level: LevelFilter) {
        self.level = level;
    }

    /// Returns true if lines of this level are read.
    pub(super) fn reads(&self, level: Level) -> bool {
        level <= self.level
    }

    /// Puts a line of the log in, if it is read.
    pub(super) fn log(&mut self, level: Level, line: impl FnOnce(&Members) + Send + 'static) {
        if self.reads(level) {
            self.put(line);
        }
    }

    pub(super) fn put(&mut self, saying: impl FnOnce(&Members) + Send + 'static) {
        self.waiting.push(Box::new(saying));
    }

    /// Takes all that waits, if there is any, unless another thread speaks. The caller says it, and then must call
    /// [`take_more`](Self::take_more).
    pub(super) fn take_turn(&mut self) -> Option<Vec<Saying>> {
        if self.is_speaking || self.waiting.is_empty() {
            return None;
        }
        self.is_speaking = true;
        Some(std::mem::take(&mut self.waiting))
    }

    /// Takes what has come meanwhile, or ends the caller's turn. Keeps the buffer.
    pub(super) fn take_more(&mut self, mut said: Vec<Saying>) -> Option<Vec<Saying>> {
        std::mem::swap(&mut self.waiting, &mut said);
        if said.is_empty() {
            self.is_speaking = false;
            return None;
        }
        Some(said)
    }

    /// Returns true while a thread has its turn.
    pub(super) fn is_speaking(&self) -> bool {
        self.is_speaking
    }

    /// Takes all that waits, also while another thread speaks.
    pub(super) fn take(&mut self) -> Vec<Saying> {
        std::mem::take(&mut self.waiting)
    }

    /// Returns true for the first panic of what was called.
    pub(super) fn is_first_panic(&mut self) -> bool {
        !std::mem::replace(&mut self.has_panicked, true)
    }
}

/// Says all of it, and empties the buffer. Returns the first panic of what was called.
pub(super) fn say(sayings: &mut Vec<Saying>, members: &Members) -> Option<BoxError> {
    let mut panics = None;
    for saying in sayings.drain(..) {
        if let Err(panicked) = caught_now(|| saying(members)) {
            panics.get_or_insert(panicked);
        }
    }
    panics
}
