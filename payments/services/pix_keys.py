"""Look up who has a Pix key: in our own books first, then in the DICT, through a cache and paid with tokens.

Only a look-up that reaches the DICT costs tokens (`pix_key_tokens`). Each company has its own entries: nobody learns by
a free answer what another company has asked.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NoReturn

from django.conf import settings

from payments import bank
from payments.bank.directory import KeyOwner
from payments.bank.port import BankError, BankNotFound, BankRefused
from payments.models import Company
from payments.pix import ids, keys
from payments.pix.keys import PixKey
from payments.selectors import bank_reads
from payments.services import companies, pix_key_tokens
from payments.services.errors import Invalid, NotFound, TooMany, Unavailable
from woovi import database
from woovi.cache import Loaded, LoadFailed, ReadThroughCache

STALE_IF_ERROR = 3600.0  # seconds
BLOCKED = {"EntryBlocked", "TaxIdNumberBlocked"}  # the DICT's codes for accounts suspected of fraud
RESTRICTED = "ENTRY_ASSOCIATED_WITH_RESTRICTED_ACCOUNT_OR_USER"
LIMITED = "RateLimited"  # the DICT's code for too many look-ups
SAME_BANK = "EntryCannotBeQueriedForBookTransfer"  # the DICT was not asked


class KeyNotFound(NotFound):
    """Nobody has the key."""

    code = "PIX_KEY_INFO_NOT_FOUND"


class KeyRefused(Invalid):
    """There is no answer about the key, and a retry gets none. `code` is the contract's errorCode."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message, "pixKey")
        self.code = code


@dataclass(frozen=True)
class Checked:
    """Who has a key, and a new end-to-end id for a payment to it."""

    owner: KeyOwner
    end_to_end_id: str


def check(company: Company, text: str) -> Checked:
    """`look_up`, with an end-to-end id, which is new each time, also where the answer comes from the cache."""
    owner = look_up(company, text)
    return Checked(owner, ids.mint("E", settings.BANK_ISPB))


def look_up(company: Company, text: str) -> KeyOwner:
    """Who has the key, as the DICT said within its Cache-Control, or up to an hour before while the bank is down.

    Args:
        company: who wants to know, and whose tokens pay.
        text: a key as a person writes it.

    Raises:
        KeyNotFound: nobody has it, by an answer of the last five minutes.
        KeyRefused: not a key, its account is suspected of fraud, or the DICT refuses.
        TooMany: the company is out of tokens, or the DICT takes no more questions now.
        Unavailable: the bank does not answer.
        RuntimeError: a database transaction is open, also where the answer is known: the next one may not be.
    """
    if database.in_transaction("default"):
        raise RuntimeError("the DICT must not be asked inside a database transaction")
    key = _parsed(text)
    try:
        if owner := companies.by_key(key.value):
            return _own(key, owner)
        return KeyOwner(**_owners.get(tenant=company.pk, pix_key=key.value))
    except LoadFailed as error:
        raise Unavailable("The bank does not answer. Ask again in a moment") from error


def _parsed(text: str) -> PixKey:
    try:
        return keys.parse(text)
    except keys.InvalidKey as error:
        raise KeyRefused(f"pixKey: {error}", "INVALID_PIX_KEY") from None


def _own(key: PixKey, owner: Company) -> KeyOwner:
    """The owner of a key of this platform: the money goes to the platform's account, so the DICT is not asked."""
    account = bank_reads.account()
    return KeyOwner(
        pix_key=key.value,
        key_type=key.type.value,
        ispb=account.ispb,
        branch=account.branch,
        account=account.number,
        account_type=account.type,
        tax_id=owner.tax_id,
        name=owner.official_name,
        trade_name=owner.trade_name,
    )


def _load(tenant: int, pix_key: str) -> Loaded:
    """Ask the DICT, with the tokens of the company `tenant`."""
    company = Company.objects.get(pk=tenant)
    with pix_key_tokens.lookup(company, pix_key) as asked:
        asked.end_to_end_id = ids.mint("E", settings.BANK_ISPB)
        try:
            owner = bank.current().lookup_key(pix_key, company.tax_id, asked.end_to_end_id)
        except BankError as error:
            asked.reason = _reason(error)
            _refuse(error)
        asked.reason = "DICT_LOOKUP"
    return Loaded({**asdict(owner), "fresh_for": 0.0}, ttl=owner.fresh_for)


def _reason(error: BankError) -> str:
    """What a failed look-up costs, as a key of `pix_key_tokens.COSTS`. A bank that is down costs the company nothing."""
    if isinstance(error, BankNotFound):
        return "NOT_FOUND_PIX_KEY"
    if error.code == LIMITED:
        return "TOO_MANY_REQUESTS"
    if isinstance(error, BankRefused) and error.code != SAME_BANK:
        return "INVALID_PIX_KEY"
    return pix_key_tokens.NOT_ASKED


def _refuse(error: BankError) -> NoReturn:
    """Raise the error in this module's terms; as it is where the bank gave no answer: then an older one will do."""
    if isinstance(error, BankNotFound):
        raise KeyNotFound("Pix key not found") from error
    if error.code in BLOCKED:
        raise KeyRefused("Pix key related to an account suspected of fraud", RESTRICTED) from error
    if isinstance(error, BankRefused):
        raise KeyRefused("Error verifying pix key", "PIX_KEY_INFO_ERROR") from error
    if error.code == LIMITED:
        raise TooMany(pix_key_tokens.REFUSAL, "pixKey", retry_after=60.0) from error
    raise error


# No early refresh: a look-up costs tokens, so none is made before somebody needs it. A refusal is told and not kept.
_owners = ReadThroughCache(
    "dict.entry", _load, key=("tenant", "pix_key"), ttl=60, stale_if_error=STALE_IF_ERROR, early_refresh=0,
    negative_ttl={KeyNotFound: 300, KeyRefused: 0, TooMany: None}, lease=bank_reads.LEASE,
    staleness="as the DICT's Cache-Control says, “nobody has it” five minutes; an hour while the bank is down, then an error",
)  # fmt: skip
