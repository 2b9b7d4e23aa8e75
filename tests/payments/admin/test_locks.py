"""Operators see who holds and who waits, and take a row from one that hangs: asked, allowed, and in the log."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connections
from django.test import Client
from django.urls import reverse

from payments.models import Refund, User
from payments.services.charges import receiving, refunds
from tests.payments import making
from tests.processes import wait_until
from tests.topologies.topologies import Cluster, Standalone, Topology
from woovi.locks import Lock, StaleFence, metrics
from woovi.locks.holders import look

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/admin/payments/rowlock/"
LABEL = "payments.refund"


@pytest.fixture(autouse=True)
def _own_redis(valkey: Standalone) -> None:
    """Empty, and nobody else's locks in it."""


@pytest.fixture
def refund() -> Refund:
    shop = making.company()
    receiving.receive(making.pix(pix_key=shop.pix_key, value=5_000))
    charge = making.charge(shop, 1_000)
    receiving.receive(making.pix(charge))
    charge.refresh_from_db()
    return refunds.request(shop, charge, "devolucao-1", 300, now=charge.paid_at)


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("op@example.com", "x"))
    return client


def clerk(*rights: str) -> Client:
    person = User.objects.create_user("clerk@example.com", "x", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def hold() -> Iterator[Callable[..., threading.Event]]:
    """Do something in another thread while it holds a lock. Returns what lets it go on; ended with the test."""
    threads: list[tuple[threading.Thread, threading.Event]] = []

    def start(act: Callable[[threading.Event, threading.Event], Any]) -> threading.Event:
        held, go_on = threading.Event(), threading.Event()

        def run() -> None:
            try:
                act(held, go_on)
            finally:
                connections.close_all()

        thread = threading.Thread(target=run)
        thread.start()
        threads.append((thread, go_on))
        assert held.wait(20)
        return go_on

    yield start
    for thread, go_on in threads:
        go_on.set()
        thread.join(20)


def release_url(pk: object, label: str = LABEL) -> str:
    return reverse("admin:payments_rowlock_release", args=[label, pk])


def text(answer: Any) -> str:
    return str(answer.content.decode())


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def test_holders_and_waiters_are_shown_with_a_link_to_the_row(operator: Client, refund: Refund, hold: Any) -> None:
    def wait(held: threading.Event, go_on: threading.Event) -> None:
        held.set()
        with Lock((LABEL, refund.pk), timeout=20):
            pass

    with Refund.objects.lock_rows(pk=refund.pk), Lock(("report", 7)):
        hold(wait)
        wait_until(lambda: len(look(LABEL, refund.pk).waiting) == 1)  # type: ignore[union-attr]
        page = operator.get(PAGE)
        first, second = page.context["lines"]  # where somebody waits comes first
        assert (first.held.pk, len(first.waiting), first.row) == (str(refund.pk), 1, refund)
        assert first.holder == first.waiting[0][:2]
        assert 0 < first.held.seconds_left <= 10
        assert f'href="/admin/payments/refund/{refund.pk}/change/"' in text(page)
        assert release_url(refund.pk) in text(page)
        assert (second.name, second.row) == ("report", None)
        assert "no-store" in page["Cache-Control"]
    assert PAGE in text(operator.get("/admin/"))


def test_what_happened_is_added_up(operator: Client, refund: Refund) -> None:
    metrics.count(["payments.charge"], "stale")
    metrics.write()
    counts = {each["name"]: each for each in operator.get(PAGE).context["counts"]}
    assert counts["cobrança"]["stale"] >= 1
    assert counts["cobrança"]["taken"] >= 1  # by the refund's request
    assert operator.get(PAGE).context["processes"] == 1


def test_a_row_is_taken_after_a_question_with_a_reason_and_it_is_in_the_log(operator: Client, refund: Refund) -> None:
    with Refund.objects.lock_rows(pk=refund.pk) as hanging:
        fence = hanging.rows.row.lock_fence
        asked = operator.get(release_url(refund.pk))
        assert str(refund) in text(asked)
        for body in ({}, {"fence": fence}, {"fence": fence, "reason": " "}, {"fence": "x", "reason": "hangs"}):
            assert operator.post(release_url(refund.pk), body).status_code == 200
        assert look(LABEL, refund.pk)
        assert not LogEntry.objects.exists()

        answer = operator.post(release_url(refund.pk), {"fence": fence, "reason": "its host is gone"}, follow=True)
        assert said(answer) == ["A linha está livre. Quem a segurava não pode mais gravá-la."]
        assert look(LABEL, refund.pk) is None
        with pytest.raises(StaleFence), hanging.write():
            raise AssertionError
    entry = LogEntry.objects.get()
    assert (entry.user.email, entry.get_edited_object()) == ("op@example.com", refund)
    assert entry.change_message.startswith("Lock taken from ")
    assert f"fence {fence}, 0 waiting" in entry.change_message
    assert "Reason: its host is gone" in entry.change_message
    assert "its host is gone" in text(operator.get(f"/admin/payments/refund/{refund.pk}/history/"))


def test_control_without_it_the_holder_writes(refund: Refund) -> None:
    with Refund.objects.lock_rows(pk=refund.pk) as hanging, hanging.write() as rows:
        rows.row.save()


def test_who_holds_it_by_then_is_left_alone(operator: Client, refund: Refund) -> None:
    with Refund.objects.lock_rows(pk=refund.pk) as first:
        fence = first.rows.row.lock_fence
    with Refund.objects.lock_rows(pk=refund.pk) as second:
        answer = operator.post(release_url(refund.pk), {"fence": fence, "reason": "hangs"}, follow=True)
        assert said(answer) == ["Outro já segura a linha: nada foi liberado."]
        with second.write() as rows:
            rows.row.save()
    assert not LogEntry.objects.exists()


def test_a_row_that_nobody_holds_any_more(operator: Client, refund: Refund) -> None:
    answer = operator.get(release_url(refund.pk), follow=True)
    assert said(answer) == ["Ninguém mais segura esta linha."]
    assert not LogEntry.objects.exists()


def test_a_holder_with_an_open_transaction_keeps_the_row_and_it_is_said(
    operator: Client, refund: Refund, hold: Any
) -> None:
    def work(held: threading.Event, go_on: threading.Event) -> None:
        with Refund.objects.lock_for_update(pk=refund.pk):
            held.set()
            assert go_on.wait(20)

    hold(work)
    held = look(LABEL, refund.pk)
    assert held
    answer = operator.post(release_url(refund.pk), {"fence": held.fence, "reason": "hangs"}, follow=True)
    assert said(answer)[0].startswith("A trava está livre, mas a transação")
    assert LogEntry.objects.count() == 2


@pytest.mark.parametrize(("label", "pk"), [("report", "7"), ("payments.charge", "x"), ("payments.charge", "99")])
def test_what_is_no_row_is_not_taken(operator: Client, label: str, pk: str) -> None:
    with Lock((label, pk)):
        assert operator.get(release_url(pk, label)).status_code == 404
        assert operator.post(release_url(pk, label), {"fence": 1, "reason": "x"}).status_code == 404
        assert pk in text(operator.get(PAGE))


def test_who_may_see_may_not_take(refund: Refund) -> None:
    reader = clerk("view_rowlock")
    with Refund.objects.lock_rows(pk=refund.pk) as held:
        page = reader.get(PAGE)
        assert page.status_code == 200
        assert release_url(refund.pk) not in text(page)
        assert reader.get(release_url(refund.pk)).status_code == 403
        body = {"fence": held.rows.row.lock_fence, "reason": "x"}
        assert reader.post(release_url(refund.pk), body).status_code == 403
        assert look(LABEL, refund.pk)
    assert not LogEntry.objects.exists()


def test_other_rights_open_nothing(refund: Refund) -> None:
    other = clerk("view_refund", "change_refund", "delete_refund")
    assert other.get(PAGE).status_code == 403
    assert other.get(release_url(refund.pk)).status_code == 403


def test_merchants_do_not_enter(client: Client, refund: Refund) -> None:
    client.force_login(User.objects.create_user("ana@example.com", "x", company=refund.company))
    with Refund.objects.lock_rows(pk=refund.pk):
        for url in (PAGE, release_url(refund.pk)):
            assert client.get(url).status_code == 302
            assert client.post(url, {"fence": 1, "reason": "x"}).status_code == 302
        assert look(LABEL, refund.pk)


def test_without_redis_the_page_says_so(operator: Client, refund: Refund, valkey: Standalone, settings: Any) -> None:
    valkey.servers[0].kill()
    page = operator.get(PAGE)
    assert page.status_code == 200
    assert "O Redis não responde" in text(page)
    assert "o banco de dados trava as linhas sozinho" in text(page)
    settings.LOCKS_WITHOUT_REDIS = "refuse"
    assert "ninguém recebe uma trava" in text(operator.get(PAGE))
    answer = operator.post(release_url(refund.pk), {"fence": 1, "reason": "x"}, follow=True)
    assert said(answer) == ["O Redis não responde: nada foi liberado."]
    assert not LogEntry.objects.exists()


def test_on_every_topology(operator: Client, refund: Refund, topology: Topology) -> None:
    with Refund.objects.lock_rows(pk=refund.pk) as held:
        (line,) = operator.get(PAGE).context["lines"]
        assert line.row == refund
        body = {"fence": held.rows.row.lock_fence, "reason": "x"}
        operator.post(release_url(refund.pk), body)
        assert look(LABEL, refund.pk) is None
    if isinstance(topology, Cluster):
        topology.servers[0].kill()  # a part of the rows cannot be seen: rather nothing than a part
        assert operator.get(PAGE).context["away"]
