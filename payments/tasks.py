"""Celery tasks: thin, each calls one service. A message is a hint; what is due is read from the database."""

from __future__ import annotations

import logging
from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down

from payments import checks
from payments.bank.port import BankError
from payments.services import batches, devices, passwords, payments, people, reconciliation, retention, second_factor
from payments.services.charges import returning
from payments.services.reconciliation import bank_days
from payments.services.webhooks import deliveries, worker
from woovi import queue

log = logging.getLogger(__name__)

# Mail whose server is away: ten more tries within eight minutes. No sweep repeats them. A worker keeps the message in its
# memory between two tries, so the waits are a minute at most. SMTPException is an OSError.
TRY_AGAIN: dict[str, Any] = {
    "autoretry_for": (OSError,),
    "max_retries": 10,
    "retry_backoff": 10,  # seconds, doubled each time
    "retry_backoff_max": 60,
    "retry_jitter": False,  # it would take tries close together; of mail there is little
}


@shared_task(name="payments.send_refund", ignore_result=True)
def send_refund(refund_id: int) -> None:
    """Ask the bank for one refund. Started by the outbox."""
    returning.send(refund_id)


@shared_task(name="payments.check_refunds", ignore_result=True)
def check_refunds() -> None:
    """Ask the bank about refunds that are still open. Runs by the clock."""
    returning.check_open()


@shared_task(name="payments.send_payment", ignore_result=True)
def send_payment(payment_id: int, look: int = 0) -> None:
    """Ask the bank for one payment. Started by the outbox, and by itself while the bank carries it out."""
    payment = payments.send(payment_id)
    if (wait := payments.next_look(payment, look)) is not None:
        queue.send([("send_payment", {"payment_id": payment_id, "look": look + 1})], countdown=wait)


@shared_task(name="payments.check_payments", ignore_result=True)
def check_payments() -> None:
    """Ask the bank about payments that are still open. Runs by the clock."""
    payments.check_open()


@shared_task(name="payments.pay_batches", ignore_result=True)
def pay_batches() -> None:
    """Pay chunks of batches for some seconds, then hint another worker. Started by the outbox."""
    if batches.pay():
        queue.send([("pay_batches", {})])


@worker_shutting_down.connect
def _leave(**_: object) -> None:
    """Let a worker that is told to end stop between two rows, so that it leaves none in doubt."""
    batches.leaving.set()


@shared_task(name="payments.sweep_batches", ignore_result=True)
def sweep_batches() -> None:
    """Hint batches that nobody pays, and ask about rows whose end is unknown. Runs by the clock."""
    batches.sweep()
    batches.check_open()


@shared_task(name="payments.reconcile", ignore_result=True)
def reconcile() -> None:
    """Read the bank's list, finish and expire charges. Runs by the clock."""
    try:
        reconciliation.run()
    except BankError as error:  # expected now and then; the next run tries again
        log.warning("The bank's list was not read: %s", error)


@shared_task(name="payments.compare_bank", ignore_result=True)
def compare_bank() -> None:
    """Compare whole days with the bank. Runs every night."""
    try:
        bank_days.run()
    except BankError as error:  # the next day's run compares the missed days
        log.error("The bank's days were not compared: %s", error)


@shared_task(name="payments.deliver_webhook", ignore_result=True)
def deliver_webhook(delivery_id: int, after: int, endpoint_id: int) -> None:
    """Try a delivery that was tried `after` times before, then others of its company."""
    worker.work(delivery_id, after, endpoint_id)


@shared_task(name="payments.sweep_webhooks", ignore_result=True)
def sweep_webhooks() -> None:
    """Hint deliveries that are due. Runs by the clock."""
    deliveries.sweep()


@shared_task(name="payments.mail_new_device", ignore_result=True, **TRY_AGAIN)
def mail_new_device(user_id: int, address: str, at: str) -> None:
    """Mail a user after a log-in from a new browser. `at`: ISO 8601, UTC."""
    devices.mail(user_id, address, at)


@shared_task(name="payments.mail_log_in_code", ignore_result=True, **TRY_AGAIN)
def mail_log_in_code(user_id: int, nonce: str, until: float) -> None:
    """Mail a user the code of a log-in, which counts `until` then (Unix time)."""
    devices.mail_code(user_id, nonce, until)


@shared_task(name="payments.mail_second_factor", ignore_result=True, **TRY_AGAIN)
def mail_second_factor(user_id: int, on: bool) -> None:
    """Mail a user whose second factor was switched on or off."""
    devices.mail_second_factor(user_id, on)


@shared_task(name="payments.mail_password_link", ignore_result=True, **TRY_AGAIN)
def mail_password_link(user_id: int) -> None:
    """Mail a user the link by which another password is chosen."""
    passwords.mail_link(user_id)


@shared_task(name="payments.mail_person_added", ignore_result=True, **TRY_AGAIN)
def mail_person_added(user_id: int) -> None:
    """Mail a company's people that an operator has added somebody."""
    devices.mail_person_added(user_id)


@shared_task(name="payments.mail_invitation", ignore_result=True, **TRY_AGAIN)
def mail_invitation(user_id: int) -> None:
    """Mail somebody who was invited the link by which a password is chosen."""
    people.mail_invitation(user_id)


@shared_task(name="payments.prune", ignore_result=True)
def prune() -> None:
    """Delete old data. Runs every night."""
    retention.prune(seconds=600)  # the next night, or `manage.py prune`, continues


@shared_task(name="payments.seal_second_factors", ignore_result=True)
def seal_second_factors() -> None:
    """Encrypt the secrets of second factors by the newest key. Runs every night."""
    second_factor.seal()


@shared_task(name="payments.check_ledger", ignore_result=True)
def check_ledger() -> None:
    """Prove the books, and keep the result. Runs every night, and where an operator asks for it."""
    found = checks.keep()
    if found.failed:
        log.error("The books are wrong: %s", "; ".join(f"{each['name']}: {each['count']}" for each in found.findings))
