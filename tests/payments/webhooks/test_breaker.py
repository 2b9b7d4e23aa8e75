"""An endpoint that fails is left alone: it holds no worker, one delivery tries it now and then, and none is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from payments.models import Company, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from payments.services import companies, webhooks
from payments.services.webhooks import breaker, worker
from payments.services.webhooks.deliveries import deliver, fan_out, next_due, resend, resend_failed, sweep
from tests.processes import wait_until
from tests.receiver import Receiver, serve
from woovi import outbox

pytestmark = pytest.mark.django_db(transaction=True)

EVENT = "OPENPIX:CHARGE_CREATED"
AT = datetime(2026, 3, 4, 5, tzinfo=UTC)
Status = WebhookDelivery.Status


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def owed(company: Company, url: str, events: int = 8) -> WebhookEndpoint:
    """An endpoint with deliveries that are due."""
    made = WebhookEndpoint.objects.create(company=company, name="a", event=EVENT, url=url, secret="s")
    with transaction.atomic():
        written = outbox.write_many((EVENT, str(company.pk), {"n": n}) for n in range(events))
    fan_out(written)
    WebhookDelivery.objects.filter(endpoint=made).update(next_attempt_at=AT, created_at=AT, leased_until=None)
    return made


def ids(endpoint: WebhookEndpoint) -> list[int]:
    return list(endpoint.deliveries.order_by("pk").values_list("pk", flat=True))


@pytest.fixture
def endpoint(company: Company, receiver: Receiver) -> WebhookEndpoint:
    """One that has just failed four times."""
    made = owed(company, receiver.url)
    receiver.answers = [500] * 4
    for pk in ids(made)[:4]:
        assert deliver(pk, 0, AT) == Status.PENDING
    made.refresh_from_db()
    return made


def test_after_four_failures_in_a_row_nothing_is_sent_and_no_try_used_up(
    endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    assert (endpoint.failures, endpoint.paused_until) == (4, AT + seconds(10))
    waiting = ids(endpoint)[4]
    assert deliver(waiting, 0, AT + seconds(9)) is None
    assert (len(receiver.got), WebhookAttempt.objects.count()) == (4, 4)
    assert WebhookDelivery.objects.get(pk=waiting).attempts == 0
    assert sweep(now=AT + seconds(9)) == 0, "it is not hinted either"
    WebhookEndpoint.objects.update(paused_until=datetime(2100, 1, 1, tzinfo=UTC))
    assert next_due(endpoint.company_id) is None


def test_a_success_between_failures_begins_the_count_anew(company: Company, receiver: Receiver) -> None:
    made = owed(company, receiver.url)
    receiver.answers = [500, 500, 500, 200, 500, 500, 500]
    for pk in ids(made)[:7]:
        deliver(pk, 0, AT)
    made.refresh_from_db()
    assert (made.failures, made.paused_until) == (3, None)


def test_one_delivery_probes_and_each_failure_doubles_the_pause(endpoint: WebhookEndpoint, receiver: Receiver) -> None:
    now = AT
    waits = []
    for pk in ids(endpoint)[4:8]:
        endpoint.refresh_from_db()
        assert endpoint.paused_until
        now = endpoint.paused_until
        receiver.answers = [503]
        assert deliver(pk, 0, now) == Status.PENDING
        endpoint.refresh_from_db()
        waits.append((endpoint.paused_until - now).total_seconds())
    assert waits == [20, 40, 80, 160]
    assert breaker._pause(1000) == breaker.LONGEST


def test_the_probe_that_arrives_opens_it_and_all_that_waited_is_delivered_once(
    endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    later = AT + seconds(100)
    assert deliver(ids(endpoint)[4], 0, later) == Status.DELIVERED
    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.paused_until) == (0, None)
    assert sweep(now=later) == 7
    for pk, tried in endpoint.deliveries.filter(status=Status.PENDING).values_list("pk", "attempts"):
        assert deliver(pk, tried, later) == Status.DELIVERED
    arrived = [got.headers["x-webhook-event-id"] for got in receiver.got[4:]]
    assert len(set(arrived)) == len(arrived) == 8


def race(pks: list[int], now: datetime) -> list[threading.Thread]:
    def run(pk: int) -> None:
        try:
            deliver(pk, 0, now)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(pk,)) for pk in pks]
    for thread in threads:
        thread.start()
    return threads


def finish(threads: list[threading.Thread], receiver: Receiver) -> None:
    receiver.release.set()
    for thread in threads:
        thread.join()


def test_of_many_that_come_after_the_pause_one_probes(endpoint: WebhookEndpoint, receiver: Receiver) -> None:
    receiver.answers = [receiver.hang] * 4
    threads = race(ids(endpoint)[4:], AT + seconds(10))
    wait_until(lambda: len(receiver.got) == 5 and sum(thread.is_alive() for thread in threads) == 1)
    finish(threads, receiver)


def test_control_without_it_all_four_would_call(
    endpoint: WebhookEndpoint, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "enter", lambda *_: breaker.Entry.PLAIN)
    receiver.answers = [receiver.hang] * 4
    threads = race(ids(endpoint)[4:], AT + seconds(10))
    wait_until(lambda: len(receiver.got) == 8)
    finish(threads, receiver)


@pytest.mark.parametrize("paused", ["before", "meanwhile"])
def test_a_try_that_began_before_the_pause_is_no_probe(
    endpoint: WebhookEndpoint, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, paused: str
) -> None:
    """The endpoint is paused by others between the look whether it is and the claim of the try. A control: paused before."""
    until, enter = AT + seconds(10), breaker.enter
    WebhookEndpoint.objects.update(failures=3, paused_until=None)

    def pause() -> None:
        WebhookEndpoint.objects.update(failures=4, paused_until=until)

    def entered(*given: Any) -> Any:
        found = enter(*given)
        if paused == "meanwhile":
            pause()
        return found

    monkeypatch.setattr(breaker, "enter", entered)
    if paused == "before":
        pause()
    receiver.answers = [500]
    assert deliver(ids(endpoint)[4], 0, until) == Status.PENDING
    endpoint.refresh_from_db()
    expected = (5, until + seconds(20)) if paused == "before" else (4, until)
    assert (endpoint.failures, endpoint.paused_until) == expected


def test_a_probe_whose_worker_died_is_followed_by_another(
    endpoint: WebhookEndpoint, receiver: Receiver, settings: Any
) -> None:
    with transaction.atomic():
        lease = AT + seconds(10 + settings.WEBHOOK_TIMEOUT + 20)
        assert breaker.enter(ids(endpoint)[4], AT + seconds(10), lease) == breaker.Entry.PROBE
    assert deliver(ids(endpoint)[5], 0, lease - seconds(1)) is None
    assert deliver(ids(endpoint)[5], 0, lease) == Status.DELIVERED


def hung_workers(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> Callable[[], int]:
    """Eight workers of one process, with hints of the deliveries of four companies whose endpoints failed, and now hang."""
    monkeypatch.setattr(worker, "_company_at_once", lambda: 2)
    hints = []
    for number in range(4):
        made = companies.onboard(official_name="B", trade_name="B", tax_id=f"{number}" * 14, pix_key=f"{number}@b.com")
        endpoint = owed(made, receiver.url)
        receiver.answers = [receiver.reset] * 4
        for pk in ids(endpoint)[:4]:
            deliver(pk, 0)
        hints += [(pk, 0, endpoint.pk) for pk in ids(endpoint)[4:6]]
    receiver.got.clear()
    receiver.answers = [receiver.hang] * 100

    def work(*hint: int) -> None:
        try:
            worker.work(*hint)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=hint) for hint in hints]
    for thread in threads:
        thread.start()
    return lambda: sum(thread.is_alive() for thread in threads)


def test_dead_endpoints_of_many_companies_hold_no_worker(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    busy = hung_workers(monkeypatch, receiver)
    wait_until(lambda: not busy())
    assert receiver.got == []


def test_control_without_the_pause_they_hold_all(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    monkeypatch.setattr(breaker, "FAILURES", 1_000)
    busy = hung_workers(monkeypatch, receiver)
    wait_until(lambda: len(receiver.got) == 8 == busy())
    receiver.answers = []
    receiver.release.set()
    wait_until(lambda: not busy())


def test_a_person_who_sends_again_or_changes_the_url_does_not_wait(
    company: Company, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    done = endpoint.deliveries.order_by("pk")[4]
    WebhookDelivery.objects.filter(pk=done.pk).update(status=Status.FAILED, attempts=8)
    resend(done, AT + seconds(1))
    assert deliver(done.pk, 8, AT + seconds(1)) == Status.DELIVERED
    WebhookEndpoint.objects.update(failures=9, paused_until=AT + seconds(999))
    with serve() as other:
        changed = webhooks.change(company, endpoint.public_id, {"url": other.url})
    changed.refresh_from_db()
    assert (changed.failures, changed.paused_until) == (0, None)


def test_what_has_waited_a_day_for_an_endpoint_that_still_fails_is_given_up(
    endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.answers = [500]
    tried = ids(endpoint)[4]
    deliver(tried, 0, AT + timedelta(days=1, hours=1))
    waited = endpoint.deliveries.exclude(pk=tried)  # the one that was tried has tries left
    assert set(waited.values_list("status", flat=True)) == {Status.FAILED}
    assert webhooks.listing(endpoint.company).get().is_active


def test_what_is_sent_again_after_days_has_its_tries_again(endpoint: WebhookEndpoint, receiver: Receiver) -> None:
    later = AT + timedelta(days=2)
    endpoint.deliveries.update(status=Status.FAILED)
    assert resend_failed(endpoint, later) == 8
    receiver.answers = [502]
    deliver(ids(endpoint)[0], 0, later)
    assert set(endpoint.deliveries.values_list("status", flat=True)) == {Status.PENDING}
