"""Splits of a charge: parts of its value that go to others when it is paid.

They are resolved when the charge is created, so that a payment cannot fail for a wrong key, and booked in one call of the
ledger with the Pix: each from the company's account, in their order. A refund never takes them back (docs/charges.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from payments.models import Account, Charge, Company, ReceivedPix
from payments.services import companies, frozen, ledger, subaccounts
from payments.services.errors import Invalid, NotFound
from payments.services.ledger import Event, Line, Posting

SUB_ACCOUNT, INTERNAL_TRANSFER, PARTNER = "SPLIT_SUB_ACCOUNT", "SPLIT_INTERNAL_TRANSFER", "SPLIT_PARTNER"
# The ledger's kinds: out of the company, and into another company.
KINDS = {
    SUB_ACCOUNT: ("split_subaccount", ""),
    INTERNAL_TRANSFER: ("split_transfer", "split_transfer_in"),
    PARTNER: ("split_partner", "split_partner_in"),
}


@dataclass(frozen=True)
class Split:
    """A part of a charge: `value` centavos for the account of `pix_key`. `type`: one of KINDS."""

    value: int
    pix_key: str
    type: str = INTERNAL_TRANSFER


def resolved(company: Company, splits: tuple[Split, ...], subaccount: str, left: int) -> list[dict[str, Any]] | None:
    """What the charge keeps of its splits: as the API shows them, with the `account` and `company` that get them.

    Args:
        subaccount: the key of the sub-account that gets all of the charge but the fee; "" for none.
        left: centavos that the splits may share: the charge's value less its fee.

    Raises Invalid, naming the field: a key of nobody here, or more than `left` in all; or where payments are frozen, which
    money for other companies is.
    """
    if subaccount:
        if splits:
            raise Invalid("subaccount and splits exclude each other", "subaccount")
        if not left:
            raise Invalid("value must be more than the fee for a subaccount to get the rest", "value")
        return [{**_resolved(company, Split(left, subaccount, SUB_ACCOUNT), "subaccount"), "whole": True}]
    if sum(split.value for split in splits) > left:
        raise Invalid(f"splits must be at most {left} centavos in all: the value less the fee", "splits")
    return [_resolved(company, split, f"splits.{n}.pixKey") for n, split in enumerate(splits)] or None


def _resolved(company: Company, split: Split, field: str) -> dict[str, Any]:
    key = companies.dict_key(split.pix_key)
    shown = {"value": split.value, "pixKey": key, "splitType": split.type}
    if split.type == SUB_ACCOUNT:
        try:
            found = subaccounts.find(company, key)
        except NotFound as refusal:
            raise Invalid(f"{field}: {refusal.message}", field) from None
        return {**shown, "account": found.account_id, "company": company.pk, "name": found.name}
    frozen.refuse(company, "payments")
    other = companies.by_key(key)
    if other is None or other.pk == company.pk:
        raise Invalid(f"{field}: no other account here has this key", field)
    return {**shown, "account": ledger.accounts(other.pk)[Account.Kind.MERCHANT], "company": other.pk}


def postings(pix: ReceivedPix, charge: Charge) -> Iterator[Posting]:
    """The splits of a Pix that settles its charge, to be posted with it.

    A Pix of less than the charge's value pays them in their order, as far as it goes.
    """
    own, left = ledger.accounts(pix.company_id), pix.value - pix.fee
    for number, split in enumerate(charge.splits or ()):
        value = left if split.get("whole") else min(split["value"], left)
        left -= value
        if not value:
            return
        kind, kind_in = KINDS[split["splitType"]]
        key = f"{pix.end_to_end_id}/{number}"
        if not kind_in:
            lines = (Line(own[Account.Kind.MERCHANT], -value), Line(split["account"], value))
            yield Posting(pix.company_id, kind, key, lines)
        else:
            yield from between_companies(pix.company_id, split["company"], value, (kind, key), (kind_in, key))


def between_companies(
    giver: int, taker: int, value: int, out: tuple[str, str], into: tuple[str, str]
) -> Iterator[Posting]:
    """Two postings that move `value` centavos from one company to another. They have one account at the bank, so no bank is
    asked: less of it is the giver's, and more the taker's.

    Args:
        giver, taker: the companies' ids.
        out, into: kind and correlation id of each one's posting.
    """
    for company, amount, (kind, key) in ((giver, -value, out), (taker, value, into)):
        accounts = ledger.accounts(company)
        lines = (Line(accounts[Account.Kind.MERCHANT], amount), Line(accounts[Account.Kind.CLEARING], -amount))
        yield Posting(company, kind, key, lines, events=(Event("account.moved", {"value": amount}),))
