//! What `main` takes and returns, and what the group is of.

use group::service;

struct Cache<T>(T);

#[service(register = false)]
impl<T: Send + Sync + 'static> Cache<T> {
    async fn start(&self) {
        let _ = &self.0;
    }
}

struct Plain;

mod parameter {
    #[group::main]
    async fn main(args: Vec<String>) {
        drop(args);
    }
}

mod owned {
    #[group::main]
    async fn main(group: group::Group) {
        drop(group);
    }
}

mod wrong_error {
    #[group::main]
    async fn main() -> Result<u8, String> {
        Ok(3)
    }
}

mod shared {
    #[group::main]
    async fn main(group: &group::Group) {
        let _ = group;
    }
}

mod result {
    #[group::main]
    async fn main() -> u8 {
        3
    }
}

mod boxed_error {
    #[group::main]
    async fn main() -> Result<(), Box<dyn std::error::Error>> {
        Ok(())
    }
}

mod no_service {
    use super::Plain;

    #[group::main(services(Plain))]
    async fn main() {}
}

mod no_type {
    use super::Cache;

    #[group::main(services(Cache))]
    async fn main() {}
}

fn main() {}
