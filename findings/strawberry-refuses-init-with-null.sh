#!/usr/bin/env bash
# The guess: a server of graphql-transport-ws takes `"payload": null` for an absent payload, as the protocol's
#   description (PROTOCOL.md of enisdenjo/graphql-ws) has it for `connection_init`, `ping` and `pong` alike.
# What happens: Strawberry takes it in `ping` and closes with 4400 "Invalid connection init payload" at `connection_init`.
# Versions: strawberry-graphql 0.341.2, graphql-core 3.3.2, starlette 1.10.0, uvicorn 0.54.0, websockets 17.4, Python 3.11.
# Why it matters: clients whose serialiser writes absent fields as null (of Go, Kotlin, Swift or C#) cannot connect, and
#   4400 is one of the codes after which the reference client does not try again; with browsers' clients all is well.
set -euo pipefail
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/python -m pip install -q --disable-pip-version-check strawberry-graphql==0.341.2 graphql-core==3.3.2 \
    starlette==1.10.0 uvicorn==0.54.0 websockets==17.4 2>/dev/null

cat >app.py <<'PY'
from collections.abc import AsyncGenerator

import strawberry
from strawberry.asgi import GraphQL


@strawberry.type
class Query:
    @strawberry.field
    def hello(self) -> str:
        return "world"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def one(self) -> AsyncGenerator[int, None]:
        yield 1


app = GraphQL(strawberry.Schema(Query, subscription=Subscription))
PY
cat >ask.py <<'PY'
import asyncio
import json
import sys

import websockets


async def answer(*messages):
    """What comes after the last message: a message, or the code of the close."""
    for _ in range(100):  # until it listens
        try:
            connection = await websockets.connect(f"ws://127.0.0.1:{sys.argv[1]}/", subprotocols=["graphql-transport-ws"])
            break
        except OSError:
            await asyncio.sleep(0.2)
    async with connection:
        try:
            for message in messages:
                await connection.send(json.dumps(message))
                last = await asyncio.wait_for(connection.recv(), 10)
            return json.loads(last)["type"]
        except websockets.ConnectionClosed as closed:
            return f"closed with {closed.rcvd.code} {closed.rcvd.reason}"


async def main():
    init, ping = {"type": "connection_init"}, {"type": "ping"}
    seen = {
        "connection_init without payload": await answer(init),
        "connection_init with payload null": await answer({**init, "payload": None}),
        "ping with payload null": await answer(init, {**ping, "payload": None}),
    }
    for what, then in seen.items():
        print(f"{what}: {then}")
    assert list(seen.values()) == ["connection_ack", "closed with 4400 Invalid connection init payload", "pong"]


asyncio.run(main())
PY
port=$(env/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
env/bin/python -m uvicorn app:app --port "$port" --log-level critical &
pid=$!
env/bin/python ask.py "$port"
