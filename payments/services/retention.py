"""Delete old data: webhook deliveries, personal data in events, ended sessions. `docs/operations.md` has the periods.

It works in small transactions while the platform runs, and may be stopped or run twice at once. Records of money stay:
the ledger, charges, received Pix and refunds; so does the audit log.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import models, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from payments.models import PixKeyMovement, RetentionMark, WebhookAttempt, WebhookDelivery
from woovi.outbox.models import OutboxEvent

BATCH = 500  # rows of one transaction
# Parts of events that name the payer or the receiver, or hold free text.
PERSONAL = {
    "customer", "payer", "debitParty", "comment", "additionalInfo", "infoPagador", "destinationAlias", "qrCode", "holder",
    "splits", "subaccount", "branch",
}  # fmt: skip
EVENTS = "events"


def prune(*, dry_run: bool = False, seconds: float = math.inf, now: datetime | None = None) -> dict[str, int]:
    """Delete or redact rows past their period. Returns how many of each kind; `dry_run` only counts them.

    After `seconds` it stops between two batches, and the next run continues.
    """
    now = now or timezone.now()
    webhooks_before = now - timedelta(days=settings.RETAIN_WEBHOOKS_DAYS)
    personal_before = now - timedelta(days=settings.RETAIN_PERSONAL_DAYS)
    finished = WebhookDelivery.objects.exclude(status=WebhookDelivery.Status.PENDING).filter(
        created_at__lt=webhooks_before
    )
    looked_up = PixKeyMovement.objects.filter(created_at__lt=personal_before).exclude(pix_key="")
    ended = Session.objects.filter(expire_date__lt=now)
    ends = time.monotonic() + seconds
    if dry_run:
        counts = {"webhook_deliveries": finished.count(), "pix_keys": looked_up.count(), "sessions": ended.count()}
    else:
        counts = {
            "webhook_deliveries": _batches(finished, _delete_deliveries, ends),
            "pix_keys": _batches(looked_up, lambda pks: looked_up.filter(pk__in=pks).update(pix_key=""), ends),
            "sessions": _batches(ended, lambda pks: ended.filter(pk__in=pks).delete(), ends),
        }
    return counts | _events(personal_before, dry_run, ends)


def _batches(rows: models.QuerySet[Any], forget: Callable[[list[Any]], object], ends: float) -> int:
    """Call `forget` on all rows, one batch per transaction. Rows locked by others are skipped. Returns how many."""
    done = 0
    while time.monotonic() < ends:
        with transaction.atomic():
            pks = list(rows.select_for_update(skip_locked=True).order_by("pk").values_list("pk", flat=True)[:BATCH])
            forget(pks)
        done += len(pks)
        if len(pks) < BATCH:
            break
    return done


def _delete_deliveries(pks: list[int]) -> None:
    WebhookAttempt.objects.filter(delivery_id__in=pks).delete()
    WebhookDelivery.objects.filter(pk__in=pks).delete()


def _events(before: datetime, dry_run: bool, ends: float) -> dict[str, int]:
    """Redact events and delete instructions older than `before`. Returns how many of each.

    Walks the outbox by primary key from the last run's mark, which needs no index that every payment would maintain.
    """
    counts = {"events": 0, "instructions": 0}
    at = mark = RetentionMark.objects.filter(name=EVENTS).values_list("upto", flat=True).first() or 0
    kept = Exists(WebhookDelivery.objects.filter(event=OuterRef("pk")))
    clear = True  # no row so far was left for a later run
    while time.monotonic() < ends:
        page = list(OutboxEvent.objects.filter(pk__gt=at).annotate(kept=kept).order_by("pk")[:BATCH])
        if not any(event.created_at < before for event in page):
            break
        # An event that is not relayed yet, or has webhook deliveries, stays whole.
        over = [e for e in page if e.created_at < before and e.relayed_at and not e.kept]
        gone = [event.pk for event in over if _is_instruction(event)]
        changed = [event for event in over if not _is_instruction(event) and _redact(event)]
        for kind, found in (("events", changed), ("instructions", gone)):
            counts[kind] += len(found)
        at = page[-1].pk
        if clear and len(over) == len(page):
            mark = at
        clear = clear and len(over) == len(page)
        if not dry_run:
            with transaction.atomic():
                OutboxEvent.objects.filter(pk__in=gone).delete()
                OutboxEvent.objects.bulk_update(changed, ["payload"])
                RetentionMark.objects.get_or_create(name=EVENTS)
                RetentionMark.objects.filter(name=EVENTS, upto__lt=mark).update(upto=mark)
    return counts


def _is_instruction(event: OutboxEvent) -> bool:
    """Whether the row is a `task:…` or the like, which is no part of a tenant's event log (`woovi.outbox`)."""
    word, colon, _ = event.topic.partition(":")
    return bool(colon) and word.islower()


def _redact(event: OutboxEvent) -> bool:
    """Remove personal data from the payload. Returns whether there was any."""
    before, event.payload = event.payload, _without_personal_data(event.payload)
    return bool(before != event.payload)


def _without_personal_data(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_personal_data(part) for name, part in value.items() if not _is_personal(name, part)}
    return [_without_personal_data(part) for part in value] if isinstance(value, list) else value


def _is_personal(name: str, part: Any) -> bool:
    """Whether a part names somebody. An `account` that is text is a receiver's at a bank; others are objects of ours."""
    return name in PERSONAL or (name == "account" and isinstance(part, str))
