//! The metrics of the program itself, beside those of the group.

use std::fmt;
use std::ops::DerefMut;
use std::sync::{Arc, Mutex, OnceLock};

use prometheus_client::registry::Registry;

use crate::base::lock;
use crate::base::panic::caught_now;

/// The metrics of the program itself: what is registered here appears beside the metrics of the group. Cheap to clone.
///
/// A service takes it in its `new`, as it takes a [`Shutdown`](crate::Shutdown) in its `start`; by hand it is
/// [`Context::metrics`](crate::Context::metrics). `new` runs once, and `start` again after a failure, which would
/// register everything twice. Needs the feature `metrics`.
///
/// The registry is that of [`prometheus_client`](crate::prometheus_client). It appends the unit to a metric's name, and
/// `_total` to that of a counter.
///
/// ```
/// use group::metrics::Metrics;
/// use group::prometheus_client::metrics::counter::Counter;
/// use group::service;
///
/// struct Shop {
///     orders: Counter,
/// }
///
/// #[service(http = "127.0.0.1:8080")]
/// impl Shop {
///     fn new(metrics: Metrics) -> Self {
///         let orders = Counter::default();
///         metrics.registry().register("shop_orders", "Orders that were placed", orders.clone());
///         Self { orders }
///     }
///
///     #[post("/orders")]
///     async fn order(&self) {
///         self.orders.inc();
///     }
/// }
/// ```
#[derive(Clone, Default)]
pub struct Metrics(Arc<Own>);

#[derive(Default)]
struct Own {
    registry: Mutex<Registry>,
    texts: Mutex<Vec<Arc<Render>>>,
    /// Those of groups inside of the program's.
    joined: Mutex<Vec<Metrics>>,
    /// The name and the version of the program's package, under `#[group::main]`.
    program: OnceLock<(&'static str, &'static str)>,
}

type Render = dyn Fn() -> String + Send + Sync;

impl Metrics {
    /// The registry, to register metrics and collectors. It is locked until the result is dropped, and meanwhile nobody
    /// can read the metrics.
    #[must_use]
    pub fn registry(&self) -> impl DerefMut<Target = Registry> + '_ {
        lock(&self.0.registry)
    }

    pub(crate) fn set_program(&self, name: &'static str, version: &'static str) {
        // It is set once, before the group is launched.
        let _ = self.0.program.set((name, version));
    }

    pub(crate) fn program(&self) -> Option<(&'static str, &'static str)> {
        self.0.program.get().copied()
    }

    /// Adds text that is appended when someone reads the metrics.
    pub(crate) fn append(&self, render: impl Fn() -> String + Send + Sync + 'static) {
        lock(&self.0.texts).push(Arc::new(render));
    }

    /// Adds those of a group inside.
    pub(crate) fn join(&self, inner: &Self) {
        lock(&self.0.joined).push(inner.clone());
    }

    /// These, and those of all groups inside.
    pub(crate) fn all(&self) -> Vec<Self> {
        let joined = lock(&self.0.joined).clone();
        std::iter::once(self.clone()).chain(joined.iter().flat_map(Self::all)).collect()
    }

    /// Returns true if other text is appended.
    #[cfg(feature = "http")]
    pub(crate) fn has_texts(&self) -> bool {
        self.all().iter().any(|metrics| !lock(&metrics.0.texts).is_empty())
    }

    /// The appended texts. One that cannot be made because of a panic is left out, and the log says so.
    pub(crate) fn texts(&self) -> Vec<String> {
        let texts = lock(&self.0.texts).clone();
        let render = |render: &Arc<Render>| {
            let failed =
                |panicked| tracing::error!(target: "group", "metrics are missing: what renders them {panicked}");
            caught_now(|| render()).map_err(failed).ok()
        };
        texts.iter().filter_map(render).collect()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
