//! `#[group::test]` on what is no test of a group, and with arguments that do not fit.

use group::{Group, Running, service};

#[derive(Default)]
struct A;

#[service]
impl A {
    async fn start(&self) {}
}

#[group::test]
fn not_async(group: &mut Group) {
    group.is_empty();
}

#[group::test]
async fn no_parameter() {}

#[group::test]
async fn two_parameters(group: &mut Group, _running: Running) {
    group.is_empty();
}

#[group::test]
async fn generic<T>(_group: &mut Group) {}

#[group::test]
async fn receiver(&self) {}

#[group::test]
struct Test;

#[group::test]
#[tokio::test]
async fn two_runtimes(_group: &mut Group) {}

#[group::test]
#[group::test]
async fn twice(_group: &mut Group) {}

#[group::test]
#[test]
async fn test_of_nothing(_group: &mut Group) {}

#[group::test(services())]
async fn nothing_to_run(_running: Running) {}

#[group::test(services(A, A), pausd)]
async fn misspelt(_running: Running) {}

#[group::test(start_paused = true)]
async fn from_tokio(_running: Running) {}

#[group::test(paused = true)]
async fn paused_with_a_value(_running: Running) {}

#[group::test(paused, flavor = "multi_thread")]
async fn paused_on_many_threads(_running: Running) {}

#[group::test(worker_threads = 2)]
async fn no_flavor(_running: Running) {}

#[group::test(stop_timeout = "3s")]
async fn for_main_only(_running: Running) {}

#[group::test(config = 3)]
async fn no_text(_running: Running) {}

#[group::test(provide = 3)]
async fn no_list(_running: Running) {}

#[group::test(provide(), replace(let))]
async fn no_values(_running: Running) {}

fn main() {
    let _ = Test;
}
