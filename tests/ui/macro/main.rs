//! `#[group::main]` on what is no `async fn main`, and with arguments that do not fit.

use group::service;

#[derive(Default)]
struct A;

#[service]
impl A {
    async fn start(&self) {}
}

mod not_async {
    #[group::main]
    pub fn main() {}
}

mod two_runtimes {
    #[group::main]
    #[tokio::main]
    async fn main() {}
}

mod two_runtimes_above {
    #[tokio::main]
    #[group::main]
    async fn main() {
        println!("twice");
    }
}

mod other_name {
    #[group::main]
    async fn run() {}

    fn uses() {
        let _ = run();
    }
}

mod two_parameters {
    #[group::main]
    async fn main(group: &mut group::Group, _args: Vec<String>) {
        group.is_empty();
    }
}

mod generic {
    #[group::main]
    async fn main<T>() {}
}

mod receiver {
    #[group::main]
    async fn main(&self) {}
}

mod not_a_function {
    #[group::main]
    pub(crate) struct App;

    fn uses() -> App {
        App
    }
}

mod nothing_to_run {
    #[group::main(services())]
    async fn main() {}
}

mod twice {
    use super::A;

    #[group::main(services(A, A), stop_timeot = "3s")]
    async fn main() {}
}

mod generic_twice {
    #[derive(Default)]
    struct Cache<K, V>(K, V);

    #[group::service(register = false)]
    impl<K: Default, V: Default> Cache<K, V> {
        async fn start(&self) {}
    }

    #[group::main(services(Cache<u8, Vec<u8>>, Cache<u8, Vec<u8>>))]
    async fn main() {}
}

mod no_list {
    #[group::main(services = "A")]
    async fn main() {}
}

mod no_threads {
    #[group::main(flavor = "current_thread", worker_threads = 4)]
    async fn main() {}
}

mod all_at_once {
    #[group::main(services(), flavour = "current_thread", worker_threads = 0, stop_timeout = "soon", crate = 3)]
    fn run(_a: u8, _b: u8) {}
}

mod no_flavor {
    #[group::main(flavor = "vanilla", worker_threads = many)]
    async fn main() {}
}

mod no_delay {
    #[group::main(drain_delay = 5)]
    async fn main() {}
}

mod no_crates {
    #[group::main(crates())]
    async fn main() {}
}

mod no_names {
    #[group::main(crates(3, "billing", billing::Ledger, crate, core, std, core))]
    async fn main() {}
}

mod no_list_of_crates {
    #[group::main(crates = billing)]
    async fn main() {}
}

mod array {
    #[group::main(services = [A], schedule = "parallel", stop_timeout = "25")]
    async fn main() {}
}

mod listed_and_named {
    use super::A;

    #[group::main(services(A), crates(core))]
    async fn main() {}
}

mod admin_nowhere {
    #[group::main(admin)]
    async fn main() {}
}

mod admin_without_a_port {
    #[group::main(admin = "localhost")]
    async fn main() {}
}

fn main() {}
