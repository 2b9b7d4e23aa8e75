"""Find anything by one of its ids, a CPF or CNPJ, or an e-mail: for operators, over all companies.

Each look-up asks one index of one model and takes a few rows, so it costs the same whatever the tables hold
(`tests/payments/admin/test_search.py` reads the plans). What is no id, tax id or e-mail, a name say, is not looked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Model, Q, QuerySet

from payments.models import (
    Account,
    Application,
    BankDifference,
    Charge,
    Company,
    Customer,
    Payment,
    PayoutBatch,
    ReceivedPix,
    Refund,
    SetAsidePix,
    User,
    WebhookEndpoint,
)
from payments.pix import keys
from woovi.outbox.models import OutboxEvent

MOST = 10  # rows of each look-up
SHORTEST = 6  # characters of which the beginning of an id must have; a shorter one begins too many
LONGEST = 255
_HEX = re.compile(r"[0-9a-f]{6,24}")

# By the beginning of each of these: their indexes have the operators of patterns (Django's own for unique columns).
IDS: dict[type[Model], tuple[str, ...]] = {
    Company: ("public_id", "correlation_id"),
    Charge: ("public_id", "correlation_id", "txid"),
    ReceivedPix: ("end_to_end_id", "public_id"),
    Refund: ("public_id", "correlation_id", "return_id", "end_to_end_id"),
    Payment: ("end_to_end_id",),
    PayoutBatch: ("public_id",),
    Customer: ("public_id", "correlation_id"),
    Account: ("public_id",),
    Application: ("client_id",),
    WebhookEndpoint: ("public_id",),
    SetAsidePix: ("end_to_end_id",),
    BankDifference: ("end_to_end_id",),
}
PEOPLE: dict[type[Model], str] = {Company: "tax_id", Customer: "tax_id", ReceivedPix: "payer_tax_id"}
MAIL: dict[type[Model], str] = {User: "email", Customer: "email", Company: "pix_key"}


class Found(NamedTuple):
    """Rows of one model that match, at most MOST of a look-up."""

    model: type[Model]
    rows: list[Any]


def find(text: str, models: set[type[Model]]) -> list[Found]:
    """What matches `text`, of the models that the reader may see. Empty where it is no id, tax id or e-mail."""
    found: dict[type[Model], dict[Any, Any]] = {}
    for rows in lookups(text):
        if rows.model in models:
            of_model = found.setdefault(rows.model, {})
            of_model.update({row.pk: row for row in rows[:MOST]})
    return [Found(model, list(rows.values())) for model, rows in found.items() if rows]


def lookups(text: str) -> Iterator[QuerySet[Any]]:
    """The queries for a text as somebody typed it."""
    text = keys.pasted(text).replace("\0", "").strip()[:LONGEST]
    if "@" in text:
        for model, field in MAIL.items():
            yield _rows(model, **{f"{field}__in": [text, text.lower()]})
    else:
        yield from _by_tax_id(text)
    if len(text) >= SHORTEST:
        for model, fields in IDS.items():
            for field in fields:
                yield _rows(model, **{f"{field}__startswith": text})
        yield from _payments(text)
        yield from _by_uuid(text)


def _rows(model: type[Model], **filters: Any) -> QuerySet[Any]:
    rows: QuerySet[Any] = model._default_manager.filter(**filters)
    return rows.select_related("company") if any(f.name == "company" for f in model._meta.fields) else rows


def _by_tax_id(text: str) -> Iterator[QuerySet[Any]]:
    try:
        number = keys.parse_tax_id(text)
    except keys.InvalidKey:
        return
    for model, field in PEOPLE.items():
        yield _rows(model, **{field: number})


def _payments(text: str) -> Iterator[QuerySet[Any]]:
    """Payments have no index for patterns, which each of a million rows would pay for.

    Their ids are hexadecimal, so those that begin so are a range in every collation. Their correlationIDs are looked up
    whole, in every company's own index.
    """
    if _HEX.fullmatch(text.lower()):
        yield _rows(Payment, public_id__gte=text.lower(), public_id__lt=f"{text.lower()}g")
    companies = list(Company.objects.values_list("pk", flat=True))
    for of_batch in (Q(batch=None), Q(batch__isnull=False)):
        yield _rows(Payment, company__in=companies, correlation_id=text).filter(of_batch)


def _by_uuid(text: str) -> Iterator[QuerySet[Any]]:
    try:
        known = UUID(text)
    except ValueError:
        return
    yield _rows(Charge, payment_link_id=known)
    yield _rows(OutboxEvent, event_id=known)
