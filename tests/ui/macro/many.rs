//! All the mistakes of a block are reported at once, and nothing else is.

use group::service;

#[derive(Default)]
struct Morning;

#[service(nmae = "morning", stop_timeout = 10, stop_timeout = "10s", role = "cron")]
#[service]
impl Morning {
    fn new(&self) -> Self {
        Morning
    }

    async fn start<T>(&mut self) {}

    async fn stop(self, _now: bool) {}

    #[get("morning")]
    async fn morning(&self) -> &'static str {
        self.greeting()
    }

    #[get("/evening/:id")]
    async fn evening(&mut self) {}

    fn greeting(&self) -> &'static str {
        "morning!"
    }
}

#[derive(Default)]
struct Evening;

#[service(after(Morning))]
impl Evening {
    async fn start(&self, morning: std::sync::Arc<Morning>) {
        morning.greeting();
    }
}

fn uses() {
    group::Group::new().add_type::<Morning>().add_type::<Evening>();
}

fn main() {}
