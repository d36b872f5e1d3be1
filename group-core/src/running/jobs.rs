//! The jobs of a service: tasks that end by themselves, such as those that handlers leave behind.

use std::sync::Mutex;

use crate::base::lock;
use crate::base::sync::{Latch, Tallied, Tally};
use crate::record::counts::Jobs;

/// Counts the jobs of one service, over all runs of its `start`, and aborts them. They run on the runtime.
#[derive(Debug, Default)]
pub(crate) struct RunningJobs {
    left: Tally,
    aborted: Latch,
    counts: Mutex<Jobs>,
}

impl RunningJobs {
    /// Counts a job until the returned value is dropped. It counts as cut until its end is noted.
    pub(crate) fn begin(&self) -> Tallied {
        lock(&self.counts).cut += 1;
        self.left.count()
    }

    /// Notes the end of a job.
    pub(crate) fn end(&self, has_failed: bool) {
        let mut counts = lock(&self.counts);
        counts.cut -= 1;
        if has_failed {
            counts.failed += 1;
        } else {
            counts.finished += 1;
        }
    }

    pub(crate) fn counts(&self) -> Jobs {
        *lock(&self.counts)
    }

    /// The number of jobs that are left.
    pub(crate) fn left(&self) -> usize {
        self.left.left()
    }

    /// Waits until no job is left.
    pub(crate) async fn ended(&self) {
        self.left.none_left().await;
    }

    pub(crate) fn abort(&self) {
        self.aborted.set();
    }

    /// Waits until the jobs are aborted.
    pub(crate) async fn aborted(&self) {
        self.aborted.wait().await;
    }
}
