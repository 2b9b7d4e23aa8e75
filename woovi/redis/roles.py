"""The roles: each one's time-outs, number of connections, retries, and address."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from redis import exceptions
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from woovi import VERSION, env
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
    "broker": Policy(timeout=1.5, connections=10, resend=True),
    "channels": Policy(timeout=1.0, connections=50, resend=True),
    "django": Policy(timeout=0.25, connections=50),
}


def variable(role: Role) -> str:
    """The name of the variable that `role`'s address comes from."""
    own = f"REDIS_{role.upper()}_URL"
    return own if env.text(own, "") else "REDIS_URL"


def address(role: Role) -> Address:
    """Where `role` is served. Raises ImproperlyConfigured with one line that names the variable."""
    return parse(variable(role), env.text(f"REDIS_{role.upper()}_URL", "") or env.text("REDIS_URL", "embedded://"))


def client_name(role: Role) -> str:
    """How this process's connections are named in CLIENT LIST, as `woovi-1.0.0/worker-bank/broker`."""
    return f"woovi-{VERSION}/{service(sys.argv)}/{role}"


def service(command: Sequence[str]) -> str:
    """What a process is, by its command line: `web`, `relay`, `worker-QUEUES`, or its command's name."""
    program, arguments = Path(command[0]), list(command[1:])
    name = program.parent.name if program.stem == "__main__" else program.stem
    if name in {"uvicorn", "serve"}:
        return "web"
    if name == "celery":
        name = "worker" if "worker" in arguments else name
    if name == "worker":
        for option, value in itertools.pairwise(arguments):
            if option in {"-Q", "--queues"}:
                name = f"worker-{value}"
    if name == "manage":
        name = arguments[0] if arguments else name
    return re.sub(r"[^\w,.-]", "_", name, flags=re.ASCII)


def limits(role: Role) -> dict[str, Any]:
    """The arguments of every connection of `role`. RESP2, because redis-py's handshake for RESP3 asks a Valkey for what only a Redis knows."""
    timeout = POLICIES[role].timeout
    return {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "client_name": client_name(role),
        "driver_info": None,
        "protocol": 2,
    }
