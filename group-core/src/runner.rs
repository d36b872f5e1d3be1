//! One service's life, in one task: built, started, told to stop, dropped.
//!
//! What happens is decided elsewhere: this carries it out and tells the driver what came of it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{self, Poll};

use crate::member::Remains;
use crate::panic::{caught, caught_now};
use crate::ready::Unfired;
use crate::service::{BoxFuture, DynService, Factory};
use crate::shared::News;
use crate::{BoxError, Context};

/// Runs a service from `new` to its drop. However it ends, even aborted before it ever ran, the
/// driver hears of every panic and that it is gone, and nothing of it is left by then.
pub(crate) fn run(factory: Factory, cx: Context) -> impl Future<Output = ()> + Send {
    let remains: Arc<Remains> = Arc::new(Gone(cx.clone()));
    cx.member().set_remains(&remains);
    Life { future: Some(Box::pin(live(factory, cx.clone()))), cx, _remains: remains }
}

/// A service's task. Destructors run in here, too, and may panic: also when it is aborted, which is
/// to be dropped. The fields are dropped in this order.
struct Life {
    future: Option<BoxFuture<()>>,
    cx: Context,
    _remains: Arc<Remains>,
}

/// Drops what a service runs, and aborts what it spawned.
fn drop_life(future: Option<BoxFuture<()>>, cx: &Context) {
    if let Err(panicked) = caught_now(|| drop(future)) {
        cx.tell(News::Failed(panicked));
    }
    if let Some(children) = cx.member().take_children() {
        children.abort();
    }
}

impl Future for Life {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<()> {
        let Self { future, cx, .. } = &mut *self;
        let Some(running) = future else { return Poll::Ready(()) };
        let _polls = cx.member().polls();
        match caught_now(|| running.as_mut().poll(task)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(())) => cx.member().set_stopped(),
            Err(panicked) => cx.tell(News::Failed(panicked)),
        }
        drop_life(future.take(), cx);
        Poll::Ready(())
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        let _polls = self.cx.member().polls();
        drop_life(self.future.take(), &self.cx);
    }
}

/// Held by all that is left of a service: its task, what it spawned, the thread of a blocking
/// `start`. When the last of them lets go, the service is gone.
#[derive(Debug)]
struct Gone(Context);

impl Drop for Gone {
    fn drop(&mut self) {
        if let Err(panicked) = caught_now(|| self.0.member().set_instance(None)) {
            self.0.tell(News::Failed(panicked));
        }
        self.0.tell(News::Gone);
    }
}

async fn live(factory: Factory, cx: Context) {
    let Some(service) = build(factory, &cx).await else { return };
    let heard = cx.member().hears();
    loop {
        // What an earlier run of `start` took is gone with it.
        cx.member().set_hears(heard);
        let work = work(Arc::clone(&service), cx.clone());
        let mut start: BoxFuture<_> = Box::pin(caught(work));
        if let Some(result) = until_ended_or_stop(&mut start, &cx).await {
            drop(start);
            tell_ended(result, &cx);
            tokio::select! {
                biased;
                () = cx.member().stop_asked().cancelled() => {}
                () = cx.member().again() => continue,
            }
            run_stop(&service, &cx).await;
        } else if cx.member().spec.is_dropped_at_once() {
            drop(start);
        } else if cx.member().hears() {
            tell_failed(flatten(start.await), &cx);
            run_stop(&service, &cx).await;
        } else {
            stop_deaf(start, &service, &cx).await;
        }
        return;
    }
}

/// Runs `start` and what it spawns: the service has ended when all of it has, and it has failed
/// when any of it has.
async fn work(service: Arc<dyn DynService>, cx: Context) -> Result<(), BoxError> {
    let member = cx.member();
    let mut start = service.start(cx.clone());
    let mut result = tokio::select! {
        biased;
        result = &mut start => result,
        // Once it is asked to stop, what has not failed may still finish.
        () = member.child_failed() => if member.stop_asked().is_cancelled() { start.await } else { drop(start); Ok(()) },
    };
    let Some(children) = member.children() else { return result };
    let mut failures = children.take_failures();
    if !(result.is_ok() && failures.is_empty() || member.stop_asked().is_cancelled()) {
        children.abort();
    }
    tokio::select! {
        biased;
        () = children.ended() => {}
        // The others would go on without it.
        () = member.child_failed() => {
            if !member.stop_asked().is_cancelled() {
                children.abort();
            }
            children.ended().await;
        }
    }
    // Another run of it spawns anew.
    member.take_children();
    failures.extend(children.take_failures());
    for error in failures {
        match result {
            Ok(()) => result = Err(error),
            Err(_) => cx.tell(News::AlsoFailed(error)),
        }
    }
    result
}

/// Runs `new`, unless a stop is asked for meanwhile.
async fn build(factory: Factory, cx: &Context) -> Option<Arc<dyn DynService>> {
    let making = caught(async { factory(cx.clone()).await });
    let made = tokio::select! {
        biased;
        () = cx.member().stop_asked().cancelled() => return None,
        made = making => flatten(made),
    };
    match made {
        Ok(service) => {
            cx.member().set_instance(Some(Arc::clone(&service)));
            cx.tell(News::Built);
            Some(service)
        }
        Err(error) => {
            cx.tell(News::Failed(error));
            None
        }
    }
}

type Started = Result<Result<(), BoxError>, BoxError>;

/// Runs `start`, and tells when the service is ready: once its `start` has been polled and has not
/// failed, and every [`Ready`](crate::Ready) that it took by then has fired.
///
/// Returns what `start` returned, or `None` when a stop is asked for first.
async fn until_ended_or_stop(start: &mut BoxFuture<Started>, cx: &Context) -> Option<Result<(), BoxError>> {
    let mut stop = pin!(cx.member().stop_asked().cancelled());
    let mut holds = None;
    let mut settled = false;
    poll_fn(|task| {
        let ended = start.as_mut().poll(task).map(flatten);
        // Once it is asked to stop, it need not become ready any more.
        if ended.is_pending() && stop.as_mut().poll(task).is_ready() {
            return Poll::Ready(None);
        }
        if !settled {
            // Taken after the first poll, and not before: that is when `start` takes its own.
            let ready = holds.get_or_insert_with(|| cx.member().take_holds()).poll(task);
            settled = ready.is_ready();
            match ready {
                Poll::Ready(Ok(())) if !matches!(ended, Poll::Ready(Err(_))) => cx.tell(News::Ready),
                // What `start` returned, if it did, says more.
                Poll::Ready(Err(Unfired)) if ended.is_pending() => {
                    return Poll::Ready(Some(Err("its `Ready` was dropped before it was fired".into())));
                }
                _ => {}
            }
        }
        ended.map(Some)
    })
    .await
}

/// Stops a service whose `start` took no `Shutdown`: its `stop` makes `start` return; without one,
/// nothing can tell it, so `start` is dropped. Its tickers finish what they do.
async fn stop_deaf(mut start: BoxFuture<Started>, service: &Arc<dyn DynService>, cx: &Context) {
    let mut stop = pin!(caught(Arc::clone(service).stop()));
    let mut ended = false;
    // Both are polled: `stop` may wait for something that only `start` does. What goes wrong is told
    // at once, for an abort may cut the rest off.
    let stopped = loop {
        tokio::select! {
            biased;
            stopped = &mut stop => break stopped,
            result = &mut start, if !ended => {
                ended = true;
                tell_failed(flatten(result), cx);
            }
        }
    };
    match stopped {
        Ok(None) => {
            drop(start);
            let Some(children) = cx.member().children() else { return };
            children.tickers_ended().await;
            children.take_failures().into_iter().for_each(|error| cx.tell(News::Failed(error)));
        }
        Ok(Some(result)) => {
            tell_failed(result, cx);
            if !ended {
                tell_failed(flatten(start.await), cx);
            }
        }
        Err(panicked) => cx.tell(News::Failed(panicked)),
    }
}

async fn run_stop(service: &Arc<dyn DynService>, cx: &Context) {
    if cx.member().spec.is_dropped_at_once() {
        return;
    }
    match caught(Arc::clone(service).stop()).await {
        Ok(None | Some(Ok(()))) => {}
        Ok(Some(Err(error))) | Err(error) => cx.tell(News::Failed(error)),
    }
}

fn tell_ended(result: Result<(), BoxError>, cx: &Context) {
    cx.tell(result.map_or_else(News::Failed, |()| News::Ended));
}

fn tell_failed(result: Result<(), BoxError>, cx: &Context) {
    if let Err(error) = result {
        cx.tell(News::Failed(error));
    }
}

/// A panic is an error like any other.
fn flatten<T>(result: Result<Result<T, BoxError>, BoxError>) -> Result<T, BoxError> {
    result.and_then(|result| result)
}
