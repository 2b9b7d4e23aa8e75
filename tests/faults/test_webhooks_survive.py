"""Webhooks by the real relay and worker, while the worker is killed and Redis is emptied, frozen and killed."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Iterator

import pytest
import redis
from celery import Celery
from django.db import transaction

from payments.models import WebhookDelivery, WebhookEndpoint
from payments.services import companies
from tests.processes import Process, Valkey, own_valkey, wait_until
from tests.receiver import Receiver, serve
from woovi import outbox
from woovi.outbox.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)

EVENT = "OPENPIX:CHARGE_CREATED"
WORKER = ("-m", "celery", "-A", "woovi", "worker")
BANK_WORKER = (*WORKER, "--queues", "bank", "--concurrency", "4", "--hostname", "bank@%h")
RELAY = ("manage.py", "relay")
CARRIER = (*RELAY, "--no-jobs")  # what it starts, it starts by events alone


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serve() as server:
        yield server


@pytest.fixture
def endpoint(receiver: Receiver) -> WebhookEndpoint:
    company = companies.onboard(official_name="A", trade_name="A", tax_id="1" * 14, pix_key="a@example.com")
    return WebhookEndpoint.objects.create(company=company, name="a", event=EVENT, url=receiver.url, secret="s")


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    with own_valkey() as server:
        yield server


def start(command: tuple[str, ...], valkey: Valkey, **env: str) -> contextlib.AbstractContextManager[Process]:
    return Process(*command, REDIS_URL=valkey.url, **env)


def write(endpoint: WebhookEndpoint) -> OutboxEvent:
    with transaction.atomic():
        return outbox.write(EVENT, str(endpoint.company_id), {"event": EVENT})


def delivered(count: int = 1) -> bool:
    return WebhookDelivery.objects.filter(status="DELIVERED").count() == count


def end_leases() -> None:
    """As if their time had passed."""
    WebhookDelivery.objects.filter(status="PENDING").update(leased_until="2020-01-01T00:00:00Z")


def test_a_worker_killed_during_the_call_is_followed_by_another_with_the_same_id(
    endpoint: WebhookEndpoint, receiver: Receiver, valkey: Valkey
) -> None:
    receiver.answers = [receiver.hang]
    with start(RELAY, valkey):
        with start(WORKER, valkey) as worker:
            event = write(endpoint)
            wait_until(lambda: receiver.got)
            worker.stop(signal.SIGKILL)
        end_leases()
        with start(WORKER, valkey):
            wait_until(delivered)
    assert [got.headers["x-webhook-event-id"] for got in receiver.got] == [str(event.event_id)] * 2
    assert len({got.body for got in receiver.got}) == 1
    tries = WebhookDelivery.objects.get().tries.order_by("number")
    assert list(tries.values_list("number", "status_code")) == [(1, None), (2, 200)]


def test_hints_that_redis_lost_are_given_again(endpoint: WebhookEndpoint, valkey: Valkey) -> None:
    broker = redis.Redis.from_url(valkey.url)
    with start(CARRIER, valkey):
        write(endpoint)
        wait_until(lambda: broker.llen("webhooks") == 1)
    broker.flushall()
    broker.close()
    end_leases()
    with start(RELAY, valkey), start(WORKER, valkey):
        wait_until(delivered)


@pytest.mark.parametrize("fault", ["frozen", "killed"])
def test_redis_away_holds_up_tasks_alone_and_loses_nothing(
    endpoint: WebhookEndpoint, valkey: Valkey, fault: str
) -> None:
    with start(RELAY, valkey) as relay, start(WORKER, valkey):
        write(endpoint)
        wait_until(delivered)
        (valkey.freeze if fault == "frozen" else valkey.kill)()
        started = time.monotonic()
        event = write(endpoint)
        with transaction.atomic():
            task = outbox.write("task:sweep_webhooks", str(endpoint.company_id), {})
        wait_until(lambda: WebhookDelivery.objects.filter(event=event).exists())
        wait_until(lambda: OutboxEvent.objects.get(pk=event.pk).relayed_at)
        wait_until(lambda: OutboxEvent.objects.get(pk=task.pk).attempts >= 2, 40)
        assert time.monotonic() - started < 30, "each try is bounded"
        assert OutboxEvent.objects.get(pk=task.pk).relayed_at is None
        (valkey.thaw if fault == "frozen" else valkey.start)()
        end_leases()
        wait_until(lambda: delivered(2), 60)
        wait_until(lambda: OutboxEvent.objects.get(pk=task.pk).relayed_at, 40)
        assert relay.popen.poll() is None


def test_a_bank_that_hangs_keeps_no_webhook_waiting(
    endpoint: WebhookEndpoint, receiver: Receiver, valkey: Valkey
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        bank = {"BANK_URL": f"http://127.0.0.1:{frozen.getsockname()[1]}"}
        with start(CARRIER, valkey), start(WORKER, valkey, **bank), start(BANK_WORKER, valkey, **bank):
            with Celery(broker=f"redis+socket://{valkey.socket}") as sender:
                for _ in range(40):  # more than either worker has threads
                    sender.send_task("payments.reconcile", queue="bank")
            frozen.settimeout(30)
            frozen.accept()[0].close()  # the bank's worker hangs, and will for minutes
            write(endpoint)
            wait_until(delivered, 8)
