"""Tell whoever shows balances that some are about to change, before they do (`woovi.cache.VersionedCache`)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from payments.models import Account, Company
from payments.selectors.balances import shown
from payments.services.ledger.accounts import accounts
from payments.services.ledger.postings import Posting, UnknownAccount


def shown_companies(postings: tuple[Posting, ...]) -> set[int]:
    """The companies of which the postings change the account whose balance is shown."""
    return {posting.company_id for posting in postings if _moves_shown(posting)}


def _moves_shown(posting: Posting) -> bool:
    try:
        own = accounts(posting.company_id)[Account.Kind.MERCHANT]
    except UnknownAccount:
        return False
    return any(line.account_id == own for line in posting.lines)


def about_to_change(companies: Collection[int]) -> None:
    """Set the intents, in the transaction that will post. Where Redis does not take one, the company's row says so.

    Who shows a balance has that row at hand, so the doubt costs its readers nothing.
    """
    for company in companies:
        if shown.intend([company], str(company)):
            continue
        until = timezone.now() + timedelta(seconds=shown.deadline + shown.doubt)
        rows = Company.objects.filter(pk=company)
        doubtless = rows.filter(Q(balance_doubted_until=None) | Q(balance_doubted_until__lt=until))
        doubtless.update(balance_doubted_until=until + timedelta(seconds=30))  # the next postings need not write it
