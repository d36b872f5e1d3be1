#!/usr/bin/env bash
# Server: `http` of Node 20.20.2.
#
# Guessed: `server.close()`, which closes idle connections since Node 19, closes one on which nothing was ever sent, too.
#
# Seen: it closes one that is idle after an answer, and waits for the silent one, as does `server.closeIdleConnections()`.
# Browsers and load balancers open such connections in advance, so a process that ends after `close()` stays until they
# close them, or until the supervisor's patience is over.
#
#   answered before: closed
#   silent:          open 5 s later
#   the server ends once the silent client has closed, with 0
#
# This script fails once that has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund node@20.20.2 >/dev/null

cat >server.js <<'JS'
const server = require('http').createServer((request, response) => response.end('done'));
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.on('SIGTERM', () => {
  server.close();
  server.closeIdleConnections();
});
JS

cat >trial.py <<'PYTHON'
import signal
import socket
import subprocess

server = subprocess.Popen(["node_modules/.bin/node", "server.js"], stdout=subprocess.PIPE, text=True)
port = int(server.stdout.readline())
silent = socket.create_connection(("127.0.0.1", port), timeout=5)
idle = socket.create_connection(("127.0.0.1", port), timeout=5)
idle.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
text = b""
while not text.endswith(b"done"):
    text += idle.recv(1000)


def state(client):
    try:
        return "closed" if client.recv(1) == b"" else "talks"
    except TimeoutError:
        return "open 5 s later"


server.send_signal(signal.SIGTERM)
print(f"answered before: {state(idle)}")
print(f"silent:          {state(silent)}")
silent.close()
print(f"the server ends once the silent client has closed, with {server.wait(30)}")
PYTHON

seen=$(python3 trial.py)
expected='answered before: closed
silent:          open 5 s later
the server ends once the silent client has closed, with 0'
echo "$seen"
if [ "$seen" != "$expected" ]; then
    echo "Node behaves otherwise than written here" >&2
    exit 1
fi
