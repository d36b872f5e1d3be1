#!/usr/bin/env bash
# Task queue: huey 3.5.4 (Python), with its queue in SQLite.
#
# Guessed: the consumer finishes the task in hand on SIGTERM, as it does on SIGINT, or leaves it in the queue.
#
# Seen: on SIGTERM, which is what systemd and Kubernetes send, it ends at once. The task was taken out of the queue when it
# was begun, and is lost. The exit code is 0. Only SIGINT is the graceful one.
#
#   TERM: begun, not done, 0 in the queue, exit code 0
#   INT:  begun, done, 0 in the queue, exit code 0
#
# This script fails once that has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip --quiet install huey==3.5.4

cat >tasks.py <<'PYTHON'
import pathlib
import time

from huey import SqliteHuey

queue = SqliteHuey(filename="queue.db")


@queue.task()
def work(name):
    pathlib.Path(f"{name}.begun").touch()
    time.sleep(2)
    pathlib.Path(f"{name}.done").touch()
PYTHON

cat >trial.py <<'PYTHON'
import pathlib
import signal
import subprocess
import time

import tasks

for name, number in (("TERM", signal.SIGTERM), ("INT", signal.SIGINT)):
    tasks.work(name)
    consumer = subprocess.Popen(
        ["env/bin/huey_consumer", "tasks.queue"], stderr=subprocess.DEVNULL, env={"PYTHONPATH": "."}
    )
    while not pathlib.Path(f"{name}.begun").exists():
        time.sleep(0.02)
    time.sleep(0.2)
    consumer.send_signal(number)
    code = consumer.wait(30)
    done = "done" if pathlib.Path(f"{name}.done").exists() else "not done"
    print(f"{name + ':':5} begun, {done}, {tasks.queue.pending_count()} in the queue, exit code {code}")
PYTHON

seen=$(env/bin/python trial.py)
expected='TERM: begun, not done, 0 in the queue, exit code 0
INT:  begun, done, 0 in the queue, exit code 0'
echo "$seen"
if [ "$seen" != "$expected" ]; then
    echo "huey behaves otherwise than written here" >&2
    exit 1
fi
