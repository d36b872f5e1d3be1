//! Every metric of a group: its name, type and labels. `docs/metrics.md` has the same list, and a test holds it.

use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::MetricType::{Counter, Gauge, Info};
use prometheus_client::registry::Unit;

/// One metric, and the names of its labels.
pub(super) struct Family {
    pub(super) metric_type: MetricType,
    /// Without the unit, and without the suffix that its type appends.
    pub(super) name: &'static str,
    pub(super) unit: Option<&'static Unit>,
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

const fn family(
    metric_type: MetricType,
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Family {
    Family { metric_type, name, unit: None, labels, help }
}

impl Family {
    const fn in_seconds(self) -> Self {
        Self { unit: Some(&Unit::Seconds), ..self }
    }

    const fn in_bytes(self) -> Self {
        Self { unit: Some(&Unit::Bytes), ..self }
    }
}

/// Defines each metric, and for the tests a list of all.
macro_rules! families {
    ($($(#[$cfg:meta])* $name:ident = $family:expr;)*) => {
        $($(#[$cfg])* pub(super) const $name: Family = $family;)*

        #[cfg(test)]
        const ALL: &[Family] = &[$($(#[$cfg])* $name),*];
    };
}

families! {
    BUILD = family(Info, "group_build", &["version", "profile"], "The version of service-group, and how it was built");
    PROGRAM = family(Info, "group_program", &["name", "version"], "The package of the program, and its version");
    START_TIME = family(Gauge, "group_start_time", &[], "When the group began to start, since 1970").in_seconds();
    PHASE = family(Gauge, "group_phase", &["phase"], "1 for the phase of the group, 0 for all others");
    READY = family(Gauge, "group_ready", &[], "1 if the group accepts new work, as a readiness probe is told");

    STATE = family(Gauge, "group_service_state", &["service", "state"], "1 for the state of the service, 0 for all others");
    RESTARTS = family(Counter, "group_service_restarts", &["service"], "Restarts of the service");
    START = family(
        Gauge, "group_service_start", &["service"], "Time of the last start or restart, until the service was ready",
    ).in_seconds();
    STOP = family(
        Gauge, "group_service_stop", &["service"], "Time from the request to stop until the service was gone",
    ).in_seconds();

    #[cfg(feature = "http")]
    ACCEPTED = family(Counter, "group_http_connections_accepted", &["service"], "Connections that were accepted");
    #[cfg(feature = "http")]
    OPEN = family(Gauge, "group_http_connections_open", &["service"], "Connections that are open");
    #[cfg(feature = "http")]
    DRAINED = family(
        Counter, "group_http_connections_drained", &["service"],
        "Connections with a request in flight at the stop that were closed after the answer",
    );
    #[cfg(feature = "http")]
    CUT = family(
        Counter, "group_http_connections_cut", &["service"],
        "Connections with a request in flight at the stop that were closed before the end of the answer",
    );
    #[cfg(feature = "http")]
    IN_FLIGHT = family(
        Gauge, "group_http_requests_in_flight", &["service"],
        "Requests that are not answered yet, over the connections of the service",
    );
    #[cfg(feature = "http")]
    REQUESTS = family(
        Counter, "group_http_requests", &["service", "method", "route", "status"], "Requests that are over",
    );
    #[cfg(feature = "http")]
    REQUEST_DURATION = family(
        MetricType::Histogram, "group_http_request_duration", &["service", "method", "route"],
        "Time from the head of a request to the last byte of its answer",
    ).in_seconds();

    #[cfg(feature = "grpc")]
    CALLS = family(Counter, "group_grpc_calls", &["service", "route", "status"], "Calls that are over");
    #[cfg(feature = "grpc")]
    CALL_DURATION = family(
        MetricType::Histogram, "group_grpc_call_duration", &["service", "route"], "Time from the head of a call to its status",
    ).in_seconds();

    MESSAGES = family(
        Counter, "group_messages", &["service", "outcome"], "Messages that a consumer has finished, failed or abandoned",
    );
    MESSAGES_IN_FLIGHT = family(Gauge, "group_messages_in_flight", &["service"], "Messages that a consumer is handling");
    TICKS = family(Counter, "group_ticks", &["service", "ticker", "outcome"], "Runs of a ticker that finished or failed");
    TICK_TIME = family(
        Counter, "group_tick", &["service", "ticker"], "Time that all runs of a ticker took together",
    ).in_seconds();
    LAST_TICK = family(
        Gauge, "group_tick_last_finished_timestamp", &["service", "ticker"],
        "When a run of the ticker last finished, since 1970",
    ).in_seconds();
    BEATS = family(Counter, "group_heartbeats", &["service"], "Heartbeats of the service");
    MISSED_BEATS = family(Counter, "group_heartbeats_missed", &["service"], "Heartbeats that did not come in time");

    WORKERS = family(Gauge, "group_runtime_workers", &[], "Threads of the tokio runtime that run tasks");
    TASKS = family(Gauge, "group_runtime_alive_tasks", &[], "Tasks of the runtime that have not ended");
    QUEUE = family(Gauge, "group_runtime_global_queue_depth", &[], "Tasks that wait in the global queue of the runtime");
    BUSY = family(
        Counter, "group_runtime_worker_busy", &["worker"], "Time for which the worker ran tasks",
    ).in_seconds();
    PARKS = family(Counter, "group_runtime_worker_parks", &["worker"], "How often the worker went to sleep");

    CPU = family(Counter, "process_cpu", &[], "Time that the process ran, in user mode and in the system").in_seconds();
    PROCESS_START_TIME = family(Gauge, "process_start_time", &[], "When the process was started, since 1970").in_seconds();
    RESIDENT_MEMORY = family(Gauge, "process_resident_memory", &[], "Memory of the process in RAM").in_bytes();
    VIRTUAL_MEMORY = family(Gauge, "process_virtual_memory", &[], "Memory that the process has mapped").in_bytes();
    OPEN_FDS = family(Gauge, "process_open_fds", &[], "Descriptors that are open");
    MAX_FDS = family(Gauge, "process_max_fds", &[], "Descriptors that may be open");
    THREADS = family(Gauge, "process_threads", &[], "Threads of the process");
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    impl Family {
        /// The name that Prometheus shows.
        fn shown(&self) -> String {
            let unit = self.unit.map_or_else(String::new, |unit| format!("_{}", unit.as_str()));
            let suffix = match self.metric_type {
                Counter => "_total",
                Info => "_info",
                _ => "",
            };
            format!("{}{unit}{suffix}", self.name)
        }

        /// Its row in the table of `docs/metrics.md`.
        fn row(&self) -> String {
            let labels: Vec<String> = self.labels.iter().map(|label| format!("`{label}`")).collect();
            let metric_type = if self.metric_type == Info { "gauge" } else { self.metric_type.as_str() };
            let row = format!("| `{}` | {metric_type} | {} | {} |", self.shown(), labels.join(" "), self.help);
            row.replace("|  |", "| |")
        }
    }

    #[test]
    fn the_page_on_metrics_lists_each_and_no_other() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
        let page = std::fs::read_to_string(page).expect("it is there");
        let listed: Vec<&str> =
            page.lines().filter(|line| line.starts_with("| `group_") || line.starts_with("| `process_")).collect();
        let rows: Vec<String> = ALL.iter().filter(|_| cfg!(feature = "grpc")).map(Family::row).collect();
        let missing: Vec<&String> = rows.iter().filter(|row| !listed.contains(&row.as_str())).collect();
        let stale: Vec<&&str> = listed.iter().filter(|row| !rows.iter().any(|one| one == *row)).collect();
        assert!(missing.is_empty() && stale.is_empty(), "missing: {missing:#?}\nstale: {stale:#?}");
    }
}
