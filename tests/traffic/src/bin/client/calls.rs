//! Calls over gRPC, with tonic's own client on hyper's connection. A call is answered when all of its items
//! and its status have come.

use std::error::Error;

use futures_util::stream;
use grpc_tests::item;
use grpc_tests::proto::Item;
use grpc_tests::proto::inventory_client::InventoryClient;
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::http::Uri;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::{Response, Status, Streaming};
use tower::service_fn;
use traffic::calls::{FEW, LAST};

use crate::Counts;

/// The number of callers on a connection whose call goes on until the server stops.
const ONE_IN: usize = 4;

/// The outcome of a call that was begun.
enum Called {
    Answered,
    /// Its answer is not what it should be, or was cut off.
    Cut(String),
    /// With this, and no item.
    Failed(Status),
}

pub(super) async fn of_one_answer(sender: SendRequest<Body>, mut number: usize, addr: String, counts: Counts) {
    let mut ready = sender.clone();
    let mut client = client(sender, &addr);
    while ready.ready().await.is_ok() {
        number += 1;
        let count = u64::from(number.is_multiple_of(4));
        let called = match client.stock(item("nuts", count)).await {
            Ok(answer) if answer.get_ref().name.len() == if count == 0 { 5 } else { traffic::LONG } => Called::Answered,
            Ok(answer) => Called::Cut(format!("an answer with {} bytes", answer.get_ref().name.len())),
            Err(status) => Called::Failed(status),
        };
        if !is_answered(called, &counts) {
            return;
        }
    }
}

/// Streams from the server, from the client, and from both.
pub(super) async fn of_streams(sender: SendRequest<Body>, first: usize, addr: String, counts: Counts) {
    let mut ready = sender.clone();
    let mut client = client(sender, &addr);
    let mut number = first;
    while ready.ready().await.is_ok() {
        let few = || stream::iter((1..=FEW).map(|count| item("one", count)));
        number += 1;
        let called = match number % 3 {
            _ if first.is_multiple_of(ONE_IN) => watched(client.watch(item("nuts", u64::MAX)).await).await,
            0 => watched(client.watch(item("nuts", FEW)).await).await,
            1 => echoed(client.echo(few()).await).await,
            _ => match client.add(few()).await {
                Ok(sum) if sum.get_ref().count == FEW => Called::Answered,
                Ok(sum) => Called::Cut(format!("{} of {FEW} items were taken", sum.get_ref().count)),
                Err(status) => Called::Failed(status),
            },
        };
        if !is_answered(called, &counts) {
            return;
        }
    }
}

type Answers = Result<Response<Streaming<Item>>, Status>;

/// Every item, the last one, and then the status.
async fn watched(answers: Answers) -> Called {
    let whole = |items: &[Item]| items.last().is_some_and(|last| last.name == LAST && last.count + 1 == length(items));
    collected(answers, |items| whole(items) && are_in_order(&items[..items.len() - 1])).await
}

async fn echoed(answers: Answers) -> Called {
    collected(answers, |items| length(items) == FEW && are_in_order(items)).await
}

async fn collected(answers: Answers, whole: impl FnOnce(&[Item]) -> bool) -> Called {
    let mut answers = match answers {
        Ok(answers) => answers.into_inner(),
        Err(status) => return Called::Failed(status),
    };
    let mut items = Vec::new();
    loop {
        match answers.message().await {
            Ok(Some(item)) => items.push(item),
            Ok(None) if whole(&items) => return Called::Answered,
            Ok(None) => return Called::Cut(format!("a stream with {} items: {:?}", items.len(), items.last())),
            Err(status) => return Called::Cut(format!("a stream, after {} items: {status:?}", items.len())),
        }
    }
}

fn are_in_order(items: &[Item]) -> bool {
    items.iter().zip(1..).all(|(item, count)| item.count == count)
}

fn length(items: &[Item]) -> u64 {
    u64::try_from(items.len()).expect("fits")
}

/// True if the answer is right. Otherwise the failure is counted.
fn is_answered(called: Called, counts: &Counts) -> bool {
    let mut count = counts.lock().expect("nobody panics");
    match called {
        Called::Answered => {
            count.answer();
            return true;
        }
        Called::Cut(what) => count.lost.push(what),
        Called::Failed(status) => {
            let cause = status.source().and_then(|cause| cause.downcast_ref::<hyper::Error>());
            count.fail(&status, cause);
        }
    }
    false
}

/// A client that calls on this connection.
fn client(
    mut sender: SendRequest<Body>,
    addr: &str,
) -> InventoryClient<impl GrpcService<Body, Future: Send, ResponseBody = Incoming>> {
    let origin = Uri::builder().scheme("http").authority(addr).path_and_query("/").build();
    let calls = service_fn(move |request| sender.send_request(request));
    InventoryClient::with_origin(calls, origin.expect("it is an address"))
}
