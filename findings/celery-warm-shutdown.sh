#!/usr/bin/env bash
# Task queue: celery 5.7.0 (Python), one worker process, with a broker in the file system.
#
# Guessed: on SIGTERM ("warm shutdown") the worker finishes the task in hand, and gives back those that it has prefetched.
#
# Seen: it also runs what it has prefetched, and a task that it takes from the queue after the shutdown has begun. So the
# stop takes as long as three tasks, and a limit that is made for one of them kills the worker.
#
#   of 12 tasks, 1 in hand at SIGTERM: 3 done, 9 in the queue, exit code 0
#
# This script fails once that has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip --quiet install celery==5.7.0 kombu==5.7.0
mkdir queue processed

cat >tasks.py <<'PYTHON'
import pathlib
import time

import celery

folders = {"data_folder_in": "queue", "data_folder_out": "queue", "processed_folder": "processed"}
app = celery.Celery(broker="filesystem://", broker_transport_options=folders)


@app.task
def work(number):
    pathlib.Path(f"{number}.begun").touch()
    time.sleep(2)
    pathlib.Path(f"{number}.done").touch()
PYTHON

count() { find . -maxdepth 1 -name "$1" | wc -l; }
env/bin/python -c 'import tasks; [tasks.work.delay(number) for number in range(12)]'
env/bin/celery --app tasks worker --concurrency 1 >/dev/null 2>&1 &
worker=$!
until [ "$(count '*.begun')" = 1 ]; do sleep 0.1; done
sleep 0.5
kill "$worker"
code=0
wait "$worker" || code=$?
seen="of 12 tasks, 1 in hand at SIGTERM: $(count '*.done') done, $(find queue -type f | wc -l) in the queue, exit code $code"
expected='of 12 tasks, 1 in hand at SIGTERM: 3 done, 9 in the queue, exit code 0'
echo "$seen"
if [ "$seen" != "$expected" ]; then
    echo "celery behaves otherwise than written here" >&2
    exit 1
fi
