//! The runtimes of the processors, for the servers of a group that are served on each of them.

use std::sync::Mutex;
use std::thread;

use crate::base::cores::{Core, Cores};
use crate::base::lock;
use crate::spec::serve::Serving;

/// The runtimes of the processors. They are started for the first server that asks for them, and end with the group.
#[derive(Debug)]
pub(crate) struct Processors {
    /// Where servers serve that do not say it themselves.
    pub(crate) serve: Serving,
    cores: Mutex<Option<Cores>>,
}

impl Processors {
    pub(crate) fn new(serve: Serving) -> Self {
        Self { serve, cores: Mutex::default() }
    }

    /// Returns the runtimes, and starts them if need be. `None` if there is only one processor, or if the system gives no
    /// more threads: then the group's own runtime serves.
    pub(crate) fn get(&self) -> Option<Vec<Core>> {
        if thread::available_parallelism().is_ok_and(|processors| processors.get() == 1) {
            return None;
        }
        let mut cores = lock(&self.cores);
        if cores.is_none() {
            match Cores::start() {
                Ok(started) => *cores = Some(started),
                Err(error) => {
                    drop(cores);
                    tracing::warn!(target: "group", %error, "cannot serve on every processor: {error}; the group's runtime serves");
                    return None;
                }
            }
        }
        cores.as_ref().map(|cores| cores.all().to_vec())
    }

    /// The tasks that have not ended.
    pub(crate) fn tasks(&self) -> usize {
        lock(&self.cores).as_ref().map_or(0, Cores::tasks)
    }

    /// Ends the runtimes, and all tasks that they still have.
    pub(crate) fn end(&self) {
        drop(lock(&self.cores).take());
    }
}
