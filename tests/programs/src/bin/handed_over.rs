//! Listens on what is handed over to it, as `web` unless `GROUP_WEB__HTTP` says otherwise.

use group::service;

#[derive(Default)]
struct Web;

#[service(http = "fd:web")]
impl Web {
    /// Which process answers.
    #[get("/process")]
    async fn process(&self) -> String {
        std::process::id().to_string()
    }

    /// Answers when all of the request has come.
    #[post("/echo")]
    async fn echo(&self, said: String) -> String {
        said
    }
}

#[derive(Default)]
struct Other;

#[service(http = "127.0.0.1:0", after(Web))]
impl Other {
    #[get("/")]
    async fn index(&self) {}
}

#[group::main]
async fn main() {}
