"""A company's logo, which its payers see. It lies in the database: one small picture a company, with the backups of the rest."""

from __future__ import annotations

import uuid

from django.db import transaction

from payments.models import Company, Logo
from payments.services.errors import Invalid
from payments.services.images import LARGEST, LEAST, MOST, InvalidImage, checked

SIZE = LARGEST // 1000  # KB


def put(company: Company, data: bytes) -> None:
    """Show this picture from now on, at an address of its own. Raises Invalid where it is none, too large or too small."""
    try:
        image = checked(data)
    except InvalidImage as error:
        raise Invalid(
            f"logo must be a PNG, JPEG or WebP of at most {SIZE} KB and {LEAST} to {MOST} pixels a side: {error}",
            "logo",
        ) from error
    key = uuid.uuid4()
    with transaction.atomic():
        kept = {"key": key, "data": image.data, "media_type": image.media_type}
        Logo.objects.update_or_create(company=company, defaults=kept)  # who comes second waits here
        Company.objects.filter(pk=company.pk).update(logo_key=key)
    company.logo_key = key


def remove(company: Company) -> None:
    """Show none from now on."""
    with transaction.atomic():
        if found := Logo.objects.filter(company=company).first():
            found.delete()
        Company.objects.filter(pk=company.pk).update(logo_key=None)
    company.logo_key = None
