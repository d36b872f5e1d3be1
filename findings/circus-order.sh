#!/usr/bin/env bash
# Supervisor: circus 0.19.0 (Python), with three watchers that have a `priority`.
#
# Guessed: a watcher of lower priority is started later, and stopped earlier: the stop goes the way back, one after the
# other, each within its `graceful_timeout`.
#
# Seen: on SIGTERM, all watchers are told at the same moment, also the one that all
# others need, which they then miss while they drain.
#
#   asked to stop before any of them has ended: 3 of 3
#   exit code 0
#
# This script fails once that has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip --quiet install circus==0.19.0

cat >program.py <<'PYTHON'
import signal
import sys
import time

asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(True))


def say(word):
    with open("said", "a") as file:
        file.write(f"{sys.argv[1]} {word}\n")


say("up")
while not asked:
    time.sleep(0.02)
say("asked")
time.sleep(1)
say("ends")
PYTHON

cat >circus.ini <<CONF
[circus]
endpoint = ipc://$work/endpoint
pubsub_endpoint = ipc://$work/pubsub
$(
    for watcher in database:3 worker:2 web:1; do
        printf '[watcher:%s]\ncmd = %s program.py %s\nworking_dir = %s\npriority = %s\ngraceful_timeout = 10\n' \
            "${watcher%:*}" "$work/env/bin/python" "${watcher%:*}" "$work" "${watcher#*:}"
    done
)
CONF

env/bin/circusd circus.ini >/dev/null 2>&1 &
circus=$!
until [ "$(grep -c up said 2>/dev/null)" = 3 ]; do sleep 0.1; done
kill "$circus"
code=0
wait "$circus" || code=$?
seen="asked to stop before any of them has ended: $(sed '/ends/,$d' said | grep -c asked) of 3
exit code $code"
expected='asked to stop before any of them has ended: 3 of 3
exit code 0'
echo "$seen"
if [ "$seen" != "$expected" ]; then
    echo "circus behaves otherwise than written here" >&2
    exit 1
fi
