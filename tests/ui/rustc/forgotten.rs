//! What newcomers forget: an import, `async`, `#[service]` itself.

#[derive(Default)]
struct Morning;

#[service]
impl Morning {
    async fn start(&self) {}
}

#[derive(Default)]
struct Noon;

impl Noon {
    #[get("/")]
    async fn index(&self) {}

    #[every("1s")]
    async fn tick(&self) {}
}

#[get("/")]
async fn index() {}

fn main() {}
