//! The runtime that a service has for itself.

/// A tokio runtime that belongs to one service. See [`Spec::runtime`](crate::Spec::runtime).
///
/// ```
/// use group::{OwnRuntime, Spec};
///
/// let spec = Spec::new("resizer").runtime(OwnRuntime::new().worker_threads(2));
/// assert_eq!(spec.get_runtime().and_then(OwnRuntime::get_worker_threads), Some(2));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnRuntime {
    pub(crate) worker_threads: Option<usize>,
    pub(crate) cpus: Vec<usize>,
}

impl OwnRuntime {
    /// A runtime with as many worker threads as tokio makes by default: one for each processor.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the number of its worker threads, of which there must be at least one. The default is one for each processor
    /// that it may use.
    #[must_use]
    pub fn worker_threads(mut self, number: usize) -> Self {
        self.worker_threads = Some(number);
        self
    }

    /// Pins its threads, also those that run blocking tasks, to these processors, by the numbers that Linux gives them.
    /// Other services are not kept away from them. The start fails where the process may not use one of them, and on
    /// systems other than Linux. Needs the feature `cpus`.
    #[cfg(feature = "cpus")]
    #[must_use]
    pub fn cpus(mut self, cpus: impl IntoIterator<Item = usize>) -> Self {
        self.cpus = cpus.into_iter().collect();
        self
    }

    /// The number of its [worker threads](Self::worker_threads), if it is set.
    #[must_use]
    pub fn get_worker_threads(&self) -> Option<usize> {
        self.worker_threads
    }

    /// The processors to which its threads are pinned; none if it is not.
    #[must_use]
    pub fn get_cpus(&self) -> &[usize] {
        &self.cpus
    }
}
