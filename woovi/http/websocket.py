"""uvicorn's WebSocket with three additions: prepared frames, a time-out for clients that do not read, and connections that
close one after another at a deploy. `woovi.http.serve` and `uvicorn --ws woovi.http.websocket:WebSocket`
use it; an application sees it by the extension "frames" and goes on without it.
"""

from __future__ import annotations

import random
from functools import lru_cache
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

LAST_WORD = 5.0  # seconds for a peer that did not read to receive the close code
DRAIN = 2.0  # seconds over which connections are closed at a deploy


def frame(text: bytes) -> bytes:
    """A server's text message as a WebSocket frame (RFC 6455, 5.2)."""
    length = len(text)
    if length < 126:
        head = bytes((0x81, length))
    elif length < 65_536:
        head = b"\x81\x7e" + length.to_bytes(2, "big")
    else:
        head = b"\x81\x7f" + length.to_bytes(8, "big")
    return head + text


framed = lru_cache(512)(frame)  # made once for any number of receivers


class WebSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol, which lets the application write prepared frames."""

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if self.handshake_initiated and not self.close_sent:
            self.scope["extensions"]["frames"] = {"write": self.write}

    def write(self, frames: bytes) -> bool:
        """Write whole frames at once. Returns False, and writes nothing, where the peer does not read or has gone.

        Without a coroutine and a timer for each of a thousand peers, which would cost more than the writing.
        """
        if not self.writable.is_set() or self.disconnected or self.close_sent:
            return False
        self.transport.write(frames)
        return True

    async def send(self, message: Any) -> None:
        """Besides ASGI's: `{"type": "websocket.send", "frames": bytes}`, whole frames. Waits while the peer does not read."""
        if "frames" in message:
            if not self.writable.is_set():
                await self.writable.wait()
            if self.disconnected or self.close_sent:
                raise ClientDisconnected
            self.transport.write(message["frames"])
        elif message["type"] == "websocket.close" and not self.writable.is_set():
            self.conn.send_close(message["code"], message.get("reason", ""))
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self.close_timer = self.loop.call_later(LAST_WORD, self.transport.abort)
        else:
            await super().send(message)

    def keepalive_timeout(self) -> None:
        """The peer is gone. uvicorn would close with 1011, after which GraphQL clients do not reconnect."""
        self.pong_timer = None
        self.transport.abort()

    def shutdown(self) -> None:
        """Close with 1012 (restart), spread over seconds, so that not all clients reconnect at once."""
        self.loop.call_later(random.uniform(0, DRAIN), super().shutdown)  # noqa: S311
