//! The facade under other names.

extern crate group as extern_name;

mod inner {
    pub use group as used_name;
}

use inner::used_name;

#[derive(Default)]
struct Morning;

#[extern_name::service(crate = extern_name)]
impl Morning {
    async fn start(&self) {}
}

#[derive(Default)]
struct Evening;

#[used_name::service(crate = crate::inner::used_name, http = "127.0.0.1:0")]
impl Evening {
    #[get("/")]
    async fn index(&self) {}

    async fn start(&self, handle: used_name::Handle) {
        handle.stop();
    }
}

#[used_name::main(crate = self::inner::used_name)]
async fn main() {}
