"""Serves the platform on a listening socket: `python -m woovi.supervisor.serve FD`.

Not `uvicorn --fd`, which takes every descriptor for a unix socket, so that connections go without TCP_NODELAY and a
WebSocket's second frame waits for the first one's acknowledgement.
"""

from __future__ import annotations

import socket
import sys

import uvicorn


def main() -> None:
    config = uvicorn.Config("woovi.asgi:application", lifespan="off", timeout_graceful_shutdown=3)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])


if __name__ == "__main__":
    main()
