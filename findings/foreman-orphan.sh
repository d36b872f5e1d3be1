#!/usr/bin/env bash
# Launcher: `nf` of foreman 3.0.1 (npm), which runs the processes of a Procfile.
#
# Guessed: on SIGTERM it sends SIGTERM to each process, waits for them, and exits.
#
# Seen: it dies of the SIGTERM. Its processes are told nothing, and live on as orphans, with their ports.
#
#   nf: exit code 143
#   the process: told nothing, still there
#
# This script fails once that has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'kill -9 "$(cat "$work/pid" 2>/dev/null)" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund foreman@3.0.1 >/dev/null

cat >program.sh <<'SH'
trap 'echo TERM >>told; exit' TERM
trap 'echo INT >>told; exit' INT
echo $$ >pid
while :; do sleep 0.1; done
SH
echo "web: bash program.sh" >Procfile

node_modules/.bin/nf start >/dev/null 2>&1 &
nf=$!
until [ -s pid ]; do sleep 0.1; done
sleep 1
kill "$nf"
code=0
wait "$nf" || code=$?
sleep 1
told=$(cat told 2>/dev/null || echo nothing)
kill -0 "$(cat pid)" 2>/dev/null && there="still there" || there="gone"
seen="nf: exit code $code
the process: told $told, $there"
expected='nf: exit code 143
the process: told nothing, still there'
echo "$seen"
if [ "$seen" != "$expected" ]; then
    echo "foreman behaves otherwise than written here" >&2
    exit 1
fi
