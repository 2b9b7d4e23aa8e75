#!/usr/bin/env bash
# The guess: `uvicorn --workers 2` answers one client as quickly as `uvicorn` does, and two at once better.
# What happens: on asyncio's own loop (a plain `pip install uvicorn`) each answer on a kept connection takes 40 ms more.
#   With workers, and with --reload, uvicorn binds `socket.socket(family)` itself, whose `proto` is 0; asyncio switches
#   TCP_NODELAY on only where `proto` is IPPROTO_TCP, and accepted sockets inherit the 0. Uvicorn writes an answer's head
#   and its body apart, so that the body waits for the client's delayed acknowledgement of the head. One process lets
#   asyncio bind, from getaddrinfo's answer, whose `proto` is set. uvloop sets TCP_NODELAY whatever `proto` is.
# Versions: uvicorn 0.54.0, uvloop 0.23.0, Python 3.11, Linux.
# Why it matters: the step from development to several workers makes a service a hundred times slower on every request of
#   a pooled client, a proxy's among them, while processors are idle and the application's own timings show nothing.
set -euo pipefail
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/python -m pip install -q --disable-pip-version-check uvicorn==0.54.0 uvloop==0.23.0 2>/dev/null

cat >app.py <<'PY'
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"hello"})
PY
cat >ask.py <<'PY'
import http.client
import sys
import time

deadline = time.monotonic() + 30
while True:  # until it listens
    try:
        connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
        connection.connect()
        break
    except OSError:
        assert time.monotonic() < deadline
        time.sleep(0.1)
took = []
for _ in range(61):
    began = time.perf_counter()
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"hello"
    took.append(time.perf_counter() - began)
print(f"{sorted(took)[30] * 1000:.1f}")
PY

median() {  # milliseconds of an answer on a kept connection, with these options of uvicorn
    local port
    port=$(env/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    env/bin/python -m uvicorn app:app --port "$port" --log-level critical "$@" >/dev/null 2>&1 &
    pid=$!
    took=$(env/bin/python ask.py "$port")
    kill "$pid"
    wait "$pid" 2>/dev/null || true
    pid=
    echo "$took ms   uvicorn $*"
}

median --loop asyncio; one=$took
median --loop asyncio --workers 2; two=$took
median --loop uvloop --workers 2; uvloop=$took
env/bin/python -c "one, two, uvloop = $one, $two, $uvloop; assert two > 30 and one < 20 and uvloop < 20"
