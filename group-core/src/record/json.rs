//! Status, events and report as data, with the feature `serde`. All times are milliseconds, as their keys say: `…_at_ms`
//! counts from when the group began to start.

use std::time::Duration;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::base::error::{Chain, Failure};
use crate::base::process;
use crate::base::text::millis;
use crate::lifecycle::interface::Stage;
use crate::lifecycle::plan::Schedule;
use crate::record::counts::{Drain, Jobs, Messages};
use crate::record::event::{Event, StopReason};
use crate::record::report::{Outcome, Report};
use crate::record::service_report::{Ending, ServiceReport};
use crate::record::service_status::{Restarted, ServiceStatus};
use crate::record::state::{Phase, State};
use crate::record::status::Status;

fn ms(time: Option<Duration>) -> Option<f64> {
    time.map(millis)
}

fn names<'a>(services: &[&'a ServiceReport]) -> Vec<&'a str> {
    services.iter().map(|service| service.name()).collect()
}

/// With the feature `serde`.
impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut report = serializer.serialize_struct("Report", 10)?;
        report.serialize_field("outcome", &self.outcome())?;
        report.serialize_field("exit_code", &self.exit_code())?;
        report.serialize_field("stopped_by", &self.stopped_by().map(ToString::to_string))?;
        report.serialize_field("stop_asked_at_ms", &ms(self.stop_asked_at()))?;
        report.serialize_field("ended_at_ms", &ms(Some(self.ended_at())))?;
        report.serialize_field("failures", self.failures())?;
        report.serialize_field("forgotten", &self.forgotten())?;
        report.serialize_field("critical_chain", &names(&self.critical_chain()))?;
        report.serialize_field("stop_critical_chain", &names(&self.stop_critical_chain()))?;
        report.serialize_field("services", self.services())?;
        report.end()
    }
}

/// With the feature `serde`.
impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Clean => "clean",
            Self::RunFailed => "run_failed",
            Self::StartFailed => "start_failed",
            Self::UncleanStop => "unclean_stop",
            Self::BadGroup => "bad_group",
            Self::Forced(_) => "forced",
        })
    }
}

/// With the feature `serde`.
impl Serialize for Ending {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::NeverBuilt => "never_built",
            Self::Stopped => "stopped",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::Abandoned => "abandoned",
        })
    }
}

/// With the feature `serde`.
impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stage = match self.stage() {
            Stage::Plan => "plan",
            Stage::Build => "build",
            Stage::Start => "start",
            Stage::Run => "run",
            Stage::Reload => "reload",
            Stage::Stop => "stop",
        };
        let mut failure = serializer.serialize_struct("Failure", 4)?;
        failure.serialize_field("service", &self.service())?;
        failure.serialize_field("stage", stage)?;
        failure.serialize_field("fatal", &self.is_fatal())?;
        failure.serialize_field("error", &Chain(self.error()).to_string())?;
        failure.end()
    }
}

/// With the feature `serde`.
impl Serialize for ServiceReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let last_restarts: Vec<_> = self.last_restarts().iter().map(|&time| ms(Some(time))).collect();
        let mut service = serializer.serialize_struct("ServiceReport", 16)?;
        service.serialize_field("name", self.name())?;
        service.serialize_field("local_addr", &self.local_addr().map(|addr| addr.to_string()))?;
        service.serialize_field("ending", &self.ending())?;
        service.serialize_field("built_at_ms", &ms(self.built_at()))?;
        service.serialize_field("took_to_start_ms", &ms(self.took_to_start()))?;
        service.serialize_field("ready_at_ms", &ms(self.ready_at()))?;
        service.serialize_field("restarts", &self.restarts())?;
        service.serialize_field("last_restarts_ms", &last_restarts)?;
        service.serialize_field("stop_asked_at_ms", &ms(self.stop_asked_at()))?;
        service.serialize_field("stopped_at_ms", &ms(self.stopped_at()))?;
        service.serialize_field("took_to_stop_ms", &ms(self.took_to_stop()))?;
        service.serialize_field("gone_at_ms", &ms(self.gone_at()))?;
        service.serialize_field("messages", &self.messages())?;
        service.serialize_field("jobs", &self.jobs())?;
        service.serialize_field("drain", &self.drain())?;
        service.serialize_field("cut_requests", self.cut_requests())?;
        service.end()
    }
}

/// With the feature `serde`.
impl Serialize for Messages {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut messages = serializer.serialize_struct("Messages", 4)?;
        messages.serialize_field("finished", &self.finished())?;
        messages.serialize_field("failed", &self.failed())?;
        messages.serialize_field("abandoned", &self.abandoned())?;
        messages.serialize_field("left", &self.left())?;
        messages.end()
    }
}

/// With the feature `serde`.
impl Serialize for Jobs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut jobs = serializer.serialize_struct("Jobs", 3)?;
        jobs.serialize_field("finished", &self.finished())?;
        jobs.serialize_field("failed", &self.failed())?;
        jobs.serialize_field("cut", &self.cut())?;
        jobs.end()
    }
}

/// With the feature `serde`.
impl Serialize for Drain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut drain = serializer.serialize_struct("Drain", 4)?;
        drain.serialize_field("drained", &self.drained())?;
        drain.serialize_field("cut", &self.cut())?;
        drain.serialize_field("streams", &self.streams())?;
        drain.serialize_field("took_ms", &ms(Some(self.took())))?;
        drain.end()
    }
}

/// With the feature `serde`.
impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let schedule = match self.schedule() {
            Schedule::Strict => "strict",
            Schedule::Graph => "graph",
        };
        let mut status = serializer.serialize_struct("Status", 19)?;
        status.serialize_field("program", &process::program())?;
        status.serialize_field("pid", &std::process::id())?;
        status.serialize_field("phase", &self.phase())?;
        status.serialize_field("live", &self.is_live())?;
        status.serialize_field("ready", &self.is_ready())?;
        status.serialize_field("degraded", &self.is_degraded())?;
        status.serialize_field("schedule", schedule)?;
        status.serialize_field("uptime_ms", &ms(Some(self.uptime())))?;
        status.serialize_field("took_to_start_ms", &ms(self.took_to_start()))?;
        status.serialize_field("stopped_by", &self.stopped_by().map(ToString::to_string))?;
        status.serialize_field("stop_asked_at_ms", &ms(self.stop_asked_at()))?;
        status.serialize_field("time_left_ms", &ms(self.time_left()))?;
        status.serialize_field("cause", &self.cause())?;
        status.serialize_field("outcome", &self.outcome())?;
        status.serialize_field("exit_code", &self.exit_code())?;
        status.serialize_field("summary", &self.report().map(Report::summary))?;
        let recent: Vec<EventAt<'_>> =
            self.recent_events().iter().map(|(at, event)| EventAt { at: *at, event }).collect();
        status.serialize_field("recent_events", &recent)?;
        status.serialize_field("forgotten_events", &self.forgotten_events())?;
        status.serialize_field("services", self.services())?;
        status.end()
    }
}

/// With the feature `serde`.
impl Serialize for Phase {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::LameDuck => serializer.serialize_str("lame_duck"),
            phase => serializer.collect_str(phase),
        }
    }
}

/// With the feature `serde`.
impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// With the feature `serde`.
impl Serialize for ServiceStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut service = serializer.serialize_struct("ServiceStatus", 21)?;
        service.serialize_field("name", self.name())?;
        service.serialize_field("state", &self.state())?;
        service.serialize_field("state_at_ms", &ms(Some(self.state_at())))?;
        service.serialize_field("role", &self.role().to_string())?;
        service.serialize_field("critical", &self.is_critical())?;
        service.serialize_field("after", self.after())?;
        service.serialize_field("waits_for", self.waits_for())?;
        service.serialize_field("local_addr", &self.local_addr().map(|addr| addr.to_string()))?;
        service.serialize_field("address", &self.address())?;
        service.serialize_field("took_to_start_ms", &ms(self.took_to_start()))?;
        service.serialize_field("ready_at_ms", &ms(self.ready_at()))?;
        service.serialize_field("restarts", &self.restarts())?;
        service.serialize_field("last_restarts", self.last_restarts())?;
        service.serialize_field("starts_again_in_ms", &ms(self.starts_again_in()))?;
        service.serialize_field("stop_asked_at_ms", &ms(self.stop_asked_at()))?;
        service.serialize_field("gone_at_ms", &ms(self.gone_at()))?;
        service.serialize_field("ending", &self.ending())?;
        service.serialize_field("last_failure", &self.last_failure())?;
        service.serialize_field("connections", &self.connections())?;
        service.serialize_field("requests_in_flight", &self.requests_in_flight())?;
        service.serialize_field("messages", &self.messages())?;
        service.end()
    }
}

/// With the feature `serde`.
impl Serialize for Restarted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut restarted = serializer.serialize_struct("Restarted", 3)?;
        restarted.serialize_field("ended_at_ms", &ms(Some(self.ended_at())))?;
        restarted.serialize_field("started_at_ms", &ms(Some(self.started_at())))?;
        restarted.serialize_field("ready_at_ms", &ms(self.ready_at()))?;
        restarted.end()
    }
}

/// With the feature `serde`.
impl Serialize for StopReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// With the feature `serde`. The key `event` has its kind.
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut event = serializer.serialize_struct("Event", 3)?;
        write_event(&mut event, self)?;
        event.end()
    }
}

/// An event with its time.
struct EventAt<'a> {
    at: Duration,
    event: &'a Event,
}

impl Serialize for EventAt<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut event = serializer.serialize_struct("Event", 4)?;
        event.serialize_field("at_ms", &ms(Some(self.at)))?;
        write_event(&mut event, self.event)?;
        event.end()
    }
}

fn write_event<S: SerializeStruct>(to: &mut S, event: &Event) -> Result<(), S::Error> {
    to.serialize_field("event", event.kind())?;
    match event {
        Event::Service { name, state } => {
            to.serialize_field("name", name)?;
            to.serialize_field("state", state)
        }
        Event::GroupStopping(reason) => to.serialize_field("stopped_by", reason),
        Event::Missed(events) => to.serialize_field("events", events),
        _ => Ok(()),
    }
}
