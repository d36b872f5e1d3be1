//! A program whose shop is a group inside of its own.

use group::{Config, Group, Handle, Shutdown, service};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Ends {
    WhenAsked,
    ByItself,
    Never,
}

#[derive(Deserialize)]
struct Settings {
    ends: Ends,
}

struct Ledger(Ends);

#[service(register = false)]
impl Ledger {
    fn new(config: Config<Settings>) -> Self {
        Self(config.0.ends)
    }

    async fn start(&self, shutdown: Shutdown, group: Handle) -> Result<(), &'static str> {
        match self.0 {
            Ends::WhenAsked => shutdown.requested().await,
            Ends::ByItself => {
                while !group.status().is_ready() {
                    tokio::task::yield_now().await;
                }
                return Err("no such file");
            }
            Ends::Never => std::future::pending().await,
        }
        println!("ledger ends");
        Ok(())
    }
}

#[derive(Default)]
struct Web;

#[service(register = false, http = "127.0.0.1:0")]
impl Web {
    #[get("/slow")]
    async fn slow(&self, shutdown: Shutdown) -> &'static str {
        println!("asked");
        shutdown.requested().await;
        "answered"
    }
}

#[group::main]
async fn main(group: &mut Group) {
    let mut shop = Group::new();
    shop.add_type::<Ledger>().add(Web);
    group.add_group("shop", shop);
}
