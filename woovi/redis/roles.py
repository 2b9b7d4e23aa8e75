"""What each role may take: its time-outs, its connections, whether a command is sent again; and where it is served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from redis import exceptions
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from woovi import env
from woovi.redis.address import Address, parse

Role = Literal["cache", "locks", "limits", "broker", "channels", "django"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class Policy:
    """Limits of a role.

    timeout: seconds to connect, to send, to read, and to wait for a free connection; each.
    connections: of one process at one server, at most.
    resend: whether a command is sent once more after a lost connection (never after a time-out). redis-py's own
        default sends up to ten times, INCR and SET NX too, and blocks a minute on a silent server.
    """

    timeout: float
    connections: int
    resend: bool = False

    @property
    def retry(self) -> Retry:
        return Retry(NoBackoff(), int(self.resend), supported_errors=(exceptions.ConnectionError,))

    @property
    def aretry(self) -> AsyncRetry:
        return AsyncRetry(NoBackoff(), int(self.resend), supported_errors=(exceptions.ConnectionError,))


POLICIES: dict[Role, Policy] = {
    "cache": Policy(timeout=0.25, connections=50),
    "locks": Policy(timeout=0.1, connections=100),
    "limits": Policy(timeout=0.1, connections=50),
    "broker": Policy(timeout=2.0, connections=10, resend=True),
    "channels": Policy(timeout=1.0, connections=50, resend=True),
    "django": Policy(timeout=0.25, connections=50),
}


def variable(role: Role) -> str:
    """The name of the variable that serves `role` now."""
    own = f"REDIS_{role.upper()}_URL"
    return own if env.text(own, "") else "REDIS_URL"


def address(role: Role) -> Address:
    """Where `role` is served. Raises ImproperlyConfigured with one line that names the variable."""
    return parse(variable(role), env.text(f"REDIS_{role.upper()}_URL", "") or env.text("REDIS_URL", "embedded://"))


def limits(role: Role) -> dict[str, Any]:
    """What every connection of `role` is told. RESP2: nothing here uses what 3 adds, and its handshake asks a Valkey for what only a Redis knows."""
    timeout = POLICIES[role].timeout
    return {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "client_name": f"woovi-{role}",
        "driver_info": None,
        "protocol": 2,
    }
