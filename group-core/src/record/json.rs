//! The report as data, with the feature `serde`. All times are milliseconds, as their keys say: `…_at_ms` counts from
//! when the group began to start.

use std::time::Duration;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::base::error::{Chain, Failure};
use crate::base::text::millis;
use crate::lifecycle::interface::Stage;
use crate::record::counts::{Drain, Messages};
use crate::record::report::{Outcome, Report};
use crate::record::service_report::{Ending, ServiceReport};

fn ms(time: Option<Duration>) -> Option<f64> {
    time.map(millis)
}

/// With the feature `serde`.
impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let outcome = match self.outcome() {
            Outcome::Clean => "clean",
            Outcome::RunFailed => "run_failed",
            Outcome::StartFailed => "start_failed",
            Outcome::UncleanStop => "unclean_stop",
            Outcome::BadGroup => "bad_group",
            Outcome::Forced(_) => "forced",
        };
        let mut report = serializer.serialize_struct("Report", 8)?;
        report.serialize_field("outcome", outcome)?;
        report.serialize_field("exit_code", &self.exit_code())?;
        report.serialize_field("stopped_by", &self.stopped_by().map(ToString::to_string))?;
        report.serialize_field("stop_asked_at_ms", &ms(self.stop_asked_at()))?;
        report.serialize_field("ended_at_ms", &ms(Some(self.ended_at())))?;
        report.serialize_field("failures", self.failures())?;
        report.serialize_field("forgotten", &self.forgotten())?;
        report.serialize_field("services", self.services())?;
        report.end()
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
        let ending = match self.ending() {
            Ending::NeverBuilt => "never_built",
            Ending::Stopped => "stopped",
            Ending::Completed => "completed",
            Ending::Failed => "failed",
            Ending::Aborted => "aborted",
            Ending::Abandoned => "abandoned",
        };
        let last_restarts: Vec<_> = self.last_restarts().iter().map(|&time| ms(Some(time))).collect();
        let mut service = serializer.serialize_struct("ServiceReport", 14)?;
        service.serialize_field("name", self.name())?;
        service.serialize_field("local_addr", &self.local_addr().map(|addr| addr.to_string()))?;
        service.serialize_field("ending", ending)?;
        service.serialize_field("built_at_ms", &ms(self.built_at()))?;
        service.serialize_field("took_to_start_ms", &ms(self.took_to_start()))?;
        service.serialize_field("ready_at_ms", &ms(self.ready_at()))?;
        service.serialize_field("restarts", &self.restarts())?;
        service.serialize_field("last_restarts_ms", &last_restarts)?;
        service.serialize_field("stop_asked_at_ms", &ms(self.stop_asked_at()))?;
        service.serialize_field("stopped_at_ms", &ms(self.stopped_at()))?;
        service.serialize_field("gone_at_ms", &ms(self.gone_at()))?;
        service.serialize_field("messages", &self.messages())?;
        service.serialize_field("drain", &self.drain())?;
        service.serialize_field("cut_requests", self.cut_requests())?;
        service.end()
    }
}

/// With the feature `serde`.
impl Serialize for Messages {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut messages = serializer.serialize_struct("Messages", 3)?;
        messages.serialize_field("finished", &self.finished())?;
        messages.serialize_field("failed", &self.failed())?;
        messages.serialize_field("abandoned", &self.abandoned())?;
        messages.end()
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
