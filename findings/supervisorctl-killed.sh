#!/usr/bin/env bash
# Supervisor: supervisord 4.3.0 (Python).
#
# Guessed: `supervisorctl stop` fails, or at least says so, if the program had to be killed because it did not end within
# `stopwaitsecs`.
#
# Seen: it says "stopped", as of one that ended by itself, and its exit code is 0. Only the log of supervisord has the
# SIGKILL. So a deploy script cannot tell a clean stop from a kill.
#
#   polite: stopped
#   exit code 0
#   slow: stopped
#   exit code 0
#   stopped: slow (terminated by SIGKILL)
#
# This script fails once that has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
# It needs the module `pkg_resources`, which newer versions of setuptools have dropped.
env/bin/pip --quiet install supervisor==4.3.0 setuptools==80.9.0

cat >program.py <<'PYTHON'
import signal
import sys
import time

# Ends long after `stopwaitsecs`, or at once.
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(float(sys.argv[1])), sys.exit(0)))
while True:
    time.sleep(1)
PYTHON

cat >supervisord.conf <<CONF
[unix_http_server]
file=$work/socket
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisord]
logfile=$work/log
pidfile=$work/pid
[supervisorctl]
serverurl=unix://$work/socket
[program:polite]
command=$work/env/bin/python $work/program.py 0
stopwaitsecs=1
[program:slow]
command=$work/env/bin/python $work/program.py 20
stopwaitsecs=1
CONF

env/bin/supervisord --nodaemon --configuration supervisord.conf >/dev/null 2>&1 &
supervisord=$!
control() { env/bin/supervisorctl --configuration supervisord.conf "$@"; }
until [ "$(control status 2>/dev/null | grep -c RUNNING)" = 2 ]; do sleep 0.1; done
# Their handlers are there by then.
sleep 1
seen=$(
    for program in polite slow; do
        control stop "$program" && code=0 || code=$?
        echo "exit code $code"
    done
    grep -o 'stopped: slow .*' log
)
kill "$supervisord"
wait "$supervisord"
expected='polite: stopped
exit code 0
slow: stopped
exit code 0
stopped: slow (terminated by SIGKILL)'
echo "$seen"
if [ "$seen" != "$expected" ]; then
    echo "supervisord behaves otherwise than written here" >&2
    exit 1
fi
