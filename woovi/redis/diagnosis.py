"""Examines the server of a role and lists its problems, for the system checks and `redis_doctor`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import redis
from redis.exceptions import RedisError

from woovi.redis.address import Address
from woovi.redis.clients import client
from woovi.redis.roles import POLICIES, Role, address, variable

KEEPING: tuple[Role, ...] = ("locks", "limits", "broker")  # roles whose keys must not be evicted
OLDEST = {"valkey": (7, 2), "redis": (7, 0)}
PINGS = 20
NEARLY_FULL = 0.8  # of its memory: a full server refuses what these roles write, so there must be time to act
CLOCK = 0.5  # seconds; fences and limits read the server's clock, people compare it with ours

SCHEMES = {
    "standalone": "redis://host:port/0",
    "cluster": "redis+cluster://host:port,...",
    "sentinel": "redis+sentinel://host:port,.../NAME/0",
}


@dataclass(frozen=True)
class Problem:
    """Something wrong with a server, with its number in the documentation and what mends it."""

    number: int
    text: str
    mend: str


@dataclass
class Findings:
    """A role's server as it is now. Where it was not reached, the fields after `address` are empty."""

    role: Role
    address: str
    topology: str = ""
    server: str = ""
    version: str = ""
    policy: str = ""
    memory: int = 0  # bytes in use
    memory_limit: int = 0  # bytes, 0 for none
    round_trip: float = 0.0  # milliseconds, the middle of 20 PINGs
    clock: float = 0.0  # seconds that the server is ahead of us
    problems: list[Problem] = field(default_factory=list)


def examine(role: Role) -> Findings:
    """Ask the server of `role` and judge what it says. Never raises because of the server."""
    place = address(role)
    found = Findings(role, str(place), place.topology)
    try:
        connection = client(role)
        info = _info(connection)
        if _mode(info) == "sentinel":  # which has no data, and knows few commands
            mend = f"Write {SCHEMES['sentinel']} in {variable(role)}."
            found.problems.append(Problem(4, "this is a Sentinel", mend))
            return found
        _measure(found, connection)
    except RedisError as error:
        found.problems.append(Problem(1, f"does not answer: {error}", f"Start it, or correct {variable(role)}."))
        return found
    found.server = "valkey" if "valkey_version" in info[0] else "redis"
    found.version = str(info[0].get("valkey_version") or info[0]["redis_version"])
    found.policy = ",".join(sorted({str(each.get("maxmemory_policy", "")) for each in info}))
    found.memory = sum(each.get("used_memory", 0) for each in info)
    found.memory_limit = sum(each.get("maxmemory", 0) for each in info)
    found.problems += _judge(found, place, info)
    return found


def _info(connection: redis.Redis) -> list[dict[str, Any]]:
    """INFO of the server, or of each primary of a Cluster."""
    if isinstance(connection, redis.RedisCluster):
        return [connection.info(target_nodes=node) for node in connection.get_primaries()]
    return [dict(connection.info())]


def _mode(info: list[dict[str, Any]]) -> str:
    """standalone, cluster or sentinel; Valkey calls it by another name unless it is told to pass for a Redis."""
    return str(info[0].get("server_mode") or info[0].get("redis_mode"))


def _measure(found: Findings, connection: redis.Redis) -> None:
    times = []
    for _ in range(PINGS):
        start = time.perf_counter()
        connection.ping()
        times.append(time.perf_counter() - start)
    found.round_trip = round(sorted(times)[PINGS // 2] * 1000, 3)
    before = time.time()
    seconds, microseconds = connection.time()
    found.clock = round(seconds + microseconds / 1e6 - (before + time.time()) / 2, 3)


def _judge(found: Findings, place: Address, info: list[dict[str, Any]]) -> Iterator[Problem]:
    name = variable(found.role)
    own = f"REDIS_{found.role.upper()}_URL"
    wanted = OLDEST[found.server]
    if tuple(map(int, found.version.split(".")[:2])) < wanted:
        yield Problem(2, f"{found.server} {found.version} is too old", f"Use {wanted[0]}.{wanted[1]} or newer.")
    if found.role in KEEPING and found.policy != "noeviction":
        yield Problem(
            3,
            f"maxmemory-policy is {found.policy}, so the server may drop what {found.role} wrote",
            f"CONFIG SET maxmemory-policy noeviction, or point {own} to a server that has it.",
        )
    mode = _mode(info)
    if (mode == "cluster") != (place.topology == "cluster"):
        yield Problem(4, f"{name} says {place.topology}, but it runs as {mode}", f"Write {SCHEMES[mode]} in {name}.")
    elif any(each.get("role") != "master" for each in info):
        yield Problem(4, "it is a read-only replica", f"Name its primary in {name}, or the Sentinels that follow it.")
    fullest = max((each.get("used_memory", 0) / each["maxmemory"] for each in info if each.get("maxmemory")), default=0)
    if found.role in KEEPING and fullest >= NEARLY_FULL:
        yield Problem(
            7,
            f"{fullest:.0%} of its maxmemory is used; full, it refuses what {found.role} writes",
            f"CONFIG SET maxmemory higher, or point {own} to a server of its own.",
        )
    if abs(found.clock) > CLOCK:
        yield Problem(5, f"its clock is {found.clock:+.1f} s from ours", "Let NTP run on both machines.")
    patience = POLICIES[found.role].timeout * 1000
    if found.round_trip > patience / 4:
        yield Problem(
            6,
            f"a round trip takes {found.round_trip} ms of the {patience:.0f} that {found.role} waits",
            "Bring the server nearer, or see what keeps it busy (SLOWLOG GET).",
        )
