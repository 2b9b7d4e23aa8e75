"""The body of a webhook."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from payments.contract.parts import Json
from payments.models import Company


def event(name: str, company: Company, **parts: Any) -> Json:
    """The body of the webhook `name`: its `parts`, and the company and environment it belongs to."""
    return {
        "event": name,
        **parts,
        "company": {"id": company.public_id, "name": company.trade_name, "taxID": company.tax_id},
        "account": {"environment": "PRODUCTION" if settings.PRODUCTION else "TESTING"},
    }
