//! Last words of a program that is built with `panic = "abort"`: a panic ends it at once, whosever it is, and no service is
//! stopped. Only the panic hook can still say so.

use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::{Arc, Mutex, Once, TryLockError, Weak, mpsc};
use std::thread;
use std::time::Duration;

use crate::base::lock;
use crate::base::panic::words;
use crate::record::state::State;
use crate::running::log;
use crate::running::shared::Shared;

/// The time that the last words may take: the log may be what has panicked, and may be locked.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// The groups that the last words are about.
static GROUPS: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());

/// Warns, once, that a panic ends the process. From now on, the panic hook says what that did to this group.
pub(crate) fn expect(group: &Arc<Shared>) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::aborts();
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            previous(info);
            say_last_words(info);
        }));
    });
    let mut groups = lock(&GROUPS);
    groups.retain(|group| group.strong_count() > 0);
    groups.push(Arc::downgrade(group));
}

/// Logs whose panic it is, and what was running. In another thread: this one may have panicked in the log.
fn say_last_words(info: &PanicHookInfo<'_>) {
    let groups: Vec<Arc<Shared>> = lock(&GROUPS).iter().filter_map(Weak::upgrade).collect();
    let mut members = groups.iter().flat_map(|group| group.members.iter());
    let whose = members.find(|member| member.is_polled_here()).map(|member| member.spec.get_name().to_owned());
    let what = words(info);
    let running: Vec<String> = groups.iter().flat_map(|group| states(group)).collect();
    let (said, is_said) = mpsc::channel();
    let speak = move || {
        log::last_words_of_abort(whose.as_deref(), &what, &running);
        // Fails when the receiver has timed out.
        let _ = said.send(());
    };
    if thread::Builder::new().spawn(speak).is_ok() {
        // An error is the end of the time, and the process ends in any case.
        let _ = is_said.recv_timeout(LAST_WORDS);
    }
}

/// The services that were not gone, with their states.
fn states(group: &Shared) -> Vec<String> {
    // Not `lock`: the journal may be what has panicked.
    let journal = match group.journal.try_lock() {
        Ok(journal) => journal,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return Vec::new(),
    };
    let status = journal.status(&group.members, &group.plan);
    let left = status.services().iter().filter(|service| !matches!(service.state(), State::Waiting | State::Gone));
    left.map(|service| format!("{} ({})", service.name(), service.state())).collect()
}
