//! No `main` is missed where `#[group::main]` stands on something else.

#[group::main]
struct App;

fn uses() -> App {
    App
}
