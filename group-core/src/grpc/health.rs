//! `grpc.health.v1`: reports the state of the group and its service to clients.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;
use futures_util::stream::unfold;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_server};

use crate::record::event::Events;
use crate::record::state::State;
use crate::running::handle::Handle;
use crate::service::context::Context;
use crate::service::shutdown::Shutdown;

/// The health service of one server.
#[derive(Clone, Debug)]
pub(crate) struct HealthService {
    group: Handle,
    /// The service that serves.
    service: Arc<str>,
    /// The names of its gRPC services.
    names: Arc<[&'static str]>,
    shutdown: Shutdown,
}

impl HealthService {
    pub(super) fn new(cx: &Context, names: &[&'static str]) -> Self {
        let shutdown = Shutdown::beside_start(cx.clone());
        Self { group: cx.handle(), service: cx.name().into(), names: names.into(), shutdown }
    }

    /// The status of a gRPC service, or of the group if the name is empty. `ServiceUnknown` if it is not served here.
    fn of(&self, name: &str) -> ServingStatus {
        let group = self.group.status();
        let is_ready = match name {
            "" => group.is_ready(),
            name if self.names.contains(&name) => {
                let service = group.service(&self.service);
                group.is_ready() && service.is_some_and(|service| service.state() == State::Ready)
            }
            _ => return ServingStatus::ServiceUnknown,
        };
        if is_ready { ServingStatus::Serving } else { ServingStatus::NotServing }
    }
}

/// The state of one call of `Watch`.
struct Watching {
    health: HealthService,
    name: String,
    events: Events,
    /// The status that was sent last.
    sent: Option<ServingStatus>,
}

impl Watching {
    /// Waits for the next change. Returns `None` once the server stops and the last change was sent.
    async fn next(&mut self) -> Option<ServingStatus> {
        loop {
            let now = self.health.of(&self.name);
            if self.sent.replace(now) != Some(now) {
                return Some(now);
            }
            if self.health.shutdown.is_requested() {
                return None;
            }
            tokio::select! {
                () = self.health.shutdown.requested() => {}
                event = self.events.recv() => drop(event?),
            }
        }
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl health_server::Health for HealthService {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let name = request.into_inner().service;
        match self.of(&name) {
            ServingStatus::ServiceUnknown => Err(Status::not_found(format!("`{name}` is not served here"))),
            status => Ok(Response::new(response(status))),
        }
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let name = request.into_inner().service;
        // Subscribe before the first look, so that no event is missed in between.
        let watching = Watching { health: self.clone(), name, events: self.group.events(), sent: None };
        let changes = unfold(watching, |mut watching| async {
            let status = watching.next().await?;
            Some((Ok(response(status)), watching))
        });
        Ok(Response::new(Box::pin(changes)))
    }
}
