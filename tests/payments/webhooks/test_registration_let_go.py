"""A merchant's server that takes its ten seconds over the test call holds none of our database connections."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from django.db import connection, connections, transaction

from payments.models import Company, WebhookEndpoint
from payments.services import companies, webhooks
from tests.receiver import Receiver
from woovi import database
from woovi.http import outgoing

pytestmark = pytest.mark.django_db(transaction=True)


def taken() -> int:
    stats = connection.pool.get_stats()  # type: ignore[attr-defined]
    return int(stats["pool_size"] - stats["pool_available"])


def taken_while(slow: threading.Event, url: str, wait: Callable[[], Any]) -> int:
    """Connections that a registration holds once `slow` is reached; then `wait` lets it go on."""
    company = companies.onboard(official_name="L", trade_name="L", tax_id="1" * 14, pix_key="loja@example.com")
    connection.close()
    before = taken()

    def register() -> None:
        try:
            assert Company.objects.filter(pk=company.pk).exists()  # as the log-in did, on the request's thread
            webhooks.create(company, name="Loja", url=url)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(register)
        assert slow.wait(20)
        during = taken()
        wait()
        call.result(20)
    assert WebhookEndpoint.objects.filter(company=company).count() == 1
    return during - before


def at_the_receiver(receiver: Receiver) -> int:
    reached = threading.Event()

    def slowly(handler: BaseHTTPRequestHandler) -> None:
        reached.set()
        receiver.release.wait(20)
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    receiver.answers = [slowly]
    return taken_while(reached, receiver.url, receiver.release.set)


def test_a_slow_receiver_holds_no_connection(receiver: Receiver) -> None:
    assert at_the_receiver(receiver) == 0


def test_without_letting_go_it_holds_one(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr(database, "let_go", lambda: None)
    assert at_the_receiver(receiver) == 1


def test_a_slow_name_server_holds_none_either(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    reached, release = threading.Event(), threading.Event()
    real = outgoing.check_url

    def slowly(url: str) -> None:
        reached.set()
        release.wait(20)
        real(url)

    monkeypatch.setattr(outgoing, "check_url", slowly)
    assert taken_while(reached, receiver.url, release.set) == 0


def test_inside_a_transaction_it_is_refused_before_anybody_is_called(receiver: Receiver) -> None:
    company = companies.onboard(official_name="L", trade_name="L", tax_id="1" * 14, pix_key="loja@example.com")
    with pytest.raises(RuntimeError, match="transaction"), transaction.atomic():
        webhooks.create(company, name="Loja", url=receiver.url)
    assert not receiver.got
