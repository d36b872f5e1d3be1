//! One service's life, in one task: built, started, told to stop, dropped.
//!
//! What happens is decided elsewhere: this carries it out and tells the driver what came of it. Whoever has
//! something to say to the task says it to the [`Member`](crate::member::Member), and wakes the task, which looks there.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{self, Poll};

use pin_project_lite::pin_project;

use crate::member::{Children, Remains};
use crate::panic::{caught, caught_now};
use crate::ready::Unfired;
use crate::service::{DynService, Factory};
use crate::shared::News;
use crate::{BoxError, Context};

/// Runs a service from `new` to its drop. However it ends, even aborted before it ever ran, the
/// driver hears of every panic and that it is gone, and nothing of it is left by then.
pub(crate) fn run(factory: Factory, cx: Context) -> impl Future<Output = ()> + Send {
    let remains = Remains::first(cx.clone());
    Life { live: Some(live(factory, cx.clone())), cx, remains }
}

pin_project! {
    /// A service's task. Destructors run in here, too, and may panic: also when it is aborted, which is
    /// to be dropped. The fields are dropped in this order.
    struct Life<F> {
        #[pin]
        live: Option<F>,
        cx: Context,
        remains: Remains,
    }

    impl<F> PinnedDrop for Life<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            let _polls = this.cx.member().polls();
            drop_life(this.live, this.cx);
        }
    }
}

/// Drops what a service runs, and aborts what it spawned.
fn drop_life<F>(mut live: Pin<&mut Option<F>>, cx: &Context) {
    if let Err(panicked) = caught_now(|| live.set(None)) {
        cx.tell(News::Failed(panicked));
    }
    if let Some(children) = cx.member().take_children() {
        children.abort();
    }
}

impl<F: Future<Output = ()>> Future for Life<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(live) = this.live.as_mut().as_pin_mut() else { return Poll::Ready(()) };
        let member = this.cx.member();
        let _polls = member.polls();
        // Before it looks, so that it is woken by what comes after.
        member.wakes(task.waker());
        match caught_now(|| live.poll(task)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(())) => member.set_stopped(),
            Err(panicked) => this.cx.tell(News::Failed(panicked)),
        }
        drop_life(this.live, this.cx);
        Poll::Ready(())
    }
}

/// Nothing is left of a service but itself.
pub(crate) fn gone(cx: &Context) {
    if let Err(panicked) = caught_now(|| cx.member().set_instance(None)) {
        cx.tell(News::Failed(panicked));
    }
    cx.tell(News::Gone);
}

async fn live(factory: Factory, cx: Context) {
    let Some(service) = build(factory, &cx).await else { return };
    let member = cx.member();
    let heard = member.hears();
    loop {
        // What an earlier run of `start` took is gone with it.
        member.set_hears(heard);
        match start(&service, &cx).await {
            Left::Ended(result) => {
                tell_ended(result, &cx);
                if member.again().await {
                    continue;
                }
                run_stop(&service, &cx).await;
            }
            Left::ToRelease => run_stop(&service, &cx).await,
            Left::Nothing => {}
        }
        return;
    }
}

/// What is left to do when a `start` is over.
enum Left {
    /// It has ended by itself, like this.
    Ended(Result<(), BoxError>),
    /// It has stopped, and its `stop` has yet to run.
    ToRelease,
    Nothing,
}

/// Runs `start` until it ends or has stopped. It is dropped by then.
async fn start(service: &Arc<dyn DynService>, cx: &Context) -> Left {
    let mut start = pin!(caught(work(Arc::clone(service), cx.clone())));
    if let Some(result) = until_ended_or_stop(start.as_mut(), cx).await {
        Left::Ended(result)
    } else if cx.member().spec.is_dropped_at_once() {
        Left::Nothing
    } else if cx.member().hears() {
        tell_failed(flatten(start.await), cx);
        Left::ToRelease
    } else {
        stop_deaf(start, service, cx).await
    }
}

/// Runs `start` and what it spawns: the service has ended when all of it has, and it has failed
/// when any of it has.
async fn work(service: Arc<dyn DynService>, cx: Context) -> Result<(), BoxError> {
    let mut start = service.start(cx.clone());
    let result = poll_fn(|task| {
        let ended = start.as_mut().poll(task);
        // Once it is asked to stop, what has not failed may still finish.
        let gives_up = ended.is_pending() && cx.member().has_failed_children() && !cx.member().stop.has_come();
        if gives_up { Poll::Ready(Ok(())) } else { ended }
    })
    .await;
    drop(start);
    match cx.member().children() {
        // Apart, because few services spawn, and all would have to have room for it.
        Some(children) => Box::pin(wind_up(children, result, cx)).await,
        None => result,
    }
}

/// Waits for what a service has spawned, once its `start` is over.
async fn wind_up(children: Arc<Children>, mut result: Result<(), BoxError>, cx: Context) -> Result<(), BoxError> {
    let member = cx.member();
    let mut failures = children.take_failures();
    if !(result.is_ok() && failures.is_empty() || member.stop.has_come()) {
        children.abort();
    }
    let mut ended = pin!(children.ended());
    poll_fn(|task| {
        // The others would go on without one that has failed.
        if member.has_failed_children() && !member.stop.has_come() {
            children.abort();
        }
        ended.as_mut().poll(task)
    })
    .await;
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
    let made = match factory {
        _ if cx.member().stop.has_come() => return None,
        Factory::Made(service) => Ok(service),
        Factory::Make(make) => {
            let mut making = pin!(caught(async { make(cx.clone()).await }));
            let unless_stopped = poll_fn(|task| {
                if cx.member().stop.has_come() { Poll::Ready(None) } else { making.as_mut().poll(task).map(Some) }
            });
            flatten(unless_stopped.await?)
        }
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
async fn until_ended_or_stop(
    mut start: Pin<&mut impl Future<Output = Started>>,
    cx: &Context,
) -> Option<Result<(), BoxError>> {
    let mut holds = None;
    let mut settled = false;
    poll_fn(|task| {
        let ended = start.as_mut().poll(task).map(flatten);
        // Once it is asked to stop, it need not become ready any more.
        if ended.is_pending() && cx.member().stop.has_come() {
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
/// nothing can tell it, so `start` is dropped.
async fn stop_deaf(
    mut start: Pin<&mut impl Future<Output = Started>>,
    service: &Arc<dyn DynService>,
    cx: &Context,
) -> Left {
    let mut stop = pin!(async {
        if let Some(children) = cx.member().children() {
            // Apart, because few services tick, and all would have to have room for it.
            Box::pin(finish_tickers(children, cx)).await;
        }
        caught(Arc::clone(service).stop()).await
    });
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
        Ok(None) => {}
        Ok(Some(result)) => {
            tell_failed(result, cx);
            if !ended {
                tell_failed(flatten(start.await), cx);
            }
        }
        Err(panicked) => cx.tell(News::Failed(panicked)),
    }
    Left::Nothing
}

/// Before `stop`, which may close what they use.
async fn finish_tickers(children: Arc<Children>, cx: &Context) {
    children.tickers_ended().await;
    children.take_failures().into_iter().for_each(|error| cx.tell(News::Failed(error)));
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
