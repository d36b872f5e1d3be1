//! Metrics, in the formats of Prometheus and `OpenMetrics`. Needs the feature `metrics`.
//!
//! A group counts by itself what its services do; the guide on metrics lists all of it. [`routes`] shows it over HTTP,
//! and [`Handle::metrics`](crate::Handle::metrics) as text. The [`Metrics`] of the program itself appear beside it.

mod families;
mod process;
#[cfg(feature = "http")]
pub(crate) mod serve;
mod snapshot;
mod text;

#[cfg(feature = "http")]
pub use self::serve::routes;
pub use self::text::CONTENT_TYPE;
pub use crate::running::metrics::Metrics;
