//! Serves the routes with plain axum, and its graceful shutdown on SIGTERM.

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(traffic::address()).await?;
    eprintln!("web is ready on http://{} (plain axum)", listener.local_addr()?);
    let stop = async move {
        terminate.recv().await;
    };
    axum::serve(listener, traffic::routes()).with_graceful_shutdown(stop).await?;
    println!("taken {}", traffic::taken());
    Ok(())
}
