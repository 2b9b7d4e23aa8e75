"""What the outbox and the timetable start is there under its name."""

from __future__ import annotations

from typing import Any

import pytest

from payments import tasks
from payments.models import Refund
from payments.services.charges import receiving
from tests.bank_process import BankProcess
from tests.payments import making
from woovi.celery import app
from woovi.outbox.models import OutboxEvent
from woovi.schedule import SCHEDULE


def test_every_periodic_job_is_a_task() -> None:
    app.loader.import_default_modules()
    assert {f"payments.{name}" for name in SCHEDULE} <= set(app.tasks)


def test_what_waits_for_the_bank_has_a_queue_of_its_own() -> None:
    app.loader.import_default_modules()
    queues = {name: app.amqp.router.route({}, name)["queue"].name for name in app.tasks if name.startswith("payments.")}
    assert queues == {
        "payments.send_refund": "bank",
        "payments.check_refunds": "bank",
        "payments.reconcile": "bank",
        "payments.compare_bank": "bank",
        "payments.send_payment": "payments",
        "payments.check_payments": "payments",
        "payments.pay_batches": "batches",
        "payments.sweep_batches": "batches",
        "payments.deliver_webhook": "webhooks",
        "payments.mail_new_device": "webhooks",
        "payments.mail_log_in_code": "webhooks",
        "payments.mail_password_link": "webhooks",
        "payments.mail_second_factor": "webhooks",
        "payments.mail_person_added": "webhooks",
        "payments.mail_invitation": "webhooks",
        "payments.prune": "webhooks",
        "payments.seal_second_factors": "webhooks",
        "payments.check_ledger": "webhooks",
        "payments.sweep_webhooks": "webhooks",
    }


@pytest.mark.django_db(transaction=True)
def test_the_outbox_starts_the_refund_with_what_its_task_takes(bank: BankProcess) -> None:
    charge = making.charge(making.company())
    receiving.receive(making.pix(charge, value=1), making.NOW)
    event = OutboxEvent.objects.get(topic="task:send_refund")

    getattr(tasks, event.topic.removeprefix("task:"))(**event.payload)

    assert Refund.objects.get().status == "REJECTED"  # the bank knows no such Pix


@pytest.mark.django_db(transaction=True)
def test_the_sweeps_run(bank: BankProcess) -> None:
    tasks.reconcile()
    tasks.check_refunds()


@pytest.mark.django_db(transaction=True)
def test_a_bank_that_is_away_is_seen_in_the_log(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.BANK_URL = "http://127.0.0.1:9"
    tasks.reconcile()
    assert ("payments.tasks", "WARNING") in {(record.name, record.levelname) for record in caplog.records}
