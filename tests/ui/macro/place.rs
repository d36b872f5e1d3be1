//! `#[service]` on what is no block of a type's own methods.

use group::service;

#[service]
pub struct Morning;

#[service]
enum Time {
    Evening,
}

#[service(name = "morning")]
async fn morning() {}

#[service]
pub(crate) const fn evening() {}

#[service]
pub unsafe trait Start {
    fn start(&self);
}

#[service]
mod services {}

#[service]
const NOON: u8 = 12;

struct Noon;

#[service]
unsafe impl Start for Noon {
    fn start(&self) {}
}

struct ByHand;

#[service]
impl group::Service for ByHand {
    async fn start(self: std::sync::Arc<Self>, _: group::Context) -> Result<(), group::BoxError> {
        Ok(())
    }
}

trait Object {}

#[service]
impl dyn Object {
    async fn start(&self) {}
}

#[service]
impl (u8, u8) {
    async fn start(&self) {}
}

#[service]
impl [u8] {
    async fn start(&self) {}
}

#[derive(Default)]
struct Twice;

#[service(name = "twice")]
#[service]
impl Twice {
    async fn start(&self) {}
}

#[derive(Default)]
struct Thrice;

#[group::service]
#[group::service]
#[service(name = "3", bogus)]
impl Thrice {
    async fn start(&self) {}
}

fn uses() {
    group::Group::new().add(ByHand).add_type::<Twice>().add_type::<Thrice>();
    let _ = (Morning, Time::Evening, morning, evening, NOON);
    Noon.start();
}

fn main() {}
