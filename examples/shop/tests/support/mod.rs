//! The shop as its customers see it, and a broker that is not ours.

#![allow(missing_docs, reason = "they are for the tests beside")]

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use programs::Program;
use reqwest::StatusCode;
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use rusqlite::{Connection, OpenFlags};

/// Starts the shop on its database in this folder. `BROKER_URL` says where the broker is, if it is not
/// the shop's own.
pub(crate) fn shop(folder: &Path, env: &[(&str, &str)]) -> Shop {
    let mut all = vec![
        ("GROUP_GATEWAY__HTTP", "127.0.0.1:0"),
        ("GROUP_INVENTORY__GRPC", "127.0.0.1:0"),
        ("GROUP_ADMIN", "127.0.0.1:0"),
        // It tells of each connection.
        ("RUST_LOG", "info,rumqttd=off"),
    ];
    all.extend(env);
    let folder = folder.to_str().expect("is text");
    Shop { program: Program::start_in(folder, env!("CARGO_BIN_EXE_shop"), &[], &all) }
}

pub(crate) struct Shop {
    pub(crate) program: Program,
}

impl Shop {
    /// Waits until it is open, and returns its address.
    pub(crate) fn opens(&mut self) -> String {
        let address = self.program.address_of("gateway");
        self.program.logs("services are ready");
        format!("http://{address}")
    }
}

/// Sends an order.
pub(crate) async fn order(client: &reqwest::Client, shop: &str, id: &str, what: &str) -> reqwest::Result<StatusCode> {
    let request = client.put(format!("{shop}/orders/{id}")).header("content-type", "application/json");
    let response = request.body(what.to_owned()).send().await?;
    let status = response.status();
    // The answer is there when all of it is.
    response.bytes().await?;
    Ok(status)
}

/// The shop's database in this folder, to look at.
pub(crate) fn database(folder: &Path) -> Connection {
    Connection::open_with_flags(folder.join("shop.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).expect("it is there")
}

pub(crate) fn ask(database: &Connection, question: &str) -> i64 {
    database.query_row(question, [], |row| row.get(0)).expect("is a number")
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(50), "not within 50 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// mosquitto, on a port of its own, with what it keeps in a folder of its own.
pub(crate) struct Mosquitto {
    process: Child,
    /// Removed when it has ended.
    _folder: tempfile::TempDir,
    port: u16,
}

impl Mosquitto {
    /// `None`, and loudly so, where it is not installed; in CI that is a failure.
    pub(crate) fn start() -> Option<Self> {
        let folder = tempfile::tempdir().expect("there is room");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port is free").port();
        let settings = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n\
             max_inflight_messages 0\npersistence true\npersistence_location {}/\n",
            folder.path().display()
        );
        std::fs::write(folder.path().join("mosquitto.conf"), settings).expect("there is room");
        match spawn(folder.path()) {
            Ok(process) => {
                let mosquitto = Self { process, _folder: folder, port };
                mosquitto.listens();
                Some(mosquitto)
            }
            Err(error) if std::env::var_os("CI").is_some() => panic!("mosquitto: {error}"),
            Err(error) => {
                eprintln!("SKIPPED, for there is no mosquitto: {error}. On Debian: apt-get install mosquitto");
                None
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Sends these to the shop, and waits until the broker has them.
    pub(crate) async fn has(&self, messages: &[String]) {
        let options = MqttOptions::new("test", "127.0.0.1", self.port);
        let (client, mut events) = AsyncClient::new(options, messages.len());
        for message in messages {
            client.try_publish("orders", QoS::AtLeastOnce, false, message.as_str()).expect("there is room");
        }
        let mut acknowledged = 0;
        while acknowledged < messages.len() {
            let event = events.poll().await.expect("it is there");
            acknowledged += usize::from(matches!(event, Event::Incoming(Packet::PubAck(_))));
        }
    }

    fn listens(&self) {
        until("mosquitto listens", || TcpStream::connect(("127.0.0.1", self.port)).is_ok());
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(folder: &Path) -> std::io::Result<Child> {
    let path = std::env::var("PATH").unwrap_or_default();
    Command::new("mosquitto")
        .arg("-c")
        .arg(folder.join("mosquitto.conf"))
        // Where Debian has it, which is not on everybody's path.
        .env("PATH", format!("{path}:/usr/sbin"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}
