"""Many requests at once from many addresses: `Attack.run` sends them and counts what comes back.

Plain sockets and not an HTTP library, so that on a small machine the attacker does not take the attacked one's CPU.
The addresses are written into X-Forwarded-For, as a proxy on this machine would.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlencode

CONNECTIONS = 20
TOKEN = "a" * 32  # CSRF: cookie and form agree, as any attacker's do


@dataclass
class Request:
    path: str
    address: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""

    def raw(self) -> bytes:
        fields = {"Host": "localhost", "X-Forwarded-For": self.address, **self.headers}
        if self.body:
            fields |= {"Content-Length": str(len(self.body)), "Content-Type": "application/x-www-form-urlencoded"}
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        return ("\r\n".join(lines) + "\r\n\r\n" + self.body).encode()


def log_in(address: str, email: str, password: str, cookie: str = "") -> Request:
    return _form("/login", address, cookie, username=email, password=password)


def code(address: str, code: str, cookie: str) -> Request:
    """A code, in the session of somebody whose password was right."""
    return _form("/login/code", address, cookie, code=code)


def _form(path: str, address: str, cookie: str, **fields: str) -> Request:
    cookies = "; ".join(filter(None, [f"csrftoken={TOKEN}", cookie]))
    return Request(path, address, "POST", {"Cookie": cookies}, urlencode({**fields, "csrfmiddlewaretoken": TOKEN}))


def send(port: int, requests: list[Request], connections: int, pace: float) -> Counter[int]:
    """`Attack.run`, for a process of its own."""
    return asyncio.run(Attack(port).run(requests, connections, pace))


class Attack:
    """`statuses` counts the answers, by status."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.statuses: Counter[int] = Counter()

    async def run(self, requests: Iterable[Request], connections: int = CONNECTIONS, pace: float = 0) -> Counter[int]:
        """Send them all. pace: requests a second at most; 0 is as fast as it goes."""
        self._next, self._step = time.monotonic(), 1 / pace if pace else 0.0
        left = iter(requests)
        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(self._work(left))
        return self.statuses

    async def _work(self, left: Iterable[Request]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for request in left:
                self._next += self._step
                await asyncio.sleep(self._next - time.monotonic() if self._step else 0)
                writer.write(request.raw())
                head = await reader.readuntil(b"\r\n\r\n")
                self.statuses[int(head[9:12])] += 1
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        await reader.readexactly(int(line.partition(b":")[2]))
        finally:
            writer.close()
            await writer.wait_closed()
