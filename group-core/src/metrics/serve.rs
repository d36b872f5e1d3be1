//! Metrics over HTTP.

use axum::Router;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::metrics::text::Format;
use crate::running::handle::Handle;

/// Makes the route `GET /metrics`, for a service that mounts it by hand. It answers in the format of Prometheus, and
/// in that of `OpenMetrics` if the client names it, as Prometheus itself does. Needs the features `metrics` and `http`.
///
/// Nobody but Prometheus should reach it: it names every service and every route.
///
/// ```
/// use group::axum::Router;
/// use group::{Handle, metrics, service};
///
/// struct Ops {
///     group: Handle,
/// }
///
/// #[service(http = "127.0.0.1:9100")]
/// impl Ops {
///     fn new(group: Handle) -> Self {
///         Self { group }
///     }
///
///     fn router(&self, routes: Router) -> Router {
///         routes.merge(metrics::routes(&self.group))
///     }
/// }
/// ```
pub fn routes(group: &Handle) -> Router {
    let group = group.clone();
    Router::new().route("/metrics", get(|headers: HeaderMap| async move { answer(&group, &headers) }))
}

/// Answers a request for the metrics.
pub(crate) fn answer(group: &Handle, headers: &HeaderMap) -> Response {
    let format = format(group, headers);
    ([(CONTENT_TYPE, HeaderValue::from_static(format.content_type()))], group.metrics_in(format)).into_response()
}

/// The format that the client is to get. Text that another library renders is in the format of Prometheus, and with it
/// all the rest has to be.
fn format(group: &Handle, headers: &HeaderMap) -> Format {
    let reads_open_metrics = headers.get_all(ACCEPT).iter().any(|value| names_open_metrics(value.as_bytes()));
    if reads_open_metrics && !group.shared.metrics.has_texts() { Format::OpenMetrics } else { Format::Prometheus }
}

/// Returns true if this `Accept` names the format. Its quality does not matter: who names it can read it.
fn names_open_metrics(accept: &[u8]) -> bool {
    const NAME: &[u8] = b"application/openmetrics-text";
    accept.windows(NAME.len()).any(|part| part.eq_ignore_ascii_case(NAME))
}
