//! A `reload` that takes the new settings, in its forms.

use group::{Config, service};

#[derive(serde::Deserialize)]
struct Settings;

struct Async;

#[service(register = false)]
impl Async {
    async fn start(&self) {}

    async fn reload(&self, Config(Settings): Config<Settings>) -> std::io::Result<()> {
        Ok(())
    }
}

struct Plain;

#[service(register = false)]
impl Plain {
    fn start(&self) {}

    #[cfg(any())]
    fn reload(&self) {}

    #[cfg(all())]
    fn reload(&self, first: Config<Settings>, second: Config<Settings>) {
        let _ = (first, second);
    }
}

fn main() {}
