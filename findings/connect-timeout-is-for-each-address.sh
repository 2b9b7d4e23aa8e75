#!/usr/bin/env bash
# The guess: `timeout=1` bounds the wait for a connection to one second, with httpx.Client as with httpx.AsyncClient.
# What happens: it bounds each address of the name. httpx.Client and requests try one address after the other, each with
#   a second of its own: a name with four addresses that do not answer takes four. AsyncClient has one limit for all of
#   them and tries them side by side: it fails after one second, and where the last of the four answers, it gets there in
#   time as well. With `retries=2` of the transport, Client takes twelve seconds.
# Versions: httpx 0.28.1, httpcore 1.0.9, anyio 4.16.0, requests 2.34.2, urllib3 2.8.0, Python 3.11, Linux.
# Why it matters: load balancers give their names several addresses, and a network that is gone drops packets rather than
#   refuses. The limit of each call, from which workers, leases and locks were computed, was tested against one address
#   and is many times as long on the night when it counts; ported to asyncio the same line keeps its word.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/python -m pip install -q --disable-pip-version-check httpx==0.28.1 httpcore==1.0.9 anyio==4.16.0 requests==2.34.2 \
    urllib3==2.8.0 2>/dev/null

env/bin/python - <<'PY'
import asyncio
import socket
import threading
import time

import httpx
import requests

ADDRESSES = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"]
kept = []


def silent(address, port=0):
    """A listener whose queue is full: Linux drops what comes, as a network that is gone does. Returns its port."""
    listener = socket.socket()
    listener.bind((address, port))
    listener.listen(0)
    port = listener.getsockname()[1]
    for _ in range(3):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex((address, port))
        kept.append(filler)
    kept.append(listener)
    return port


def answers(address, port):
    listener = socket.create_server((address, port))

    def serve():
        while True:
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            connection.close()

    threading.Thread(target=serve, daemon=True).start()


dead = silent(ADDRESSES[0])
for address in ADDRESSES[1:]:
    silent(address, dead)
alive = silent(ADDRESSES[0])
for address in ADDRESSES[1:3]:
    silent(address, alive)
answers(ADDRESSES[3], alive)

ask_resolver = socket.getaddrinfo


def getaddrinfo(host, port, *options, **more):
    """The resolver's answer for a name with four addresses, so that this needs no DNS server."""
    if host in ("bank.example", b"bank.example"):
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port)) for address in ADDRESSES]
    return ask_resolver(host, port, *options, **more)


socket.getaddrinfo = getaddrinfo


def client(port, **how):
    with httpx.Client(timeout=1, transport=httpx.HTTPTransport(**how)) as it:
        it.get(f"http://bank.example:{port}/")


async def async_client(port):
    async with httpx.AsyncClient(timeout=1) as it:
        await it.get(f"http://bank.example:{port}/")


ways = {
    "httpx.Client": client,
    "requests": lambda port: requests.get(f"http://bank.example:{port}/", timeout=1),
    "httpx.AsyncClient": lambda port: asyncio.run(async_client(port)),
}


def tried(call):
    """What came of it, and the whole seconds it took."""
    began = time.monotonic()
    try:
        call()
        outcome = "answered"
    except (httpx.ConnectTimeout, requests.ConnectTimeout):
        outcome = "timed out"
    return outcome, int(time.monotonic() - began)


seen = {name: (tried(lambda: way(dead)), tried(lambda: way(alive))) for name, way in ways.items()}
seen["httpx.Client, retries=2"] = (tried(lambda: client(dead, retries=2)), None)
print("with a time limit of 1 s, and four addresses of which")
for name, (none, last) in seen.items():
    also = f"; the last answers: {last[0]} after {last[1]} s" if last else ""
    print(f"  {name:24} none answers: {none[0]} after {none[1]} s{also}")
assert all(none[0] == "timed out" for none, _ in seen.values())
assert seen["httpx.Client"][0][1] >= 4 and seen["requests"][0][1] >= 4 and seen["httpx.Client, retries=2"][0][1] >= 12
assert seen["httpx.AsyncClient"][0][1] < 3
PY
