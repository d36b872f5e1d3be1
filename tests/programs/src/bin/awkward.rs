//! `awkward <how>`: a service fails, with an error whose own code does what it should not, while another runs.
//!
//! - `logs`: its text is logged with a line of its own
//! - `panics`: its text panics
//! - `fails`: its text cannot be written
//! - `panics-late`: its text panics in the middle
//! - `source`: its `source` panics
//! - `circle`: it is its own source
//! - `drop`: its destructor panics

use std::error::Error;
use std::fmt;
use std::time::Duration;

use group::{Group, Shutdown, service};

#[derive(Default)]
struct Bystander;

#[service]
impl Bystander {
    async fn start(&self, shutdown: Shutdown) {
        shutdown.requested().await;
    }

    async fn stop(&self) {
        println!("stops");
    }
}

#[derive(Debug)]
struct Awkward(String);

impl fmt::Display for Awkward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            "logs" => tracing::info!("is asked for its text"),
            "panics" => panic!("no text"),
            "fails" => return Err(fmt::Error),
            "panics-late" => {
                f.write_str("half of ")?;
                panic!("no more text");
            }
            _ => {}
        }
        f.write_str("the text")
    }
}

impl Error for Awkward {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.0 {
            "source" => panic!("no source"),
            "circle" => Some(self),
            _ => None,
        }
    }
}

impl Drop for Awkward {
    fn drop(&mut self) {
        assert!(self.0 != "drop", "no end");
    }
}

#[group::main(cli = false)]
async fn main(group: &mut Group) {
    group.add_fn("fails", || async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Err::<(), _>(Awkward(std::env::args().nth(1).unwrap_or_default()))
    });
}
