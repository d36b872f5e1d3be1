//! Runtimes beside that of the group.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::base::affinity;

/// A runtime that is dropped without waiting for its tasks and threads: within another runtime, tokio allows no other drop.
#[derive(Debug)]
pub(crate) struct BackgroundRuntime {
    handle: Handle,
    /// Taken by the drop.
    runtime: Option<Runtime>,
}

impl BackgroundRuntime {
    pub(crate) fn new(runtime: Runtime) -> Self {
        Self { handle: runtime.handle().clone(), runtime: Some(runtime) }
    }

    /// Starts a runtime whose threads have this name, and run on these processors: on all if the list is empty.
    ///
    /// # Errors
    ///
    /// If the system gives no more threads or descriptors, or not these processors.
    pub(crate) fn start(name: &str, worker_threads: Option<usize>, cpus: &[usize]) -> io::Result<Self> {
        affinity::check(cpus)?;
        let mut builder = Builder::new_multi_thread();
        builder.enable_all().thread_name(name);
        let pinned = (!cpus.is_empty()).then_some(cpus.len());
        if let Some(number) = worker_threads.or(pinned) {
            builder.worker_threads(number);
        }
        if pinned.is_some() {
            let cpus = cpus.to_vec();
            builder.on_thread_start(move || affinity::pin(&cpus));
        }
        builder.build().map(Self::new)
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for BackgroundRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
