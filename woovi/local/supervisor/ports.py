"""Ports that are free, found without a race."""

from __future__ import annotations

import errno
import socket

TRIES = 100


def listen(host: str, port: int) -> socket.socket:
    """Listen on `port`, or on the next free one after it; 0 takes any.

    The socket is handed to the server. Telling the server a port that was free a moment ago would be a race, and
    with the socket kept here, connections wait while the server is started again instead of being refused.

    Raises OSError when the address cannot be had, or none of 100 ports is free.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port, min(port + TRIES, 65_536)):
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            listener.listen(2048)
            return listener
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, f"no free port from {port} on")
