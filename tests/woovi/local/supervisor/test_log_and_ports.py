from __future__ import annotations

import io
import socket

import pytest

from woovi.local.supervisor import Log, listen


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_colour_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    Log(stream, ["web", "worker"]).line("web", "hello")
    assert stream.getvalue() == "\x1b[36mweb    |\x1b[0m hello\n"


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    Log(stream, ["web"]).line("web", "hello")
    assert stream.getvalue() == "web | hello\n"


def test_a_stream_that_nobody_reads_is_noticed_and_does_no_harm() -> None:
    log = Log(Gone(), ["web"])
    log.line("web", "hello")
    log.line("web", "again")
    assert log.broken


def test_a_port_in_use_gives_the_next_free_one() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with listen("127.0.0.1", port) as second:
            assert port < second.getsockname()[1] < port + 100


def test_a_port_is_ours_from_the_start() -> None:
    """Nobody else can have it between the choice and the server's start: two clones never clash."""
    with listen("127.0.0.1", 0) as listener, socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(listener.getsockname())


def test_an_address_that_is_not_ours_is_refused_at_once() -> None:
    with pytest.raises(OSError, match="assign"):
        listen("192.0.2.1", 8000)
