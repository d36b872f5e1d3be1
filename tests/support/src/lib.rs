//! Shared by the test suites: a journal of what happened, ways to wait for a group, and dice.

mod dice;

use std::sync::Arc;
use std::time::Duration;

use group::{Group, Handle, Report, State};
use tokio::sync::watch;

pub use self::dice::Dice;

/// What happened in one test, in order. Services write it; the test reads it, and can wait for an
/// entry. Clones are one journal.
#[derive(Clone, Debug)]
pub struct Journal<E = String>(Arc<watch::Sender<Vec<E>>>);

impl<E> Default for Journal<E> {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Vec::new())))
    }
}

impl<E> Journal<E> {
    /// Adds an entry.
    pub fn write(&self, entry: impl Into<E>) {
        let entry = entry.into();
        self.0.send_modify(|entries| entries.push(entry));
    }

    /// Removes all entries, and returns them.
    #[expect(clippy::must_use_candidate, reason = "some tests only remove them")]
    pub fn take(&self) -> Vec<E> {
        self.0.send_replace(Vec::new())
    }

    /// How often this was written.
    pub fn count<Q: ?Sized>(&self, entry: &Q) -> usize
    where
        E: PartialEq<Q>,
    {
        self.0.borrow().iter().filter(|written| *written == entry).count()
    }

    /// Waits until this was written.
    pub async fn until<Q: ?Sized>(&self, entry: &Q)
    where
        E: PartialEq<Q>,
    {
        self.holds(|entries| entries.iter().any(|written| written == entry)).await;
    }

    /// Waits until there are this many entries.
    pub async fn until_len(&self, len: usize) {
        self.holds(|entries| entries.len() >= len).await;
    }

    async fn holds(&self, wanted: impl Fn(&[E]) -> bool) {
        let mut entries = self.0.subscribe();
        in_time(entries.wait_for(|entries| wanted(entries))).await.expect("this sender is alive");
    }
}

impl<E: Clone> Journal<E> {
    /// All entries so far.
    #[must_use]
    pub fn entries(&self) -> Vec<E> {
        self.0.borrow().clone()
    }

    /// Waits until every other clone is dropped, so that nothing can be written any more; then
    /// returns all entries.
    pub async fn last_words(self) -> Vec<E> {
        let mut entries = self.0.subscribe();
        drop(self);
        in_time(async { while entries.changed().await.is_ok() {} }).await;
        entries.borrow().clone()
    }
}

/// Waits for a future, but not for ever: a test of a broken group fails where it would hang.
///
/// # Panics
///
/// When it takes longer than anything in the tests does.
pub async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(100), future).await.expect("it would wait for ever")
}

/// Waits until a service is in this state.
///
/// # Panics
///
/// When there is no such service, or the group ends before.
pub async fn until_state(handle: &Handle, service: &str, state: State) {
    let mut events = handle.events();
    let current = || handle.status().service(service).expect("it is in the group").state();
    in_time(async {
        while current() != state {
            events.recv().await.expect("the group still runs");
        }
    })
    .await;
}

/// The report of a group that must not come up.
///
/// # Panics
///
/// When it comes up.
pub async fn fails_to_start(group: &mut Group) -> Report {
    in_time(group.start()).await.expect_err("the start fails").into_report()
}
