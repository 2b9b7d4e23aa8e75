"""The log's end as a Redis Stream: one a tenant, whose ids are the log's numbers. `lua/` says what Redis keeps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from woovi.redis import Script, aclient, client

LUA = Path(__file__).parent / "lua"
APPEND, READ, HOLD = (Script(LUA / f"{name}.lua") for name in ("append", "read", "hold"))
KEEP = 1000  # entries of a tenant; what is older is read from PostgreSQL
TTL = 86_400_000  # milliseconds: a tenant that is idle for a day costs Redis nothing


class Entry(NamedTuple):
    """One event of the log. `frame` is what subscribers are sent: made once, whoever and however many they are."""

    seq: int
    frame: bytes


def keys(tenant: str) -> list[str]:
    """The tenant's stream and its epoch, in one slot of a Cluster."""
    return [f"ps:{{{tenant}}}:log", f"ps:{{{tenant}}}:epoch"]


def append(tenant: str, entries: Sequence[Entry], *, anew: bool = False) -> int:
    """Append what follows the stream's last entry. Returns the number of its last entry then.

    anew: forget the stream and begin with these. Raises redis.exceptions.RedisError.
    """
    pairs = [part for entry in entries for part in entry]
    last: int = APPEND(client("channels"), keys(tenant), [KEEP, TTL, int(anew), *pairs])
    return last


async def read(tenant: str, after: int, limit: int) -> tuple[int, list[Entry]]:
    """The stream's epoch (0: there is none) and up to `limit` entries after the number `after`.

    Raises redis.exceptions.RedisError.
    """
    epoch, first, *frames = await READ.acall(aclient("channels"), keys(tenant), [after, limit])
    return epoch, [Entry(seq, frame) for seq, frame in enumerate(frames, first)]
