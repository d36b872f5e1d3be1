//! Writes the metrics of a group, as they are at one moment.

use std::borrow::Cow;
use std::fmt;
#[cfg(feature = "http")]
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
#[cfg(feature = "http")]
use prometheus_client::encoding::NoLabelSet;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

#[cfg(feature = "grpc")]
use crate::http::told::STATUSES;
use crate::metrics::families::{self, Family};
use crate::metrics::process::Process;
use crate::record::measures::Measures;
#[cfg(feature = "http")]
use crate::record::requests::{Durations, RouteCounts};
use crate::record::service_status::ServiceStatus;
use crate::record::state::{Phase, State};
use crate::record::status::Status;
use crate::running::handle::Handle;
use crate::running::one_life::OneLife;

/// The metrics of a group.
#[derive(Debug)]
pub(super) struct OfGroup(Handle);

impl OfGroup {
    pub(super) fn new(group: &Handle) -> Self {
        Self(group.clone())
    }
}

impl Collector for OfGroup {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut to = Writer(encoder);
        let Self(group) = self;
        let status = group.status();
        write_group(&mut to, group, &status)?;
        let services = Service::all(group, &status);
        write_services(&mut to, &services)?;
        #[cfg(feature = "http")]
        write_connections(&mut to, &services)?;
        #[cfg(feature = "http")]
        write_requests(&mut to, &services)?;
        #[cfg(feature = "grpc")]
        write_calls(&mut to, &services)?;
        write_messages(&mut to, &services)?;
        write_ticks(&mut to, &services)?;
        write_heartbeats(&mut to, &services)?;
        write_runtime(&mut to, group)
    }
}

/// The metrics of the process.
#[derive(Debug)]
pub(super) struct OfProcess;

impl Collector for OfProcess {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut to = Writer(encoder);
        let Process { cpu, start_time, resident_memory, virtual_memory, open_fds, max_fds, threads } = Process::read();
        to.write(&families::CPU, cpu.map(|cpu| ([], ConstCounter::new(cpu))))?;
        to.write(&families::PROCESS_START_TIME, start_time.map(|time| ([], ConstGauge::new(time))))?;
        let gauges = [
            (families::RESIDENT_MEMORY, resident_memory),
            (families::VIRTUAL_MEMORY, virtual_memory),
            (families::OPEN_FDS, open_fds),
            (families::MAX_FDS, max_fds),
            (families::THREADS, threads),
        ];
        gauges.iter().try_for_each(|(family, value)| to.write(family, value.map(|value| ([], ConstGauge::new(value)))))
    }
}

/// The values of the labels of one sample.
type Values<'a, const N: usize> = [Cow<'a, str>; N];

struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    /// Writes a metric with its samples, if there are any.
    fn write<'v, const N: usize, M: EncodeMetric>(
        &mut self,
        family: &Family,
        samples: impl IntoIterator<Item = (Values<'v, N>, M)>,
    ) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut metric = self.0.encode_descriptor(family.name, family.help, family.unit, family.metric_type)?;
        for (values, sample) in samples {
            let labels: Vec<_> = family.labels.iter().copied().zip(values).collect();
            sample.encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// Writes a metric without labels.
    fn write_one(&mut self, family: &Family, sample: impl EncodeMetric) -> fmt::Result {
        self.write(family, [([], sample)])
    }
}

const NO_LABELS: [(&str, &str); 0] = [];

/// A metric that says something by its labels.
struct Info;

impl EncodeMetric for Info {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        encoder.encode_info(&NO_LABELS)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Info
    }
}

#[cfg(feature = "http")]
struct Histogram<'a>(&'a Durations);

#[cfg(feature = "http")]
impl EncodeMetric for Histogram<'_> {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let buckets = self.0.buckets();
        let count = buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(self.0.sum(), count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// 1 for the one that is, 0 for all others.
fn flag(is: bool) -> ConstGauge<u64> {
    ConstGauge::new(u64::from(is))
}

fn seconds(time: Duration) -> ConstGauge<f64> {
    ConstGauge::new(time.as_secs_f64())
}

/// One service, at the moment of the writing.
struct Service<'a> {
    life: OneLife,
    status: &'a ServiceStatus,
}

impl<'a> Service<'a> {
    fn all(group: &Handle, status: &'a Status) -> Vec<Self> {
        let services = OneLife::all(&group.shared).into_iter();
        services.zip(status.services()).map(|(life, status)| Self { life, status }).collect()
    }

    fn name(&self) -> Cow<'a, str> {
        self.status.name().into()
    }

    fn measures(&self) -> Option<&Measures> {
        self.life.member().measured()
    }

    /// The time that its last start or restart took.
    fn took_to_start(&self) -> Option<Duration> {
        let restarted = self.status.last_restarts().last();
        let took_again = restarted.map(|last| Some(last.ready_at()?.saturating_sub(last.started_at())));
        took_again.unwrap_or_else(|| self.status.took_to_start())
    }
}

fn write_group(to: &mut Writer, group: &Handle, status: &Status) -> fmt::Result {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    to.write(&families::BUILD, [([env!("CARGO_PKG_VERSION").into(), profile.into()], Info)])?;
    let program = group.shared.metrics.program();
    to.write(&families::PROGRAM, program.map(|(name, version)| ([name.into(), version.into()], Info)))?;
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    to.write_one(&families::START_TIME, seconds(since_1970.saturating_sub(group.shared.begun.elapsed())))?;
    let name = |phase: Phase| phase.to_string().replace(' ', "_");
    to.write(&families::PHASE, Phase::ALL.map(|one| ([name(one).into()], flag(status.phase() == one))))?;
    to.write_one(&families::READY, flag(status.is_ready()))
}

fn write_services(to: &mut Writer, services: &[Service]) -> fmt::Result {
    let states = services.iter().flat_map(|service| {
        State::ALL.map(|state| ([service.name(), state.to_string().into()], flag(service.status.state() == state)))
    });
    to.write(&families::STATE, states)?;
    let restarts = services.iter().map(|service| ([service.name()], ConstCounter::new(service.status.restarts())));
    to.write(&families::RESTARTS, restarts)?;
    let starts = services.iter().filter_map(|service| Some(([service.name()], seconds(service.took_to_start()?))));
    to.write(&families::START, starts)?;
    let stops = services.iter().filter_map(|service| Some(([service.name()], seconds(service.status.took_to_stop()?))));
    to.write(&families::STOP, stops)
}

/// The connections of a service that has had a server.
#[cfg(feature = "http")]
struct Connections<'a> {
    service: &'a str,
    accepted: u64,
    open: usize,
    drained: usize,
    cut: usize,
    requests_in_flight: usize,
}

#[cfg(feature = "http")]
impl<'a> Connections<'a> {
    fn of(service: &Service<'a>) -> Option<Self> {
        let drain = service.life.member().drained_so_far()?;
        let status = service.status;
        Some(Self {
            service: status.name(),
            accepted: service.measures()?.accepted.load(Relaxed),
            open: status.connections().unwrap_or_default(),
            drained: drain.drained(),
            cut: drain.cut(),
            requests_in_flight: status.requests_in_flight().unwrap_or_default(),
        })
    }
}

#[cfg(feature = "http")]
fn write_connections(to: &mut Writer, services: &[Service]) -> fmt::Result {
    let servers: Vec<_> = services.iter().filter_map(Connections::of).collect();
    let count = |number: usize| ConstCounter::new(u64::try_from(number).unwrap_or(u64::MAX));
    let of = |server: &Connections| [server.service.to_owned().into()];
    to.write(&families::ACCEPTED, servers.iter().map(|one| (of(one), ConstCounter::new(one.accepted))))?;
    to.write(&families::OPEN, servers.iter().map(|one| (of(one), ConstGauge::new(one.open))))?;
    to.write(&families::DRAINED, servers.iter().map(|one| (of(one), count(one.drained))))?;
    to.write(&families::CUT, servers.iter().map(|one| (of(one), count(one.cut))))?;
    to.write(&families::IN_FLIGHT, servers.iter().map(|one| (of(one), ConstGauge::new(one.requests_in_flight))))
}

#[cfg(feature = "http")]
fn write_requests(to: &mut Writer, services: &[Service]) -> fmt::Result {
    let routes = routes(services, |measures| measures.http.all());
    let requests = routes.iter().flat_map(|(name, route)| {
        let labels = move |status: usize| {
            [name.as_ref().into(), route.method().into(), route.route().into(), status.to_string().into()]
        };
        route.statuses().map(move |(status, count)| (labels(status), ConstCounter::new(count)))
    });
    to.write(&families::REQUESTS, requests)?;
    let durations = routes.iter().map(|(name, route)| {
        ([name.as_ref().into(), route.method().into(), route.route().into()], Histogram(route.durations()))
    });
    to.write(&families::REQUEST_DURATION, durations)
}

/// The routes of all services that have answered a request, each with the name of its service.
#[cfg(feature = "http")]
fn routes<'a>(
    services: &'a [Service],
    of: fn(&Measures) -> Vec<Arc<RouteCounts>>,
) -> Vec<(Cow<'a, str>, Arc<RouteCounts>)> {
    let of_service = |service: &'a Service| {
        let routes = service.measures().map(of).unwrap_or_default();
        // One that was found and then overruled has no counts: a mounted service has answered.
        let answered = routes.into_iter().filter(|route| route.statuses().next().is_some());
        answered.map(|route| (service.name(), route))
    };
    services.iter().flat_map(of_service).collect()
}

#[cfg(feature = "grpc")]
fn write_calls(to: &mut Writer, services: &[Service]) -> fmt::Result {
    let routes = routes(services, |measures| measures.grpc.all());
    let calls = routes.iter().flat_map(|(name, route)| {
        let labels = move |status: usize| [name.as_ref().into(), route.route().into(), STATUSES[status].into()];
        route.statuses().map(move |(status, count)| (labels(status), ConstCounter::new(count)))
    });
    to.write(&families::CALLS, calls)?;
    let durations =
        routes.iter().map(|(name, route)| ([name.as_ref().into(), route.route().into()], Histogram(route.durations())));
    to.write(&families::CALL_DURATION, durations)
}

fn write_messages(to: &mut Writer, services: &[Service]) -> fmt::Result {
    let consumers = || {
        services.iter().filter_map(|service| {
            let abandoned = service.measures()?.abandoned.load(Relaxed);
            Some((service, service.status.messages()?, abandoned))
        })
    };
    let outcomes = consumers().flat_map(|(service, messages, abandoned)| {
        let outcomes = [("finished", messages.finished()), ("failed", messages.failed()), ("abandoned", abandoned)];
        outcomes.map(|(outcome, count)| ([service.name(), outcome.into()], ConstCounter::new(count)))
    });
    to.write(&families::MESSAGES, outcomes)?;
    // A message that is in flight counts as abandoned already.
    let in_flight = consumers().map(|(service, messages, abandoned)| {
        ([service.name()], ConstGauge::new(messages.abandoned().saturating_sub(abandoned)))
    });
    to.write(&families::MESSAGES_IN_FLIGHT, in_flight)
}

fn write_ticks(to: &mut Writer, services: &[Service]) -> fmt::Result {
    let of = |service: &Service| service.measures().map(Measures::tickers).unwrap_or_default();
    let tickers: Vec<_> = services.iter().map(|service| (service.name(), of(service))).collect();
    let tickers = || tickers.iter().flat_map(|(service, tickers)| tickers.iter().map(move |one| (service, one)));
    let ticks = tickers().flat_map(|(service, (name, ticker))| {
        let outcomes = [("finished", ticker.finished()), ("failed", ticker.failed())];
        let labels = move |outcome: &'static str| [service.as_ref().into(), name.into(), outcome.into()];
        outcomes.map(|(outcome, count)| (labels(outcome), ConstCounter::new(count)))
    });
    to.write(&families::TICKS, ticks)?;
    let labels = |service: &'_ Cow<'_, str>, name: &'_ String| [service.to_string().into(), name.clone().into()];
    let times = tickers()
        .map(|(service, (name, ticker))| (labels(service, name), ConstCounter::new(ticker.took().as_secs_f64())));
    to.write(&families::TICK_TIME, times)?;
    let last = tickers().filter_map(|(service, (name, ticker))| Some((labels(service, name), seconds(ticker.last()?))));
    to.write(&families::LAST_TICK, last)
}

fn write_heartbeats(to: &mut Writer, services: &[Service]) -> fmt::Result {
    let hearts = || {
        services.iter().filter_map(|service| {
            let measures = service.measures()?;
            let (beats, missed) = (measures.beats.load(Relaxed), measures.missed_beats.load(Relaxed));
            (beats + missed > 0).then_some((service, beats, missed))
        })
    };
    to.write(&families::BEATS, hearts().map(|(service, beats, _)| ([service.name()], ConstCounter::new(beats))))?;
    to.write(
        &families::MISSED_BEATS,
        hearts().map(|(service, _, missed)| ([service.name()], ConstCounter::new(missed))),
    )
}

/// The runtime that the services run on, as far as tokio tells it without its unstable flags.
fn write_runtime(to: &mut Writer, group: &Handle) -> fmt::Result {
    let runtime = group.shared.runtime.metrics();
    let workers = runtime.num_workers();
    to.write_one(&families::WORKERS, ConstGauge::new(workers))?;
    to.write_one(&families::TASKS, ConstGauge::new(runtime.num_alive_tasks()))?;
    to.write_one(&families::QUEUE, ConstGauge::new(runtime.global_queue_depth()))?;
    let label = |worker: usize| [worker.to_string().into()];
    let busy = |worker| ConstCounter::new(runtime.worker_total_busy_duration(worker).as_secs_f64());
    to.write(&families::BUSY, (0..workers).map(|worker| (label(worker), busy(worker))))?;
    let parks = |worker| ConstCounter::new(runtime.worker_park_count(worker));
    to.write(&families::PARKS, (0..workers).map(|worker| (label(worker), parks(worker))))
}
