//! Services that do nothing.

use group::service;

#[derive(Default)]
struct Nothing;

#[service]
impl Nothing {
    async fn stop(&self) {}
}

struct Empty;

#[service]
impl Empty {}

#[derive(Default)]
struct Strat;

#[service]
impl Strat {
    async fn strat(&self) {}
}

#[derive(Default)]
struct Run;

#[service]
impl Run {
    fn helper(&self) {}

    async fn run(&self) {}
}

#[derive(Default)]
struct Serve;

#[service]
impl Serve {
    async fn serve(&self) {}
}

#[derive(Default)]
struct Launch;

#[service]
impl Launch {
    async fn launch(&mut self) {}
}

#[derive(Default)]
struct OnStart;

#[service]
impl OnStart {
    async fn on_start(&self) {}
}

macro_rules! start {
    () => {
        async fn start(&self) {}
    };
}

#[derive(Default)]
struct Hidden;

#[service]
impl Hidden {
    start!();
}

fn uses() {
    group::Group::new()
        .add_type::<Nothing>()
        .add_type::<Empty>()
        .add_type::<Strat>()
        .add_type::<Run>()
        .add_type::<Serve>()
        .add_type::<Launch>()
        .add_type::<OnStart>()
        .add_type::<Hidden>();
}

fn main() {}
