//! The text of the metrics: those of the group, those of the program, and what other libraries render.

use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;

use crate::base::error::BoxError;
use crate::base::panic::caught_now;
use crate::metrics::snapshot::{OfGroup, OfProcess};
use crate::running::handle::Handle;
use crate::running::metrics::Metrics;

/// The content type of [`Handle::metrics`](crate::Handle::metrics).
pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// A line of a program that shows the metrics of the process itself begins so.
const OF_PROCESS: &str = "# TYPE process_cpu_seconds";

/// A format of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// The text format of Prometheus, which every tool reads.
    Prometheus,
    OpenMetrics,
}

#[cfg(feature = "http")]
impl Format {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => CONTENT_TYPE,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Handle {
    /// The metrics of the group, and with them those of the program: see [`metrics`](crate::metrics). In the text format
    /// of Prometheus, whose content type is [`metrics::CONTENT_TYPE`](crate::metrics::CONTENT_TYPE). Needs the feature
    /// `metrics`.
    ///
    /// ```
    /// use group::{Group, Shutdown};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut group = Group::new();
    /// group.add_fn("worker", |shutdown: Shutdown| async move { shutdown.requested().await });
    /// let running = group.start().await.unwrap();
    /// let metrics = running.handle().metrics();
    /// assert!(metrics.contains("group_service_restarts_total{service=\"worker\"} 0"));
    /// # running.stop().await;
    /// # }
    /// ```
    #[must_use]
    pub fn metrics(&self) -> String {
        self.metrics_in(Format::Prometheus)
    }

    pub(crate) fn metrics_in(&self, format: Format) -> String {
        let own = &self.shared.metrics;
        let mut of_group = Registry::default();
        of_group.register_collector(Box::new(OfGroup::new(self)));
        let mut text = String::new();
        add(&mut text, &of_group, format);
        let all = own.all();
        for metrics in &all {
            add(&mut text, &metrics.registry(), format);
        }
        for other in all.iter().flat_map(Metrics::texts) {
            text.push_str(other.trim_end());
            text.push('\n');
        }
        // A name may come only once.
        if !text.contains(OF_PROCESS) {
            let mut of_process = Registry::default();
            of_process.register_collector(Box::new(OfProcess));
            add(&mut text, &of_process, format);
        }
        if format == Format::OpenMetrics {
            text.push_str("# EOF\n");
        }
        text
    }
}

/// Adds the metrics of a registry. If a metric of the user's cannot be encoded, the registry is left out, and the log
/// says so.
fn add(text: &mut String, registry: &Registry, format: Format) {
    let before = text.len();
    let encoded = caught_now(|| match format {
        Format::Prometheus => prometheus_text::encode(text, registry),
        Format::OpenMetrics => text::encode_registry(text, registry),
    });
    if let Err(error) = encoded.and_then(|encoded| encoded.map_err(BoxError::from)) {
        text.truncate(before);
        tracing::error!(target: "group", "metrics are missing: a metric of the registry {error}");
    }
}
