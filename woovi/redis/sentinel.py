"""Where the primary is, by its Sentinels. They are asked whenever a connection is made, so a failover is followed.

One short connection a question; redis-py's Sentinel class would keep some to every Sentinel and role.
Source: https://redis.io/docs/latest/develop/reference/sentinel-clients/
"""

from __future__ import annotations

from typing import Any

import redis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError

from woovi.redis.address import Address, Host
from woovi.redis.aio import Locate as AsyncLocate
from woovi.redis.aio import PlainTcp, PlainTls
from woovi.redis.connections import Locate
from woovi.redis.roles import Role, limits


def locator(role: Role, place: Address) -> Locate:
    """A function that asks one Sentinel after another for the primary. It raises MasterNotFoundError."""
    ask = Sentinels(role, place)

    def locate() -> Host:
        for host in list(ask.order):
            try:
                with redis.Redis(
                    host=host[0], port=host[1], retry=Retry(NoBackoff(), 0), ssl=place.tls, **ask.known
                ) as sentinel:
                    if found := sentinel.sentinel_get_master_addr_by_name(place.service):
                        return ask.heard(host, found)
            except RedisError as error:
                ask.silent(error)
        raise ask.nobody()

    return locate


def alocator(role: Role, place: Address) -> AsyncLocate:
    """`locator` for asyncio."""
    ask = Sentinels(role, place)
    kind = PlainTls if place.tls else PlainTcp

    async def locate() -> Host:
        for host in list(ask.order):
            # No client: one that is cancelled while it closes leaves its connection open.
            connection = kind(host=host[0], port=host[1], retry=AsyncRetry(NoBackoff(), 0), **ask.known)
            try:
                await connection.connect()  # type: ignore[no-untyped-call]
                await connection.send_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", place.service)
                if found := await connection.read_response():
                    return ask.heard(host, found)
            except RedisError as error:
                ask.silent(error)
            finally:
                await connection.disconnect(nowait=True)
        raise ask.nobody()

    return locate


class Sentinels:
    """The Sentinels in the order in which to ask them: the one that answered last comes first."""

    def __init__(self, role: Role, place: Address) -> None:
        self.place = place
        self.order = list(place.hosts)
        self.last = "none of them knows it"
        self.known: dict[str, Any] = {
            **limits(role),
            "username": place.sentinel_username or None,
            "password": place.sentinel_password or None,
            **dict(place.tls_options),
        }

    def heard(self, host: Host, found: Any) -> Host:
        self.order = [host, *(each for each in self.order if each != host)]
        name = found[0]
        return name.decode() if isinstance(name, bytes) else name, int(found[1])

    def silent(self, error: RedisError) -> None:
        self.last = str(error)

    def nobody(self) -> MasterNotFoundError:
        return MasterNotFoundError(f"no Sentinel of {self.place} names its primary: {self.last}")
