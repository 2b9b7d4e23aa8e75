"""Celery tasks: thin, each calls one service. A message is a hint; what is due is read from the database."""

from __future__ import annotations

from celery import shared_task

from payments.bank.port import BankError
from payments.services import reconciliation, refunds, webhook_delivery, webhook_work


@shared_task(name="payments.send_refund", ignore_result=True)
def send_refund(refund_id: int) -> None:
    refunds.send(refund_id)


@shared_task(name="payments.check_refunds", ignore_result=True)
def check_refunds() -> None:
    refunds.check_open()


@shared_task(name="payments.reconcile", ignore_result=True, throws=(BankError,))
def reconcile() -> None:
    reconciliation.run()


@shared_task(name="payments.deliver_webhook", ignore_result=True)
def deliver_webhook(delivery_id: int, after: int, endpoint_id: int) -> None:
    webhook_work.work(delivery_id, after, endpoint_id)


@shared_task(name="payments.sweep_webhooks", ignore_result=True)
def sweep_webhooks() -> None:
    webhook_delivery.sweep()
