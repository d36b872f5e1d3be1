//! The smallest program.

#[derive(Default)]
struct Morning;

#[group::service]
impl Morning {
    async fn start(&self) {}
}

#[group::main]
async fn main() {}
