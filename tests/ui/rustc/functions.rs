//! Functions that cannot be services.

use std::rc::Rc;

use group::{Group, Shutdown};

async fn takes_a_number(_: u16) {}

async fn returns_a_number() -> u8 {
    3
}

async fn takes_five(_: Shutdown, _: Shutdown, _: Shutdown, _: Shutdown, _: Shutdown) {}

fn is_not_async(_: Shutdown) {}

async fn is_not_send(shutdown: Shutdown) {
    let count = Rc::new(1);
    shutdown.requested().await;
    drop(count);
}

fn main() {
    let mut group = Group::new();
    group.add_fn("a", takes_a_number);
    group.add_fn("b", returns_a_number);
    group.add_fn("c", takes_five);
    group.add_fn("d", is_not_async);
    group.add_fn("e", is_not_send);
    group.add_fn("f", |_: u16| async {});
    group.add_fn("g", async {});
    group.add_restartable_fn("h", |_: u16| async {});
}
