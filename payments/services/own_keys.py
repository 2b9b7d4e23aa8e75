"""A company's own Pix keys: its default one, and others that it registers at the bank.

A key is registered in three steps, as a charge is: a row, the bank (outside of transactions, under the row's id), the answer
in the row. Without an answer the same request goes on with the same row. It is taken out in the same steps; where the process dies
between them, `finish_removals` goes on. Each request of the directory costs tokens, as a
look-up does: whether a key is free tells whether somebody has it.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from payments import bank
from payments.bank.port import BankError, BankNotFound, BankRefused
from payments.models import Company, FurtherKey
from payments.pix import keys
from payments.pix.keys import KeyType
from payments.services import companies, pix_key_tokens
from payments.services.charges import registering
from payments.services.errors import Forbidden, Invalid, NotFound, Unavailable
from woovi import database

log = logging.getLogger(__name__)

# The Central Bank's, for an account of a person and of a company (Manual Operacional do DICT).
MOST = {11: 5, 14: 20}
UNTOUCHED = timedelta(minutes=1)  # after a removal began: no request works on it any more
NO_ANSWER = "The bank does not answer. Send the same request again"


def listing(company: Company) -> list[str]:
    """The company's keys: the default one first, then the others as they were made."""
    return [company.pix_key, *_active(company).order_by("id").values_list("pix_key", flat=True)]


def create(company: Company, text: str = "", kind: str = "", now: datetime | None = None) -> str:
    """Register a key at the bank. Returns it. A key that the company has is only returned.

    Args:
        text: the company's CPF or CNPJ; empty for a random key (EVP), which the directory chooses.
        kind: its type; empty for what `text` is.

    Raises:
        Invalid: it is no key, not of this type, somebody else's, or one too many.
        Forbidden: an e-mail or phone, whose owner the bank has to ask first.
        TooMany, Unavailable: the directory cannot be asked now.
    """
    wanted = _wanted(company, text, kind)
    if wanted.value and companies.has_key(company, wanted.value):
        return wanted.value
    _check(company, wanted)
    if wanted.value and company.further_keys.filter(pix_key=wanted.value, removing_since__isnull=False).exists():
        raise Unavailable("This key is being taken out. Send the same request again")
    if (row := _row(company, wanted)) is None:
        return _made_meanwhile(company, wanted)
    with pix_key_tokens.lookup(company, wanted.value) as asked:
        try:
            made = bank.current().register_key(
                str(row.request_id), wanted.type.value, wanted.value, company.tax_id, company.official_name
            )
        except BankRefused as error:
            asked.reason = "INVALID_PIX_KEY"
            FurtherKey.objects.filter(pk=row.pk, registered_at=None).update(removed_at=now or timezone.now())
            if companies.has_key(company, wanted.value):
                return wanted.value  # the same request at once was first
            raise Invalid(f"key: the bank refuses it: {error.code}", "key") from error
        except BankError as error:
            asked.reason = pix_key_tokens.NOT_ASKED
            raise Unavailable(NO_ANSWER) from error
        asked.reason = "DICT_LOOKUP"
    try:
        with transaction.atomic():  # the same request at once may have been first, and its row have another key by now
            FurtherKey.objects.filter(pk=row.pk, registered_at=None).update(
                pix_key=made, registered_at=now or timezone.now(), removed_at=None
            )
    except IntegrityError:
        return _made_meanwhile(company, wanted)
    registering.announce_callback(made)
    return made


def _made_meanwhile(company: Company, wanted: keys.PixKey) -> str:
    """The key, where the same request at once has registered it. Raises Unavailable: to be sent again."""
    if wanted.value and companies.has_key(company, wanted.value):
        return wanted.value
    raise Unavailable(NO_ANSWER)


def _wanted(company: Company, text: str, kind: str) -> keys.PixKey:
    if not text:
        if kind not in {"", KeyType.EVP}:
            raise Invalid(f"key is needed for a key of type {kind}", "key")
        return keys.PixKey(KeyType.EVP, "")
    try:
        wanted = keys.parse(text)
    except keys.InvalidKey as error:
        raise Invalid(f"key is not a Pix key: {error}", "key") from None
    if kind and kind != wanted.type:
        raise Invalid(f"key is no key of type {kind}", "key")
    return wanted


def _check(company: Company, wanted: keys.PixKey) -> None:
    if wanted.type in {KeyType.EMAIL, KeyType.PHONE}:
        raise Forbidden(f"Creating Pix keys of type {wanted.type.value} is not allowed for this application")
    if wanted.type is KeyType.EVP and wanted.value:
        raise Invalid("key: a random key is chosen by the directory; leave it out", "key")
    if wanted.value and wanted.value != company.tax_id:
        raise Invalid("key is not the CPF or CNPJ of your company", "key")
    if wanted.value and companies.by_key(wanted.value):
        raise Invalid("key: another company has it", "key")
    if len(listing(company)) >= MOST[len(company.tax_id)]:
        raise Invalid(f"key: a company may have at most {MOST[len(company.tax_id)]} Pix keys; delete one first", "key")


def _row(company: Company, wanted: keys.PixKey) -> FurtherKey | None:
    """The row of this request, or of the same one before that had no answer. None where it got its answer just now."""
    FurtherKey.objects.bulk_create(
        [FurtherKey(company=company, key_type=wanted.type.value, pix_key=wanted.value)], ignore_conflicts=True
    )
    return company.further_keys.filter(key_type=wanted.type.value, registered_at=None, removed_at=None).first()


def remove(company: Company, text: str, now: datetime | None = None) -> None:
    """Take a key out of the directory. A Pix that is on its way to it is still credited.

    Raises:
        NotFound: the company has no such key.
        Invalid: it is the default one, or the bank refuses.
        Unavailable: the bank does not answer.
    """
    row = _marked_removed(company, companies.dict_key(text), now or database.now())
    try:
        _take_out(row)
    except BankRefused as error:
        raise Invalid(f"key: the bank refuses it: {error.code}", "pixKey") from error
    except BankError as error:
        _undo(row)
        raise Unavailable(NO_ANSWER) from error


def finish_removals(now: datetime | None = None) -> None:
    """Go on with removals whose process died before the bank's answer was noted."""
    now = now or database.now()
    left = FurtherKey.objects.filter(removing_since__lt=now - UNTOUCHED)
    for row in left.order_by("removing_since"):
        if not left.filter(pk=row.pk).update(removing_since=now):
            continue  # another process has it
        row.removing_since = now
        try:
            _take_out(row)
        except BankError as error:
            log.warning("Key %s is not taken out yet: %s", row.pk, error)


def _take_out(row: FurtherKey) -> None:
    """Have the bank take the key out, and note its answer. Raises BankError; where it refuses, the company keeps the key."""
    try:
        bank.current().remove_key(row.pix_key)
    except BankNotFound:
        pass  # it was removed before, and the answer was lost
    except BankRefused:
        _undo(row)
        raise
    _own(row).update(removing_since=None)


def _undo(row: FurtherKey) -> None:
    _own(row).update(removed_at=None, removing_since=None)


def _own(row: FurtherKey) -> QuerySet[FurtherKey]:
    """The row, unless another process has taken the removal over."""
    return FurtherKey.objects.filter(pk=row.pk, removing_since=row.removing_since)


def _marked_removed(company: Company, key: str, at: datetime) -> FurtherKey:
    """The key's row, marked before the bank is asked: afterwards, it may have become the default one meanwhile."""
    with transaction.atomic():
        locked = Company.objects.select_for_update(no_key=True).get(pk=company.pk)
        if key == locked.pix_key:
            raise Invalid("You cannot delete the default pix key", "pixKey")
        row = _find(locked, key)
        row.removed_at = row.removing_since = at
        row.save(update_fields=["removed_at", "removing_since"])
    return row


def make_default(company: Company, text: str) -> str:
    """Let new charges and codes have this key of the company's. The former stays as another one. Raises NotFound."""
    key = companies.dict_key(text)
    with transaction.atomic():
        locked = Company.objects.select_for_update(no_key=True).get(pk=company.pk)
        if key == locked.pix_key:
            return key
        row = _find(locked, key)
        former = keys.parse(locked.pix_key)
        row.pix_key, row.key_type, locked.pix_key = former.value, former.type.value, key
        row.save(update_fields=["pix_key", "key_type"])
        locked.save(update_fields=["pix_key"])
    company.pix_key = key
    return key


def _active(company: Company) -> QuerySet[FurtherKey]:
    return company.further_keys.filter(registered_at__isnull=False, removed_at=None)


def _find(company: Company, key: str) -> FurtherKey:
    found = _active(company).filter(pix_key=key).first() if "\0" not in key else None
    if found is None:
        raise NotFound("Pix key not found", "pixKey")
    return found
