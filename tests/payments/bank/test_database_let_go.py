"""A bank that hangs holds no database connection, and is never called inside a transaction of ours."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections, transaction

from payments.bank.port import BankError
from payments.bank.session import Session
from payments.models import Company
from woovi import database


@pytest.fixture
def frozen() -> Iterator[socket.socket]:
    """A bank that takes calls and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        yield server


def taken() -> int:
    stats = connection.pool.get_stats()  # type: ignore[attr-defined]
    return int(stats["pool_size"] - stats["pool_available"])


def _taken_during_a_call(frozen: socket.socket) -> int:
    connection.close()
    before = taken()

    def read_and_call() -> None:
        session = Session(f"http://127.0.0.1:{frozen.getsockname()[1]}", "woovi", "secret", timeout=5)
        try:
            assert not Company.objects.filter(pk=0).exists()
            with pytest.raises(BankError):
                session.call("GET", "/cob/a")
        finally:
            session.close()
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(read_and_call)
        called, _ = frozen.accept()
        during = taken()
        called.close()
        call.result(20)
    return during - before


@pytest.mark.django_db(transaction=True)
def test_a_call_that_hangs_holds_no_connection(frozen: socket.socket) -> None:
    assert _taken_during_a_call(frozen) == 0


@pytest.mark.django_db(transaction=True)
def test_without_letting_go_it_holds_one(frozen: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr(database, "let_go", lambda: None)
    assert _taken_during_a_call(frozen) == 1


@pytest.mark.django_db(transaction=True)
def test_a_call_inside_a_transaction_is_refused() -> None:
    session = Session("http://127.0.0.1:9", "woovi", "secret")
    with pytest.raises(RuntimeError, match="transaction"), transaction.atomic():
        session.call("GET", "/cob/a")
    session.close()


@pytest.mark.django_db
def test_the_transaction_of_a_test_is_not_ours_and_one_within_it_is() -> None:
    database.let_go()
    with pytest.raises(RuntimeError), transaction.atomic():
        database.let_go()
