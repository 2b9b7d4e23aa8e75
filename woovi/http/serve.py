"""Serves the platform on a listening socket: `python -m woovi.http.serve FD`.

Not `uvicorn --fd`, which takes every descriptor for a unix socket, so that connections go without TCP_NODELAY and a
WebSocket's second frame waits for the first one's acknowledgement.
"""

from __future__ import annotations

import socket
import sys

import uvicorn

from woovi.http.websocket import WebSocket


def main() -> None:
    """Serve HTTP and WebSockets until SIGTERM."""
    config = uvicorn.Config(
        "woovi.asgi:application",
        lifespan="off",
        access_log=False,  # paths may hold a Pix key or a tax id
        timeout_graceful_shutdown=3,
        ws=WebSocket,
        ws_max_size=65_536,  # bytes: clients send only short requests
        ws_ping_interval=25,
        ws_ping_timeout=40,  # longer than the time-out of a client that does not read, which must still get its close code
        ws_per_message_deflate=False,  # a compression window would cost more memory than the rest of a connection
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])


if __name__ == "__main__":
    main()
