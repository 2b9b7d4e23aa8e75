"""Pix of the bank's list that cannot be booked now: kept, and tried again, so that they hold up nobody else's."""

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

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(hours=1)
BATCH = 100
SECONDS = 5.0  # of one look, so that a bank that hangs is given up until the next


def keep(end_to_end_id: str, txid: str, reason: str, now: datetime) -> None:
    """Set a Pix aside, or note that it failed once more. One that an operator has resolved stays so."""
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
    """Set aside what the bank's list has and no reader can read. Without an id it is known by its digest."""
    told = item if isinstance(item, dict) else {}
    digest = hashlib.sha256(repr(item).encode("utf-8", "replace")).hexdigest()
    keep(_text(told.get("endToEndId")) or f"?{digest[:32]}", _text(told.get("txid")), f"cannot be read: {why}", now)


def among(end_to_end_ids: list[str]) -> set[str]:
    """Those that were set aside: they are tried in their own time, or an operator has dealt with them."""
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
            resolved += _resolve(row, "booked", now)  # or no company's
    return resolved


def resolve(row: SetAsidePix, resolution: str, now: datetime | None = None) -> None:
    """An operator has dealt with it: it is not tried again, and its charge may expire. Raises Invalid."""
    if not _resolve(row, resolution, now or timezone.now()):
        raise Invalid("This Pix is resolved already")


def _resolve(row: SetAsidePix, resolution: str, now: datetime) -> int:
    open_ = SetAsidePix.objects.filter(pk=row.pk, resolved_at=None)
    return open_.update(resolved_at=now, resolution=_fit(resolution, 200))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _fit(text: str, longest: int) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:longest]
