#!/usr/bin/env bash
# Library: sd-notify 0.5.0, on Linux.
#
# Expected: sd_notify(3) takes a NOTIFY_SOCKET that begins with `@` for the name of an abstract socket. So do systemd's own
# library and `libsystemd`.
#
# Seen: sd-notify takes it for a path. `notify` returns an error, and nothing is sent:
#
#   path:     Ok(()), received "READY=1\n"
#   abstract: Err(Os { code: 2, kind: NotFound, message: "No such file or directory" }), received nothing
#
# So the socket of `group` is its own. This script fails once that has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"

cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"

[dependencies]
sd-notify = "=0.5.0"

[workspace]
TOML

cat >"$work/src/main.rs" <<'RUST'
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;

/// Says READY in a child process with this address, and shows what comes of it.
fn tell(kind: &str, manager: &UnixDatagram, address: &str) {
    let own = std::env::current_exe().unwrap();
    let child = Command::new(own).arg("child").env("NOTIFY_SOCKET", address).output().unwrap();
    let mut datagram = [0; 64];
    let received = match manager.recv(&mut datagram) {
        Ok(length) => format!("{:?}", str::from_utf8(&datagram[..length]).unwrap()),
        Err(_) => "nothing".to_owned(),
    };
    println!("{:9} {}, received {received}", format!("{kind}:"), String::from_utf8(child.stdout).unwrap());
}

fn main() {
    if std::env::args().nth(1).is_some() {
        print!("{:?}", sd_notify::notify(&[sd_notify::NotifyState::Ready]));
        return;
    }
    let path = std::env::current_dir().unwrap().join("socket");
    let at_path = UnixDatagram::bind(&path).unwrap();
    let name = format!("finding-{}", std::process::id());
    let at_name = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    for socket in [&at_path, &at_name] {
        socket.set_nonblocking(true).unwrap();
    }
    tell("path", &at_path, path.to_str().unwrap());
    tell("abstract", &at_name, &format!("@{name}"));
}
RUST

cd "$work"
seen=$(CARGO_TARGET_DIR="$work/target" cargo run --quiet)
expected='path:     Ok(()), received "READY=1\n"
abstract: Err(Os { code: 2, kind: NotFound, message: "No such file or directory" }), received nothing'
echo "$seen"
if [ "$seen" != "$expected" ]; then
    echo "sd-notify behaves otherwise than written here" >&2
    exit 1
fi
