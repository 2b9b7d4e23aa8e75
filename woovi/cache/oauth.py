"""Access tokens (OAuth 2.0, RFC 6749): fetched once for all processes, before the last one expires, never served once refused."""

from __future__ import annotations

import contextlib
import hashlib
import random
import time
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass
from typing import Any

import httpx
from redis.exceptions import RedisError

from woovi.cache.keyring import Keyring
from woovi.cache.loading import Entry, Loaded
from woovi.cache.names import Part
from woovi.cache.readthrough import ReadThroughCache
from woovi.cache.steps import Steps


@dataclass(frozen=True)
class Grant:
    """A token response: the token and its `expires_in` in seconds, None where the server did not say (RFC 6749 §5.1)."""

    token: str
    expires_in: float | None


class OAuth2TokenCache(ReadThroughCache):
    """One access token, shared by every process that has the same `identity`.

    Args:
        name: the cache's name, in keys and metrics.
        fetch: a function or coroutine function that asks the server for a Grant. It must end within `lease`.
        identity: whose token it is: address, client id, secret. Hashed into the key's name.
        leeway: a token is not used in its last `leeway` seconds, or in the last half of its life where that is shorter.
        refresh_ahead: the last part of a token's life (0 to 1) in which the next is fetched in the background. Each
            token's part is up to half as long again, at random, so that one process is first.
        min_refresh_interval: seconds between the starts of two fetches, also after a refusal. Callers wait meanwhile.
        lease: seconds that a fetch may take before another process fetches too.
        keyring: encrypts the stored token; None is the keyring of the settings.

    A token's age counts from before the request. A token without `expires_in` is used once and not stored. Without Redis
    each process keeps its own token.
    """

    secret = True

    def __init__(
        self, name: str, fetch: Callable[[], Any], *, identity: tuple[Part, ...], leeway: float = 30.0,
        refresh_ahead: float = 0.2, min_refresh_interval: float = 1.0, lease: float = 15.0, keyring: Keyring | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            name, fetch, key=tuple(f"identity{n}" for n in range(len(identity))), ttl=0, early_refresh=0, lease=lease,
            pace=min_refresh_interval, staleness="never past its end: refreshed ahead, dropped when refused",
        )  # fmt: skip
        self._whose = dict(zip(self.key, identity, strict=True))
        self._leeway, self._refresh_ahead = leeway, refresh_ahead
        self._keyring = keyring or Keyring.of_settings()
        self._spare: tuple[str, float] = ("", 0.0)  # a token and its end by the monotonic clock, for when Redis is gone

    def get(self) -> str:  # type: ignore[override]
        """A valid token. Raises LoadFailed."""
        return str(super().get(**self._whose))

    async def aget(self) -> str:  # type: ignore[override]
        """`get` for asyncio."""
        return str(await super().aget(**self._whose))

    def reject(self, token: str) -> None:
        """The server refused this token (401): no caller gets it again. A newer token stays."""
        self._forget(token)
        with contextlib.suppress(RedisError):  # a caller that still gets it rejects it too
            super().drop_if(_fingerprint(token), **self._whose)

    async def areject(self, token: str) -> None:
        """`reject` for asyncio."""
        self._forget(token)
        with contextlib.suppress(RedisError):
            await super().adrop_if(_fingerprint(token), **self._whose)

    def warm_up(self) -> int:
        """Fetch a token if there is none. Returns 1. Raises LoadFailed."""
        return int(bool(self.get()))

    def drop(self) -> None:
        """Drop the token, so that the next call fetches another. Raises redis.exceptions.RedisError."""
        super().invalidate(**self._whose)

    def auth(self) -> httpx.Auth:
        """An httpx.Auth that sends the token. After a 401 it sends the request once more, with another token."""
        return _Auth(self)

    def _call(self, parts: dict[str, Any]) -> Steps:
        asked = time.monotonic()
        grant, _ = yield from super()._call({})
        granted: Grant = grant.value
        life = granted.expires_in or 0
        end = max(life - min(self._leeway, life / 2), 0)
        ahead = self._refresh_ahead * (1 + 0.5 * random.random())  # noqa: S311 (so that one process is first)
        fresh = end * (1 - ahead)
        self._spare = (granted.token, asked + end)
        return Loaded(granted.token, fresh, end - fresh, _fingerprint(granted.token)), None

    def _bypass(self, entry: Entry, parts: dict[str, Any]) -> Steps:
        token, end = self._spare
        if token and time.monotonic() < end:
            return token
        return (yield from super()._bypass(entry, parts))

    def _forget(self, token: str) -> None:
        if self._spare[0] == token:
            self._spare = ("", 0.0)

    def _seal(self, name: str, payload: bytes) -> bytes:
        return self._keyring.seal(name, payload)

    def _unseal(self, name: str, payload: bytes) -> bytes:
        return self._keyring.unseal(name, payload)


class _Auth(httpx.Auth):
    def __init__(self, tokens: OAuth2TokenCache) -> None:
        self._tokens = tokens

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token = self._tokens.get()
        response = yield _bearing(token, request)
        if response.status_code == 401:
            self._tokens.reject(token)
            yield _bearing(self._tokens.get(), request)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        token = await self._tokens.aget()
        response = yield _bearing(token, request)
        if response.status_code == 401:
            await self._tokens.areject(token)
            yield _bearing(await self._tokens.aget(), request)


def _bearing(token: str, request: httpx.Request) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {token}"
    return request


def _fingerprint(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:16]
