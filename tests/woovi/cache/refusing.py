"""Servers that refuse every script, and keep what they have: what a network that parts looks like to its one side.

Freezing will not do: a frozen server carries out what it was sent once it is thawed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.topologies.topologies import Topology


@contextlib.contextmanager
def refusing(topology: Topology) -> Iterator[None]:
    _rule(topology, "-")
    try:
        yield
    finally:
        _rule(topology, "+")


def _rule(topology: Topology, sign: str) -> None:
    for server in topology.primaries():
        with server.ask() as client:
            client.execute_command("ACL SETUSER", "default", f"{sign}eval", f"{sign}evalsha")
