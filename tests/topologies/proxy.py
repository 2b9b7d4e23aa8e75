"""A TCP proxy on loopback in front of one server, which loses what a test tells it to lose."""

from __future__ import annotations

import contextlib
import select
import socket
import threading


class Proxy:
    """Forwards `port` to `server_port`, bytes as they come. `lost` are the replies that nobody heard."""

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.lost: list[bytes] = []
        self.stalled = False
        self._silenced = 0  # how often the links of that moment were
        self._doomed: list[bytes] = []  # what a request must hold for its reply to be lost, each once
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_reply(self, request: bytes) -> None:
        """Forward the next request that holds `request`, and close the connection when its reply comes."""
        self._doomed.append(request)

    def stall_replication(self) -> None:
        """Let no replica hear anything any more: what it has not got when its primary dies, it never gets."""
        self.stalled = True

    def silence(self) -> None:
        """Let nobody hear anything any more on the links of now, which stay open, as where a firewall forgot them."""
        self._silenced += 1

    def heal(self) -> None:
        self.lost, self._doomed, self.stalled = [], [], False

    def close(self) -> None:
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)  # its thread wakes, and closes it
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.server_port)) as server:
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open |= {client, server}
            try:
                self._forward(client, server)
            finally:
                self._open -= {client, server}

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        doomed = replica = False
        born = self._silenced
        while True:
            readable, _, _ = select.select([client, server], [], [])
            for end in readable:
                data = end.recv(65536)
                if not data:
                    return
                if born < self._silenced:
                    continue
                if end is client:
                    replica = replica or b"PSYNC" in data
                    doomed = doomed or self._is_doomed(data)
                    server.sendall(data)
                elif doomed:
                    self.lost.append(data)
                    return
                elif not (replica and self.stalled):
                    client.sendall(data)

    def _is_doomed(self, data: bytes) -> bool:
        for request in self._doomed:
            if request in data:
                self._doomed.remove(request)
                return True
        return False
