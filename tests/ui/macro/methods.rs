//! Methods that the group cannot call.

use group::service;

#[derive(Default)]
struct NoReceiver;

#[service]
impl NoReceiver {
    async fn start() {}
    fn stop() {}
}

#[derive(Default)]
struct Exclusive;

#[service]
impl Exclusive {
    async fn start(&mut self) {}
    async fn stop(&mut self) {}
}

#[derive(Default)]
struct ByValue;

#[service]
impl ByValue {
    async fn start(self: std::rc::Rc<Self>) {}
    async fn stop(self) {}
    async fn health(self: std::sync::Arc<Self>) {}
}

#[derive(Default)]
struct Generic;

#[service]
impl Generic {
    async fn start<T>(&self, _port: impl Into<String>) {}
    fn stop<const N: usize>(&self) {}
}

struct GenericNew;

#[service]
impl GenericNew {
    fn new<T: Default>() -> Self {
        GenericNew
    }

    async fn start(&self) {}
}

struct NewOfSelf;

#[service]
impl NewOfSelf {
    async fn new(&self) -> Self {
        NewOfSelf
    }

    async fn start(&self) {}
}

struct NewHidden;

#[service]
impl NewHidden {
    fn new() -> Result<Self, impl std::fmt::Display> {
        Err::<Self, _>("no")
    }

    async fn start(&self) {}
}

struct NewOfNothing;

#[service]
impl NewOfNothing {
    fn new() {}

    async fn start(&self) {}
}

#[derive(Default)]
struct Hidden;

#[service]
impl Hidden {
    fn start(&self) -> impl Future<Output = ()> {
        async {}
    }

    fn stop(&self) -> impl Future<Output = ()> {
        async {}
    }
}

#[derive(Default)]
struct Boxed;

#[service]
impl Boxed {
    fn start(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {})
    }
}

#[derive(Default)]
struct Conditional;

#[service(http = "127.0.0.1:0")]
impl Conditional {
    async fn start(&self, #[cfg(any())] _port: u8, #[cfg(all())] _shutdown: group::Shutdown) {}

    #[get("/")]
    async fn index(&self, #[cfg(any())] _port: u8, #[cfg_attr(all(), allow(unused))] body: String) {}
}

#[derive(Default)]
struct Unsafe;

#[service]
impl Unsafe {
    async unsafe fn start(&self) {}
    unsafe fn stop(&self) {}
}

#[derive(Default)]
struct StopTakes;

#[service]
impl StopTakes {
    async fn start(&self) {}
    async fn stop(&self, _shutdown: group::Shutdown, _limit: u8) {}
}

#[derive(Default)]
struct Static;

#[service]
impl Static {
    async fn start(&'static self) {}
    async fn stop(&'static self) {}
}

fn uses() {
    group::Group::new()
        .add_type::<NoReceiver>()
        .add_type::<Exclusive>()
        .add_type::<ByValue>()
        .add_type::<Generic>()
        .add_type::<GenericNew>()
        .add_type::<NewOfSelf>()
        .add_type::<NewHidden>()
        .add_type::<NewOfNothing>()
        .add_type::<Hidden>()
        .add_type::<Boxed>()
        .add_type::<Conditional>()
        .add_type::<Unsafe>()
        .add_type::<StopTakes>()
        .add_type::<Static>();
}

fn main() {}
