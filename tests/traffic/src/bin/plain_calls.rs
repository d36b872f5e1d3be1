//! Answers the calls with plain tonic, and its graceful shutdown on SIGTERM. The handlers hear of it, too.

use std::error::Error;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use traffic::calls::Calls;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(traffic::address()).await?;
    eprintln!("web is ready on grpc://{} (plain tonic)", listener.local_addr()?);
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        terminate.recv().await;
        asked.cancel();
    });
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = Server::builder().add_service(Calls::until(stop.clone()));
    server.serve_with_incoming_shutdown(incoming, stop.cancelled_owned()).await?;
    println!("taken {}", traffic::taken());
    Ok(())
}
