"""Find charges by a name, a CPF or CNPJ, a value, a word of the comment, or an id."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from payments.models import Charge, ReceivedPix
from payments.money import parse_reais
from payments.pix import keys

_END_TO_END_ID = re.compile(r"[ED][0-9A-Z]{8}\d{12}[0-9A-Za-z]{11}", re.ASCII)
LARGEST = 2**63 - 1  # centavos: the largest value of a BIGINT column


def created_on(charges: QuerySet[Charge], first: date | None, last: date | None) -> QuerySet[Charge]:
    """The charges created on days of São Paulo from `first` to `last`, both included; None is no limit."""
    if first:
        charges = charges.filter(created_at__gte=_midnight(first))
    if last and last < date.max:
        charges = charges.filter(created_at__lt=_midnight(last + timedelta(days=1)))
    return charges


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def in_state(charges: QuerySet[Any], state: str) -> QuerySet[Charge]:
    """The charges in a state of `selectors.charges.STATES`. `charges` must come from `with_returned`."""
    paid = Coalesce(F("paid_value"), F("value"))
    match state:
        case "REFUNDED":
            return charges.filter(refunded__gt=0, returned__gte=paid)
        case "PARTLY_REFUNDED":
            return charges.filter(refunded__gt=0, returned__gt=0, returned__lt=paid)
        case Charge.Status.COMPLETED:
            return charges.filter(Q(refunded=0) | Q(returned=0), status=state)
    return charges.filter(status=state)


def matching(charges: QuerySet[Charge], text: str) -> QuerySet[Charge]:
    """The charges that match `text`, ignoring case: all or part of the customer's or payer's name or of the
    comment, a whole CPF or CNPJ, a value in reais, the beginning of the correlationID, an end-to-end id or a txid."""
    text = keys.pasted(text).replace("\0", "").strip()
    pix = ReceivedPix.objects.filter(charge=OuterRef("pk"))
    if _END_TO_END_ID.fullmatch(text):  # nothing else looks like it, and it has an index
        return charges.filter(Exists(pix.filter(end_to_end_id=text)) | Q(refunds__end_to_end_id=text)).distinct()
    wanted = (
        Q(correlation_id__istartswith=text)
        | Q(txid__iexact=text)
        | Q(comment__icontains=text)
        | Q(customer__name__icontains=text)
        | Q(Exists(pix.filter(payer_name__icontains=text)))
    )
    try:
        number = keys.parse_tax_id(text)
        wanted |= Q(customer__taxID=number) | Q(Exists(pix.filter(payer_tax_id=number)))
    except keys.InvalidKey:
        pass
    try:
        wanted |= Q(value=min(parse_reais(text), LARGEST))
    except ValueError:
        pass
    return charges.filter(wanted)
