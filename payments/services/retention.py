"""What is forgotten, and when: webhooks' deliveries, people in events, ended sessions. `docs/operations.md` has the table.

All in small transactions beside a running system. Stopped in the middle, or run twice at once, it does no harm. What
proves money stays: the ledger, charges, received Pix, refunds; so does the audit log.
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
# Parts of events that are about who pays, or that anybody may have written anything into.
PERSONAL = {"customer", "payer", "debitParty", "comment", "additionalInfo", "infoPagador"}
EVENTS = "events"


def prune(*, dry_run: bool = False, seconds: float = math.inf, now: datetime | None = None) -> dict[str, int]:
    """Forget what is over its period. Returns how many rows of each kind; with `dry_run` it only counts them.

    seconds: after which it stops between two batches; the next run goes on.
    """
    now = now or timezone.now()
    told = now - timedelta(days=settings.RETAIN_WEBHOOKS_DAYS)
    people = now - timedelta(days=settings.RETAIN_PERSONAL_DAYS)
    finished = WebhookDelivery.objects.exclude(status=WebhookDelivery.Status.PENDING).filter(created_at__lt=told)
    looked_up = PixKeyMovement.objects.filter(created_at__lt=people).exclude(pix_key="")
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
    return counts | _events(people, dry_run, ends)


def _batches(rows: models.QuerySet[Any], forget: Callable[[list[Any]], object], ends: float) -> int:
    """`forget` all rows, a batch a transaction; what another holds now is left to its next run. Returns how many."""
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
    """Walk the log from where the last run came to, by its primary key: it needs no index that payments would pay for."""
    counts = {"events": 0, "instructions": 0}
    at = mark = RetentionMark.objects.filter(name=EVENTS).values_list("upto", flat=True).first() or 0
    kept = Exists(WebhookDelivery.objects.filter(event=OuterRef("pk")))
    clear = True  # nothing below was left for later
    while time.monotonic() < ends:
        page = list(OutboxEvent.objects.filter(pk__gt=at).annotate(kept=kept).order_by("pk")[:BATCH])
        if not any(event.created_at < before for event in page):
            break
        # One that is still to be carried, or told to a merchant, stays whole.
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
    """`task:…` and the like are no part of a tenant's log (`woovi.outbox`)."""
    word, colon, _ = event.topic.partition(":")
    return bool(colon) and word.islower()


def _redact(event: OutboxEvent) -> bool:
    """Take people out of the payload. Returns whether there were any."""
    before, event.payload = event.payload, _without_people(event.payload)
    return bool(before != event.payload)


def _without_people(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_people(part) for name, part in value.items() if name not in PERSONAL}
    return [_without_people(part) for part in value] if isinstance(value, list) else value
