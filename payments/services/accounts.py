"""Further accounts of a company. Money is paid to the default one, and leaves it; a further one is opened and closed empty."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from payments.models import Account, Company
from payments.services.errors import Invalid, NotFound

MOST = 20  # accounts of one company that are open


def open_another(company: Company) -> Account:
    """Open an account like the company's default one, with nothing in it. Raises Invalid where it has MOST."""
    with transaction.atomic():
        Company.objects.select_for_update(no_key=True).get(pk=company.pk)  # or two at once would both count to one less
        if of(company).count() >= MOST:
            raise Invalid(f"A company may have {MOST} accounts")
        return Account.objects.create(company=company, kind=Account.Kind.MERCHANT, is_default=False)


def close(company: Company, account_id: str) -> None:
    """Close a further account for good.

    Raises:
        NotFound: the company has no such account.
        Invalid: it is the default one, is closed already, or holds money.
    """
    mine = Account.objects.filter(company=company, kind=Account.Kind.MERCHANT, public_id=account_id)
    # One statement: nobody can pay into it between a look and a change.
    if mine.filter(is_default=False, closed_at=None, posted=0, pending_out=0).update(closed_at=timezone.now()):
        return
    found = mine.first()
    if found is None:
        raise NotFound("Account not found", "accountId")
    if found.closed_at:
        raise Invalid("Account already closed", "accountId")
    if found.posted or found.pending_out:
        raise Invalid("Account with balance cannot be deleted", "accountId")
    raise Invalid("The default account cannot be deleted", "accountId")


def of(company: Company) -> QuerySet[Account]:
    """The merchant's own accounts that are open: clearing, fees and suspense are the platform's books."""
    return Account.objects.filter(company=company, kind=Account.Kind.MERCHANT, closed_at=None)
