"""Keep Pix of the bank's list that cannot be booked now, and retry them, so that they do not hold up the others."""

from __future__ import annotations

import hashlib
import logging
import time
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from payments import bank
from payments.bank.port import BankError
from payments.models import SetAsidePix
from payments.services.errors import Invalid
from payments.services.reconciliation import booking

log = logging.getLogger(__name__)

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(hours=1)  # before a retry; each wait doubles
BATCH = 100
SECONDS = 5.0  # of one run: where the bank hangs, the rest waits for the next run


def keep(end_to_end_id: str, txid: str, reason: str, now: datetime) -> None:
    """Set a Pix aside, or count one more failure and postpone its retry. A resolved one stays resolved."""
    fresh = {
        "txid": _fit(txid, 100),
        "reason": _fit(reason, 200),
        "next_attempt_at": now + FIRST_WAIT,
        "created_at": now,
    }
    row, is_new = SetAsidePix.objects.get_or_create(end_to_end_id=_fit(end_to_end_id, 100), defaults=fresh)
    if is_new:
        log.error("Pix %s is set aside: %s", row.end_to_end_id, row.reason)
        return
    wait = min(FIRST_WAIT * 2 ** min(row.attempts, 20), LONGEST_WAIT)
    SetAsidePix.objects.filter(pk=row.pk, resolved_at=None).update(
        attempts=F("attempts") + 1, reason=_fit(reason, 200), next_attempt_at=now + wait
    )


def keep_unreadable(item: Any, why: str, now: datetime) -> None:
    """Set aside an item of the bank's list that cannot be parsed. Without an end-to-end id, its digest names it."""
    fields = item if isinstance(item, dict) else {}
    digest = hashlib.sha256(repr(item).encode("utf-8", "replace")).hexdigest()
    keep(_text(fields.get("endToEndId")) or f"?{digest[:32]}", _text(fields.get("txid")), f"cannot be read: {why}", now)


def among(end_to_end_ids: list[str]) -> set[str]:
    """Those of the ids that were set aside: `retry` tries them, or an operator has resolved them."""
    rows = SetAsidePix.objects.filter(end_to_end_id__in=end_to_end_ids)
    return set(rows.values_list("end_to_end_id", flat=True))


def retry(now: datetime | None = None) -> int:
    """Read each Pix that is due again at the bank and book it. Returns how many are resolved."""
    now, resolved, deadline = now or timezone.now(), 0, time.monotonic() + SECONDS
    due = SetAsidePix.objects.filter(resolved_at=None, next_attempt_at__lte=now).order_by("next_attempt_at")
    for row in due[:BATCH]:
        if time.monotonic() > deadline:
            break
        try:
            failed = booking.book([bank.current().read_received(row.end_to_end_id)], now)
            reason = failed[0][1] if failed else ""
        except BankError as error:
            reason = str(error)
        if reason:
            keep(row.end_to_end_id, row.txid, reason, now)
        else:
            resolved += _resolve(row, "booked", now)  # or ignored: its key belongs to no company
    return resolved


def resolve(row: SetAsidePix, resolution: str, now: datetime | None = None) -> None:
    """Close a Pix that an operator has dealt with: it is not retried, and its charge may expire.

    Raises Invalid where it is resolved already.
    """
    if not _resolve(row, resolution, now or timezone.now()):
        raise Invalid("This Pix is resolved already")


def _resolve(row: SetAsidePix, resolution: str, now: datetime) -> int:
    open_ = SetAsidePix.objects.filter(pk=row.pk, resolved_at=None)
    return open_.update(resolved_at=now, resolution=_fit(resolution, 200))


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _fit(text: str, longest: int) -> str:
    """The text as a column of `longest` characters can hold it."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:longest]
