//! The metrics of the program itself, as its group takes them.

use prometheus_client::registry::Registry;

use crate::group::Group;

impl Group {
    /// Registers metrics of the program itself, which then appear beside those of the group. A service registers its
    /// own with [`metrics::Metrics`](crate::metrics::Metrics). Needs the feature `metrics`.
    ///
    /// ```
    /// use group::prometheus_client::metrics::counter::Counter;
    /// use group::{Group, Shutdown};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let visitors = Counter::<u64>::default();
    /// let running = Group::new()
    ///     .add_fn("service", |shutdown: Shutdown| async move { shutdown.requested().await })
    ///     .metrics(|registry| registry.register("visitors", "Visitors that came", visitors.clone()))
    ///     .start()
    ///     .await
    ///     .unwrap();
    /// visitors.inc();
    /// assert!(running.handle().metrics().contains("\nvisitors_total 1\n"));
    /// # running.stop().await;
    /// # }
    /// ```
    pub fn metrics(&mut self, register: impl FnOnce(&mut Registry)) -> &mut Self {
        register(&mut self.declared.metrics.registry());
        self
    }

    /// Appends the metrics that another library renders to those of the group, whenever someone reads them. The text is
    /// in the format of Prometheus, as the recorder of `metrics-exporter-prometheus` renders it. Needs the feature
    /// `metrics`.
    ///
    /// ```ignore
    /// let recorder = PrometheusBuilder::new().install_recorder()?;
    /// group.metrics_from(move || recorder.render());
    /// ```
    pub fn metrics_from(&mut self, render: impl Fn() -> String + Send + Sync + 'static) -> &mut Self {
        self.declared.metrics.append(render);
        self
    }
}
