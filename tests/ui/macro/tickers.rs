//! Methods that tick.

use group::{Shutdown, service};

#[derive(Default)]
struct Clock;

#[service]
impl Clock {
    #[every]
    async fn bare(&self) {}

    #[every()]
    async fn empty(&self) {}

    #[every(30)]
    async fn number(&self) {}

    #[every("soon")]
    async fn word(&self) {}

    #[every("30 parsecs")]
    async fn unit(&self) {}

    #[every(30s)]
    async fn unquoted(&self) {}

    #[every(seconds = 30)]
    async fn named(&self) {}

    #[every("30s", "1m")]
    async fn two(&self) {}

    #[every("0s")]
    async fn zero(&self) {}

    #[every("1s")]
    async fn takes(&self, shutdown: Shutdown) {}

    #[every("1s")]
    async fn alone() {}

    #[every("1s")]
    async fn generic<T>(&self) {}

    #[every("1s")]
    #[cron("0 3 * * *")]
    async fn twice(&self) {}

    #[cron]
    async fn no_expression(&self) {}

    #[cron("0 3 * * *", "UTC")]
    async fn no_key(&self) {}

    #[cron("0 3 * * *", zone = "UTC")]
    async fn wrong_key(&self) {}

    #[cron("0 3 * * *", tz = 1)]
    async fn no_text(&self) {}

    #[every("1s", on_error = "ignore")]
    async fn no_reaction(&self) {}

    #[cron("0 3 * * *", on_err = "log")]
    async fn nearly(&self) {}

    #[every("1s")]
    async fn stop(&self) {}
}

#[derive(Default)]
struct Web;

#[service(http = "127.0.0.1:0")]
impl Web {
    #[get("/")]
    #[every("1s")]
    async fn both(&self) {}
}

#[derive(Default)]
struct Done;

#[service(role = "once")]
impl Done {
    #[every("1s")]
    async fn tick(&self) {}
}

#[group::main(services(Clock, Web, Done))]
async fn main() {}
