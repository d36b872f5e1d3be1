//! Two servers by hand, each ready before the next, stopped in reverse.

use std::io;

use benches::servers::{addresses, serve_on, terminated};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> io::Result<()> {
    let mut servers = Vec::new();
    for address in addresses() {
        let (listener, token) = (TcpListener::bind(address).await?, CancellationToken::new());
        servers.push((tokio::spawn(serve_on(listener, token.clone().cancelled_owned())), token));
    }
    terminated().await;
    while let Some((server, token)) = servers.pop() {
        token.cancel();
        server.await??;
    }
    Ok(())
}
