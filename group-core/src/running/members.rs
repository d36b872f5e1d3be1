//! The services of a group, each in its present life.
//!
//! # Protocol
//!
//! Most services live once, and their [`Member`]s stand in one list. A service that is built again, by hand, begins another
//! life with a new `Member`: tasks, contexts and servers of an earlier life keep theirs, and see no request that is not
//! theirs.
//!
//! **State:** `first` never changes. `again` has the present life of each service that was built again, under its lock;
//! `has_again` is true once there is one.
//!
//! **Writer:** the driver, when it launches a service again. **Readers:** all others. `has_again` is written after the entry,
//! with `Release`, and read with `Acquire`. A reader that sees `false` takes the first life, as if it had come before.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::base::lock;
use crate::lifecycle::interface::Id;
use crate::running::member::Member;
use crate::spec::Spec;

/// The services of a group, in start order.
#[derive(Debug)]
pub(crate) struct Members {
    first: Box<[Member]>,
    again: Mutex<HashMap<Id, Arc<Member>>>,
    has_again: AtomicBool,
}

/// A service in its present life.
pub(crate) enum Current<'a> {
    First(&'a Member),
    Again(Arc<Member>),
}

impl Deref for Current<'_> {
    type Target = Member;

    fn deref(&self) -> &Member {
        match self {
            Self::First(member) => member,
            Self::Again(member) => member,
        }
    }
}

impl Members {
    pub(crate) fn new(first: Box<[Member]>) -> Self {
        Self { first, again: Mutex::default(), has_again: AtomicBool::new(false) }
    }

    pub(crate) fn len(&self) -> usize {
        self.first.len()
    }

    /// A service in its first life.
    pub(crate) fn first(&self, id: Id) -> &Member {
        &self.first[id]
    }

    pub(crate) fn get(&self, id: Id) -> Current<'_> {
        self.again_of(id).map_or_else(|| Current::First(&self.first[id]), Current::Again)
    }

    /// The present life of a service that was built again.
    pub(crate) fn again_of(&self, id: Id) -> Option<Arc<Member>> {
        if self.has_again.load(Ordering::Acquire) { lock(&self.again).get(&id).cloned() } else { None }
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = Current<'_>> + ExactSizeIterator {
        (0..self.len()).map(|id| self.get(id))
    }

    /// The declarations of all services.
    pub(crate) fn specs(&self) -> impl DoubleEndedIterator<Item = &Spec> + ExactSizeIterator {
        self.first.iter().map(|member| &member.spec)
    }

    /// The declaration of a service, which is the same in each of its lives.
    pub(crate) fn spec(&self, id: Id) -> &Spec {
        &self.first[id].spec
    }

    /// The next lives of all of them, which are gone.
    pub(super) fn next_lives(&self) -> Self {
        Self::new(self.iter().map(|member| member.next_life()).collect())
    }

    /// Begins another life of a service that is gone.
    pub(crate) fn begin_again(&self, id: Id) -> Arc<Member> {
        let member = Arc::new(self.get(id).next_life());
        let _before = lock(&self.again).insert(id, Arc::clone(&member));
        self.has_again.store(true, Ordering::Release);
        member
    }
}
