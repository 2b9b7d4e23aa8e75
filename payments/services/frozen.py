"""What a company may not do because operators have frozen it, or switched it off for everybody."""

from __future__ import annotations

from typing import Literal

from payments.models import Company
from payments.services import switches
from payments.services.errors import Invalid

Kind = Literal["payments", "refunds", "charges"]
KINDS: tuple[Kind, ...] = ("payments", "refunds", "charges")


def refuse(company: Company, kind: Kind) -> None:
    """Raise Invalid where this is frozen or off. `company` is to be read in this request or transaction."""
    if switches.is_off(kind):
        raise Invalid(f"{kind.capitalize()} are switched off for now")
    if getattr(company, f"{kind}_frozen"):
        raise Invalid(f"The company's {kind} are frozen")


def holds_back(company_id: int) -> bool:
    """Whether the company's payments are frozen, or everybody's off, by now."""
    return switches.is_off("payments") or Company.objects.filter(pk=company_id, payments_frozen=True).exists()
