//! The spans of services, as the default subscriber knows them: which service a thread works for.
//!
//! # Protocol
//!
//! A span has a place in `services`, counted from 0, and its id is one more. A lock guards the list; it is taken when a
//! span begins, is cloned or ends, and by a line that names a service, but not when a span is entered or left: this is
//! done for each poll of a task. The spans that a thread has entered and not left are a list of its own.

use std::cell::RefCell;
use std::fmt;
use std::sync::Mutex;

use tracing::Metadata;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing_core::span::Current;

use crate::base::lock;

thread_local! {
    /// The spans that this thread has entered, the last one last.
    static ENTERED: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

/// The spans of services.
#[derive(Default)]
pub(super) struct Spans(Mutex<Places>);

#[derive(Default)]
struct Places {
    services: Vec<Option<ServiceSpan>>,
    free: Vec<usize>,
}

struct ServiceSpan {
    service: Box<str>,
    metadata: &'static Metadata<'static>,
    /// The number of clones.
    clones: usize,
}

impl Spans {
    /// Returns true for the spans of services. No other ones are kept.
    pub(super) fn want(metadata: &Metadata<'_>) -> bool {
        metadata.target() == "group" && metadata.name() == "service"
    }

    pub(super) fn add(&self, span: &Attributes<'_>) -> Id {
        let mut service = String::new();
        span.record(&mut Service(&mut service));
        let new = Some(ServiceSpan { service: service.into(), metadata: span.metadata(), clones: 1 });
        let Places { services, free } = &mut *lock(&self.0);
        let place = free.pop().unwrap_or(services.len());
        match services.get_mut(place) {
            Some(left) => *left = new,
            None => services.push(new),
        }
        Id::from_u64(place as u64 + 1)
    }

    /// Counts one more clone.
    pub(super) fn share(&self, id: &Id) {
        self.at(id, |span| span.iter_mut().for_each(|span| span.clones += 1));
    }

    /// Counts one clone less. Returns true for the last one.
    pub(super) fn drop_one(&self, id: &Id) -> bool {
        let Places { services, free } = &mut *lock(&self.0);
        let place = place(id);
        let Some(left) = services.get_mut(place) else { return false };
        let Some(span) = left else { return false };
        span.clones -= 1;
        let is_last = span.clones == 0;
        if is_last {
            *left = None;
            free.push(place);
        }
        is_last
    }

    pub(super) fn enter(id: &Id) {
        // Fails while the thread ends. Then no line names the service.
        let _ = ENTERED.try_with(|entered| entered.borrow_mut().push(id.clone()));
    }

    pub(super) fn exit(id: &Id) {
        let _ = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            if let Some(place) = entered.iter().rposition(|one| one == id) {
                entered.remove(place);
            }
        });
    }

    pub(super) fn current(&self) -> Current {
        let Some(id) = last_entered() else { return Current::none() };
        let metadata = self.at(&id, |span| span.as_ref().map(|span| span.metadata));
        metadata.map_or_else(Current::none, |metadata| Current::new(id, metadata))
    }

    /// Writes the service that this thread works for, if it does: ` [mailer]`.
    pub(super) fn name_service(&self, line: &mut impl fmt::Write) {
        let Some(id) = last_entered() else { return };
        self.at(&id, |span| {
            if let Some(ServiceSpan { service, .. }) = span {
                // The line is memory, so that this does not fail.
                let _ = write!(line, " [{service}]");
            }
        });
    }

    fn at<T>(&self, id: &Id, look: impl FnOnce(&mut Option<ServiceSpan>) -> T) -> T {
        look(lock(&self.0).services.get_mut(place(id)).unwrap_or(&mut None))
    }
}

fn place(id: &Id) -> usize {
    usize::try_from(id.into_u64() - 1).unwrap_or(usize::MAX)
}

fn last_entered() -> Option<Id> {
    ENTERED.try_with(|entered| entered.borrow().last().cloned()).ok().flatten()
}

/// Reads the field `service` of a span.
struct Service<'a>(&'a mut String);

impl Visit for Service<'_> {
    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "service" {
            value.clone_into(self.0);
        }
    }
}
