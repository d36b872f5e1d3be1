#!/usr/bin/env bash
# Server: hypercorn 0.18.0 (Python), with two worker processes.
#
# Guessed: SIGTERM lets a request in flight finish, for as long as `--graceful-timeout` says, with one worker as with two.
#
# Seen: with one worker it does. With two, the main process ends its workers at once, whatever the timeout: the connection
# is closed without an answer, and the exit code is 0.
#
#   1 worker:  answered, exit code 0
#   2 workers: closed without an answer, exit code 0
#
# This script fails once that has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip --quiet install hypercorn==0.18.0

cat >app.py <<'PYTHON'
import asyncio


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            event = (await receive())["type"]
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return
    await asyncio.sleep(2 if scope["path"] == "/slow" else 0)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"done"})
PYTHON

cat >trial.py <<'PYTHON'
import signal
import socket
import subprocess
import time


def connected(port):
    for _ in range(400):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=30)
        except OSError:
            time.sleep(0.05)
    raise TimeoutError


def ask(client, path):
    client.sendall(f"GET {path} HTTP/1.1\r\nhost: a\r\n\r\n".encode())


def answer(client):
    text = b""
    while b"done" not in text:
        piece = client.recv(1000)
        if not piece:
            return "closed without an answer"
        text += piece
    return "answered"


for workers in (1, 2):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        ["env/bin/hypercorn", "--bind", f"127.0.0.1:{port}", "--workers", str(workers), "--graceful-timeout", "20", "app:app"],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    client = connected(port)
    ask(client, "/")
    assert answer(client) == "answered"
    ask(client, "/slow")
    time.sleep(0.5)
    server.send_signal(signal.SIGTERM)
    got = answer(client)
    print(f"{workers} worker{'s:' if workers > 1 else ': '} {got}, exit code {server.wait(30)}")
PYTHON

seen=$(env/bin/python trial.py)
expected='1 worker:  answered, exit code 0
2 workers: closed without an answer, exit code 0'
echo "$seen"
if [ "$seen" != "$expected" ]; then
    echo "hypercorn behaves otherwise than written here" >&2
    exit 1
fi
