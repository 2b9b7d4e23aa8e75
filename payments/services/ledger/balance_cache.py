"""Tell the balance cache that balances will change, before they do (`woovi.cache.VersionedCache`)."""

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
    """The ids of the companies whose shown balance, that of the MERCHANT account, the postings change."""
    return {posting.company_id for posting in postings if _moves_shown(posting)}


def _moves_shown(posting: Posting) -> bool:
    try:
        merchant_account = accounts(posting.company_id)[Account.Kind.MERCHANT]
    except UnknownAccount:
        return False
    return any(line.account_id == merchant_account for line in posting.lines)


def announce_change(companies: Collection[int]) -> None:
    """Set a write intent per company in the cache, inside the transaction that will post.

    Where Redis does not accept it, the company's row marks its balance as doubted until the change is over. Readers
    have that row loaded anyway, so the check costs no query.
    """
    for company in companies:
        if shown.intend([company], str(company)):
            continue
        until = timezone.now() + timedelta(seconds=shown.deadline + shown.doubt)
        rows = Company.objects.filter(pk=company)
        outdated = rows.filter(Q(balance_doubted_until=None) | Q(balance_doubted_until__lt=until))
        outdated.update(balance_doubted_until=until + timedelta(seconds=30))  # the next postings need not write it
