//! Calls to another service of the group, wherever it runs.

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

/// A way to the gRPC services of `S`, for the clients that tonic generates.
///
/// Taken in `new` or `start`, it makes the service come after `S`, as an `Arc<S>` does: `S` is ready
/// first, and stops last. Where `S` is in this group, a call goes through memory, without a socket, and
/// so without HTTP/2; `S` need not even have an address. Where `S` runs elsewhere, it goes over the
/// network, on one connection that is made when it is needed and made again when it is lost. Where that
/// is, is a setting, and the code does not change:
///
/// - the environment: `GROUP_INVENTORY__REMOTE=http://10.0.0.7:50051`;
/// - `group.toml`, with the feature `config`: `remote = "http://10.0.0.7:50051"` in `[services.inventory]`;
/// - the code: [`Group::remote`](crate::Group::remote), or [`Spec::remote`](crate::Spec::remote).
///
/// Then `S` is left out of this group. `http://host:port` and `unix:/path` are understood.
///
/// Metadata, streams, deadlines (`grpc-timeout`) and cancellation are the same both ways, and a handler
/// that panics is [`Code::Internal`](tonic::Code::Internal). A call to a service that is stopping, or
/// being restarted, is [`Code::Unavailable`](tonic::Code::Unavailable).
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
    way: Way,
    to: PhantomData<fn() -> S>,
}

#[derive(Clone)]
enum Way {
    Memory(Local),
    Network(transport::Channel),
}

impl<S: Serve> FromContext for Channel<S> {
    fn from_context(cx: &Context) -> Result<Self, BoxError> {
        let way = match cx.elsewhere::<S>() {
            Some(url) => Way::Network(network::<S>(url)?),
            None => Way::Memory(local::<S>(cx)?),
        };
        Ok(Self { way, to: PhantomData })
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

/// What tonic calls a cancellation, though nobody has cancelled anything: a deadline that has passed, and a
/// connection that was closed before the call was sent on it.
fn said_better(error: transport::Error) -> BoxError {
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
        Self { way: self.way.clone(), to: PhantomData }
    }
}

impl<S> fmt::Debug for Channel<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.way {
            Way::Memory(_) => "in this process",
            Way::Network(_) => "over the network",
        };
        write!(f, "Channel<{}>({way})", type_name::<S>())
    }
}

impl<S> Service<Request<Body>> for Channel<S> {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, task: &mut task::Context<'_>) -> Poll<Result<(), BoxError>> {
        match &mut self.way {
            Way::Memory(_) => Poll::Ready(Ok(())),
            Way::Network(channel) => channel.poll_ready(task).map_err(BoxError::from),
        }
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match &mut self.way {
            Way::Memory(local) => Box::pin(local.clone().call(request)),
            Way::Network(channel) => {
                let answer = channel.call(request);
                Box::pin(async { answer.await.map_err(said_better) })
            }
        }
    }
}
