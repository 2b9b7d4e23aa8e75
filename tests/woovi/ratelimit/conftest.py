"""Every topology, an in-between that may lose replies, and the two ways to call: sync and async."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.topologies.topologies import Topology
from woovi.ratelimit import Ask, Decision, Policy, Subject, atake, take

Take = Callable[..., Decision]


@pytest.fixture(params=["sync", "async"])
def charge(request: pytest.FixtureRequest, topology: Topology) -> Take:
    """`take`, and its twin."""
    if request.param == "sync":
        return take
    return lambda *asks: asyncio.run(_atake(asks))


async def _atake(asks: Any) -> Decision:
    return await atake(*asks)


def ask(limit: int, per: float = 60, cost: int = 1, who: str = "ana", name: str = "", **fields: Any) -> Ask:
    """A test's policy, named by its figures, for a subject."""
    return Ask(Policy(name or f"test.{limit}-{per}", "account", limit, per, **fields), Subject("account", who), cost)
