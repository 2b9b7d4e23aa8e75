"""What happened while somebody was away: Pix received, refunds done or refused, payments failed, batches ended, webhooks
failing; and for who may approve: what waits for it.

Nothing is stored but when each person last read: the facts themselves are the notices. Rejected: the event log, where a batch
of a million rows would bury everything else. Each kind is a few rows of one index, so a reading costs the same whatever the
company has. A fact that commits after the page was read, with a time before that, is in the list but is not counted as new.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import BigIntegerField, F, Q, QuerySet, Value
from django.db.models.functions import Cast, Coalesce

from payments.models import Company, Payment, PayoutBatch, ReceivedPix, Refund, User, WebhookEndpoint
from payments.rights import APPROVE, RIGHTS
from payments.selectors.overview import CREDITED

MOST = 50  # notices of a page
COUNTED = 100  # so many unread ones, and more, are "99+"
RECENT = 500  # payments, among which those that wait for approval are looked for
NO_MONEY = Cast(Value(None), BigIntegerField())
VALUE, NO_WORDS = F("value"), Value("")


class Notice(NamedTuple):
    """One thing that happened. `value` is in centavos; `charge` and `public_id` name what to look at."""

    kind: str
    at: datetime
    value: int | None
    words: str
    charge: str
    public_id: str


def latest(user: User, trouble: bool = False) -> list[Notice]:
    """The person's newest notices, newest first; with `trouble`, of those that somebody should look into."""
    return [Notice(*row) for row in _union(_sources(user, trouble), MOST)]


def unread(user: User) -> int:
    """How many the person has not read, at most COUNTED."""
    since = user.notices_read_at or user.date_joined
    return len(_union([rows.filter(at__gt=since) for rows in _sources(user)], COUNTED))


def read(user: User, until: datetime) -> None:
    """Note that the person has read those until then."""
    later = Q(notices_read_at=None) | Q(notices_read_at__lt=until)
    if until > user.date_joined:  # PostgreSQL would keep a time before the year 1, which Python cannot load
        User.objects.filter(later, pk=user.pk).update(notices_read_at=until)


def _union(sources: list[QuerySet[Any, Any]], most: int) -> list[Any]:
    first, *others = [rows.order_by("-at")[:most] for rows in sources]
    return list(first.union(*others, all=True).order_by("-at")[:most])


def _sources(user: User, trouble: bool = False) -> list[QuerySet[Any, Any]]:
    company = user.company
    assert company
    refunds = Refund.objects.filter(company=company, resolved_at__isnull=False, automatic=False)
    of_charge = Coalesce("charge__public_id", NO_WORDS)
    refused = refunds.filter(status=Refund.Status.REJECTED)
    failed = Payment.objects.filter(
        company=company, batch=None, status=Payment.Status.FAILED, resolved_at__isnull=False
    )
    ended = PayoutBatch.objects.filter(company=company, finished_at__isnull=False)
    whole = Q(status=PayoutBatch.Status.DONE)
    failing = WebhookEndpoint.objects.filter(company=company, is_active=True, failing_since__isnull=False)
    found = [
        _as(refused, "refund_refused", "resolved_at", charge=of_charge, words=F("reason")),
        _as(failed, "payment_failed", "resolved_at", words=F("reason")),
        _as(ended.exclude(whole), "batch_partly", "finished_at", value=F("total"), words=F("name")),
        _as(failing, "webhook_failing", "failing_since", value=NO_MONEY, words=F("name")),
    ]
    if APPROVE in RIGHTS[user.role]:
        found += _to_approve(user, company)
    if trouble:
        return found
    received = ReceivedPix.objects.filter(CREDITED, company=company)
    done = refunds.filter(status=Refund.Status.CONFIRMED)
    return [
        _as(received, "received", "created_at", charge=of_charge, words=F("payer_name")),
        _as(done, "refund_done", "resolved_at", charge=of_charge, words=F("comment")),
        _as(ended.filter(whole), "batch_done", "finished_at", value=F("total"), words=F("name")),
        *found,
    ]


def _to_approve(user: User, company: Company) -> list[QuerySet[Any, Any]]:
    """What others made and this person may approve: no row of theirs, and of payments only the newest are looked through."""
    newest = Payment.objects.filter(company=company, batch=None).order_by("-id").values("pk")[:RECENT]
    waiting = Payment.objects.filter(pk__in=newest, status=Payment.Status.CREATED).exclude(maker=user)
    batches = PayoutBatch.objects.filter(company=company, status=PayoutBatch.Status.AWAITING_APPROVAL).exclude(
        maker=user
    )
    return [
        _as(waiting, "payment_waits", "created_at", words=F("comment")),
        _as(batches, "batch_waits", "created_at", value=F("total"), words=F("name")),
    ]


def _as(
    rows: QuerySet[Any], kind: str, at: str, *, value: Any = VALUE, words: Any = NO_WORDS, charge: Any = NO_WORDS
) -> QuerySet[Any, Any]:
    """The rows with the columns of a Notice."""
    shown: QuerySet[Any, Any] = rows.annotate(kind=Value(kind), at=F(at), centavos=value, words=words, of=charge)
    return shown.values_list("kind", "at", "centavos", "words", "of", "public_id")
