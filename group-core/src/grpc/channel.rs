//! Calls to another service of the group, in this process or elsewhere.

use std::any::{TypeId, type_name};
use std::error::Error as _;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::{fmt, task};

use axum::http::{Request, Response};
use tonic::body::Body;
use tonic::{Status, transport};
use tower_service::Service;

use crate::base::error::BoxError;
use crate::grpc::answer::too_late;
use crate::grpc::local::Local;
use crate::grpc::remote::endpoint;
use crate::grpc::routes::Routes;
use crate::grpc::serve::Serve;
use crate::service::context::Context;
use crate::service::from_context::FromContext;
use crate::spec::needs::{Called, Needs};

/// A connection to the gRPC services of `S`, for the clients that tonic generates. Needs the feature `grpc`.
///
/// A service that takes one in `new` or `start` comes after `S`, as with an `Arc<S>`: `S` is ready first, and stops
/// last. If `S` is in this group, a call goes through memory, without a socket and without HTTP/2, and `S` needs no
/// address. If `S` runs elsewhere, calls go over the network, on one connection that is made when it is needed and made
/// again when it is lost. A setting says where `S` runs, and the code does not change:
///
/// - the environment: `GROUP_INVENTORY__REMOTE=http://10.0.0.7:50051`;
/// - `group.toml`, with the feature `config`: `remote = "http://10.0.0.7:50051"` in `[services.inventory]`;
/// - the code: [`Group::remote`](crate::Group::remote), or [`Spec::remote`](crate::Spec::remote).
///
/// With such an address, which is `http://host:port` or `unix:/path`, `S` is left out of this group.
///
/// Metadata, streams, deadlines (`grpc-timeout`) and cancellation work the same way in both cases. If the handler
/// panics, the call fails with [`Code::Internal`](tonic::Code::Internal); if the service is stopping or being
/// restarted, with [`Code::Unavailable`](tonic::Code::Unavailable).
///
/// ```
/// use group::grpc::{Channel, Routes};
/// use group::service;
/// use std::sync::Arc;
/// # struct InventoryClient<T>(T);
/// # impl<T> InventoryClient<T> { fn new(channel: T) -> Self { Self(channel) } }
///
/// #[derive(Default)]
/// struct Inventory;
///
/// #[service(grpc)] // without an address: for this group alone
/// impl Inventory {
///     fn grpc(self: Arc<Self>, services: Routes) -> Routes {
///         // services.add_service(InventoryServer::from_arc(self))
///         services
///     }
/// }
///
/// struct Gateway {
///     inventory: InventoryClient<Channel<Inventory>>,
/// }
///
/// #[service(http = "127.0.0.1:8080")]
/// impl Gateway {
///     fn new(inventory: Channel<Inventory>) -> Self {
///         Self { inventory: InventoryClient::new(inventory) }
///     }
///
///     #[get("/stock")]
///     async fn stock(&self) {
///         // self.inventory.clone().stock(StockRequest { .. }).await
///         let _ = &self.inventory;
///     }
/// }
/// ```
pub struct Channel<S> {
    transport: Transport,
    to: PhantomData<fn() -> S>,
}

#[derive(Clone)]
enum Transport {
    Memory(Local),
    Network(transport::Channel),
}

impl<S: Serve> FromContext for Channel<S> {
    fn from_context(cx: &Context) -> Result<Self, BoxError> {
        let transport = match cx.elsewhere::<S>() {
            Some(url) => Transport::Network(network::<S>(&url)?),
            None => Transport::Memory(local::<S>(cx)?),
        };
        Ok(Self { transport, to: PhantomData })
    }

    fn needs(needs: &mut Needs) {
        needs.called(Called::of::<S>());
    }
}

fn network<S>(url: &str) -> Result<transport::Channel, BoxError> {
    let wrong = |expected| format!("`{}` cannot be called at `{url}`: expected {expected}", type_name::<S>());
    Ok(endpoint(url).map_err(wrong)?.connect_lazy())
}

fn local<S: Serve>(cx: &Context) -> Result<Local, BoxError> {
    let missing = || format!("there is no `{}` in the group", type_name::<S>());
    let service: Arc<S> = cx.get().ok_or_else(missing)?;
    let cx = cx.of::<S>().ok_or_else(missing)?;
    let routes = service.grpc(Routes::new()).alone(&cx)?;
    Ok(Local::new(routes, cx))
}

impl Called {
    pub(crate) fn of<S: Serve>() -> Self {
        Self { type_id: TypeId::of::<S>(), type_name: type_name::<S>(), name: || S::spec().name }
    }
}

/// Corrects two errors that tonic calls a cancellation, though nothing was cancelled: a deadline that has passed, and a
/// connection that was closed before the call was sent on it.
fn corrected(error: transport::Error) -> BoxError {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<tonic::TimeoutExpired>() {
            return too_late().into();
        }
        if error.downcast_ref().is_some_and(hyper::Error::is_canceled) {
            return Status::unavailable("the connection was closed before the call was sent").into();
        }
        cause = error.source();
    }
    error.into()
}

impl<S> Clone for Channel<S> {
    fn clone(&self) -> Self {
        Self { transport: self.transport.clone(), to: PhantomData }
    }
}

impl<S> fmt::Debug for Channel<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.transport {
            Transport::Memory(_) => "in this process",
            Transport::Network(_) => "over the network",
        };
        write!(f, "Channel<{}>({place})", type_name::<S>())
    }
}

impl<S> Service<Request<Body>> for Channel<S> {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, task: &mut task::Context<'_>) -> Poll<Result<(), BoxError>> {
        match &mut self.transport {
            Transport::Memory(_) => Poll::Ready(Ok(())),
            Transport::Network(channel) => channel.poll_ready(task).map_err(BoxError::from),
        }
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match &mut self.transport {
            Transport::Memory(local) => Box::pin(local.clone().call(request)),
            Transport::Network(channel) => {
                let response = channel.call(request);
                Box::pin(async { response.await.map_err(corrected) })
            }
        }
    }
}
