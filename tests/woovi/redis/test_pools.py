"""Connections are bounded, shared by threads, and belong to one process and one event loop."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
import tomllib

import pytest
from redis.exceptions import MaxConnectionsError

from tests.processes import ROOT, wait_until
from tests.topologies.topologies import Standalone, Topology
from woovi.redis import POLICIES, aclient, client, close
from woovi.redis.roles import Policy, client_name, service


@pytest.fixture
def two_connections(monkeypatch: pytest.MonkeyPatch, valkey: Standalone) -> Standalone:
    monkeypatch.setitem(POLICIES, "broker", Policy(timeout=0.5, connections=2))
    close()
    return valkey


def named(topology: Topology) -> int:
    """This process's connections of the role `broker` at the server."""
    with topology.primaries()[0].ask() as direct:
        return sum(each["name"] == client_name("broker") for each in direct.client_list())


def test_threads_share_a_bounded_pool(two_connections: Standalone) -> None:
    door = client("broker")
    threads = [threading.Thread(target=lambda: [door.incr("key") for _ in range(20)]) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert door.get("key") == b"200"
    assert named(two_connections) <= 2


def test_who_finds_every_connection_busy_waits_in_time(two_connections: Standalone) -> None:
    pool = client("broker").connection_pool
    held = [pool.get_connection(), pool.get_connection()]
    start = time.monotonic()
    with pytest.raises(MaxConnectionsError, match="all 2 connections of broker"):
        client("broker").ping()
    assert 0.5 <= time.monotonic() - start < 20
    threading.Timer(0.03, pool.release, [held.pop()]).start()
    assert client("broker").ping()
    pool.release(held.pop())


def test_tasks_share_a_bounded_pool(two_connections: Standalone) -> None:
    async def run() -> None:
        door = aclient("broker")
        await asyncio.gather(*(door.incr("key") for _ in range(100)))
        assert named(two_connections) <= 2
        held = [await door.connection_pool.get_connection() for _ in range(2)]
        waiting = [asyncio.create_task(door.ping()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()  # the first in line leaves, and the line goes on
        await door.connection_pool.release(held.pop())
        assert await waiting[1]
        assert await waiting[2]
        held.append(await door.connection_pool.get_connection())
        with pytest.raises(MaxConnectionsError, match="all 2 connections of broker"):
            await door.ping()
        for connection in held:
            await door.connection_pool.release(connection)

    asyncio.run(run())
    assert client("broker").get("key") == b"100"


def test_each_loop_has_its_own_connections_and_takes_them_with_it(topology: Topology) -> None:
    async def run() -> bool:
        await asyncio.gather(*(aclient("broker").set(f"key-{number}", "x") for number in range(10)))
        return named(topology) > 0

    seen: list[bool] = []
    threads = [threading.Thread(target=lambda: seen.append(asyncio.run(run()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen.append(asyncio.run(run()))
    assert seen == [True] * 3
    wait_until(lambda: named(topology) == 0)


def test_a_fork_shares_no_connection(topology: Topology) -> None:
    """Parent and child ask the same client different things at once; with a shared socket answers would be swapped."""
    door = client("broker")
    for key in ("parent", "child"):
        door.set(key, key)
    pid = os.fork()
    name = "parent" if pid else "child"
    try:
        right = all(door.get(name) == name.encode() and client("broker").get(name) == name.encode() for _ in range(300))
    finally:
        if pid == 0:
            os._exit(0 if right else 1)
    _, status = os.waitpid(pid, 0)
    assert right
    assert status == 0
    assert door.get("parent") == b"parent"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("/bin/uvicorn woovi.asgi:application", "web"),
        ("/x/uvicorn/__main__.py woovi.asgi:application", "web"),
        ("/x/woovi/supervisor/serve.py 5", "web"),
        ("/bin/celery -A woovi worker -Q bank -c 4", "worker-bank"),
        ("/x/celery/__main__.py --app woovi --quiet worker --queues webhooks,bank", "worker-webhooks,bank"),
        ("/bin/celery -A woovi worker", "worker"),
        ("manage.py relay", "relay"),
        ("manage.py", "manage"),
        ("-c", "-c"),
        ("/home/ana maria/my script.py", "my_script"),
    ],
)
def test_a_process_is_called_by_what_it_runs(command: str, expected: str) -> None:
    program, *arguments = [command] if "script" in command else command.split()
    assert service([program, *arguments]) == expected


def test_the_servers_list_says_who_is_who_and_of_which_version(valkey: Standalone) -> None:
    client("locks").ping()
    with valkey.servers[0].ask() as direct:
        names = {each["name"] for each in direct.client_list()}
    released = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"woovi-{released}/{service(sys.argv)}/locks" in names
