//! Connections on which nothing has come for a while, so that the server has dropped all but the socket. Real sockets and
//! real silences.

use std::time::Duration;

use group::axum::Router;
use group::axum::body::{Body, to_bytes};
use group::axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::support::{in_time, web};

/// Longer than a connection is kept as it is without a request.
const A_SILENCE: Duration = Duration::from_millis(60);

/// Reads until this text has come, and returns everything.
async fn read_until(client: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let mut buffer = [0; 1024];
        let read = in_time(client.read(&mut buffer)).await.expect("it is open");
        assert_ne!(read, 0, "closed after: {text}");
        text.push_str(str::from_utf8(&buffer[..read]).unwrap());
    }
    text
}

#[tokio::test]
async fn one_goes_on_in_the_middle_of_a_head() {
    let routes = Router::new().route("/", get(|| async { "served" }));
    let running = web(routes).start().await.unwrap();
    let mut client = TcpStream::connect(running.local_addr("web").unwrap()).await.unwrap();
    let head = b"GET / HTTP/1.1\r\nhost: test\r\n\r\n";
    for half in (1..head.len()).step_by(4) {
        // A whole request, and a part of the next one, which comes after a silence.
        client.write_all(&[head, &head[..half]].concat()).await.unwrap();
        let mut answers = read_until(&mut client, "served").await;
        sleep(A_SILENCE).await;
        client.write_all(&head[half..]).await.unwrap();
        answers += &read_until(&mut client, "served").await;
        assert_eq!(answers.matches("200 OK").count(), 2, "{answers}");
        sleep(A_SILENCE).await;
    }
    drop(client);
    assert!(running.stop().await.is_clean());
}

/// Bytes of a body that its reader has not read to the end are never taken for a request.
#[tokio::test]
async fn one_in_the_middle_of_a_body_is_left_as_it_is() {
    const SECOND: &[u8] = b"GET / HTTP/1.1\r\nhost: test\r\n\r\n";
    let early = post(|body: Body| async {
        tokio::spawn(to_bytes(body, 100));
        "served"
    });
    let running = web(Router::new().route("/", early.get(|| async { "a request" }))).start().await.unwrap();
    let mut client = TcpStream::connect(running.local_addr("web").unwrap()).await.unwrap();
    let head = format!("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n", SECOND.len() + 1);
    client.write_all(&[head.as_bytes(), b"!"].concat()).await.unwrap();
    read_until(&mut client, "served").await;
    sleep(A_SILENCE).await;
    client.write_all(SECOND).await.unwrap();
    let answer = timeout(A_SILENCE, client.read(&mut [0; 1024])).await;
    assert!(!matches!(answer, Ok(Ok(1..))), "{answer:?}");
    drop(client);
    assert!(running.stop().await.is_clean());
}
