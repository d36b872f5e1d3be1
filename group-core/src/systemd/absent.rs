//! In place of `manager.rs`, where no service manager can be told anything.

use std::future::Ready;

use tokio::runtime;

use crate::record::report::Report;
use crate::running::handle::Handle;

/// The invitation of a service manager, which there is none of.
#[derive(Debug)]
pub(crate) enum Invitation {}

impl Invitation {
    pub(crate) fn take() -> Option<Self> {
        None
    }

    pub(crate) fn tell_of_body(&self) -> Ready<()> {
        match *self {}
    }

    pub(crate) fn accept(self) -> Option<Manager> {
        match self {}
    }
}

/// A service manager, which there is none of.
#[derive(Debug)]
pub(crate) enum Manager {}

impl Manager {
    #[expect(clippy::unused_async, reason = "a service manager would be followed")]
    pub(crate) async fn follow(self, _group: Handle, _runtime: runtime::Handle) {
        match self {}
    }

    #[expect(clippy::unused_async, reason = "a service manager would be told")]
    pub(crate) async fn tell_refused(self, _report: &Report) {
        match self {}
    }
}
