"""What commands are given, read once: a company, days. What makes no sense is a CommandError that says what was wrong."""

from __future__ import annotations

from datetime import date

from django.core.management.base import CommandError

from payments.models import Company
from payments.pix import keys


def company(text: str) -> Company:
    """The company of a tax id, with or without its punctuation. A mistyped one must not look like one without work."""
    try:
        return Company.objects.get(tax_id=keys.parse_tax_id(text))
    except (keys.InvalidKey, Company.DoesNotExist):
        raise CommandError(f"there is no company {text}") from None


def check_days(first: date, last: date) -> None:
    """Refuse a period that ends before it begins."""
    if last < first:
        raise CommandError(f"--to {last} is before --from {first}")
