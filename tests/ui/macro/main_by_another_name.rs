//! No `main` is missed where `#[group::main]` stands on a function of another name.

#[group::main]
async fn run() {
    helper();
}

fn helper() {}
