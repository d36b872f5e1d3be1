#!/usr/bin/env bash
# Reloaders: watchfiles 1.3.0, `watchmedo` of watchdog 7.1.0, hupper 1.12.1 (Python).
#
# Guessed: on SIGTERM, each passes SIGTERM on to the program, and waits until that has ended: here, for 3 s.
#
# Seen: watchfiles and watchmedo send SIGINT in its place. hupper sends SIGTERM, and SIGKILL about a second later.
#
#   watchfiles: SIGINT, ended by itself
#   watchmedo:  SIGINT, ended by itself
#   hupper:     SIGTERM, killed
#
# So a program that is run by one of them in development shows neither the stop of production nor all of it. This script
# fails once that has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip --quiet install watchfiles==1.3.0 'watchdog[watchmedo]==7.1.0' hupper==1.12.1
mkdir watched

cat >program.py <<'PYTHON'
import signal
import sys
import time


def run(name):
    told = []

    def say(word):
        with open(name, "a") as file:
            file.write(f"{word}\n")

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: told.append(signal.Signals(number).name))
    say("up")
    while not told:
        time.sleep(0.02)
    say(told[0])
    time.sleep(3)
    say("ended by itself")


if __name__ == "__main__":
    run(sys.argv[1])
PYTHON
cat >under_hupper.py <<'PYTHON'
import hupper

import program


def main():
    program.run("hupper")


if __name__ == "__main__":
    hupper.start_reloader("under_hupper.main")
PYTHON

trial() {
    local name=$1
    shift
    "$@" >/dev/null 2>&1 &
    local reloader=$!
    until grep -q up "$name" 2>/dev/null; do sleep 0.1; done
    sleep 1
    kill "$reloader"
    wait "$reloader" || true
    # It would have ended by then.
    sleep 3
    local told ended
    told=$(sed -n 2p "$name")
    ended=$(sed -n 3p "$name")
    printf '%-11s %s, %s\n' "$name:" "$told" "${ended:-killed}"
}

seen=$(
    trial watchfiles env/bin/watchfiles "$work/env/bin/python program.py watchfiles" watched
    trial watchmedo env/bin/watchmedo auto-restart --directory watched -- "$work/env/bin/python" program.py watchmedo
    trial hupper env/bin/python under_hupper.py
)
expected='watchfiles: SIGINT, ended by itself
watchmedo:  SIGINT, ended by itself
hupper:     SIGTERM, killed'
echo "$seen"
if [ "$seen" != "$expected" ]; then
    echo "a reloader behaves otherwise than written here" >&2
    exit 1
fi
