"""The directory's JSON as the port's values. Every reader raises one of `wire.UNREADABLE` for what it cannot read."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from payments.bank.directory import BankAccount, KeyOwner, Participant
from payments.bank.wire import readable, text_or_empty
from payments.pix import keys

_ISPB = re.compile(r"[0-9A-Z]{8}")
_MAX_AGE = re.compile(r"max-age\s*=\s*\"?([0-9]{1,9})\"?")
LONGEST = 86_400  # seconds that a key's owner is believed, whatever the answer says


def key_owner(body: Any, cache_control: str) -> KeyOwner:
    """Who has a key, of the DICT's `GetEntryResponse` as JSON, and of the answer's Cache-Control."""
    entry = body["Entry"]
    account, owner = entry["Account"], entry["Owner"]
    key = keys.parse(entry["Key"])
    found = KeyOwner(
        pix_key=key.value,
        key_type=key.type.value,
        ispb=_ispb(account["Participant"]),
        branch=text_or_empty(account.get("Branch"), 4),
        account=_number(account["AccountNumber"], 20),
        account_type=_some_text(account["AccountType"], 4),
        tax_id=_number(owner["TaxIdNumber"], 14),
        name=_some_text(owner["Name"], 200),
        trade_name=text_or_empty(owner.get("TradeName"), 200),
    )
    return replace(found, fresh_for=fresh_for(cache_control))


def fresh_for(cache_control: str) -> float:
    """Seconds for which an answer with this Cache-Control may be kept (RFC 9111, 5.2.2); 0 where it may not."""
    asked = cache_control.lower()
    age = _MAX_AGE.search(asked)
    if age is None or "no-store" in asked or "no-cache" in asked:
        return 0.0
    return float(min(int(age[1]), LONGEST))


def new_entry(request_id: str, key_type: str, pix_key: str, tax_id: str, name: str) -> dict[str, Any]:
    """The DICT's `CreateEntryRequest` as JSON. The bank adds its account."""
    owner = {
        "Type": "NATURAL_PERSON" if len(tax_id) == 11 else "LEGAL_PERSON",
        "TaxIdNumber": tax_id,
        "Name": name[:120],
    }
    key = {"Key": pix_key} if pix_key else {}
    return {"RequestId": request_id, "Entry": {**key, "KeyType": key_type, "Owner": owner}}


def entry_key(body: Any) -> str:
    """The key of a `CreateEntryResponse`."""
    return keys.parse(body["Entry"]["Key"]).value


def participants(body: Any) -> list[Participant]:
    """The participants that can be read. Raises ValueError where there is none: no list of Pix is empty."""
    found = readable(_participant, body["participantes"], "ispb")
    if not found:
        raise ValueError("no participant")
    return found


def _participant(body: Any) -> Participant:
    return Participant(_ispb(body["ispb"]), _some_text(body["nome"], 200), text_or_empty(body.get("compe"), 3))


def account(body: Any) -> BankAccount:
    """The platform's account."""
    return BankAccount(
        ispb=_ispb(body["ispb"]),
        branch=_some_text(body["agencia"], 4),
        number=_number(body["conta"], 20),
        type=_some_text(body["tipo"], 4),
        holder=_some_text(body["titular"]["nome"], 200),
        tax_id=_number(body["titular"]["cnpj"], 14),
    )


def _ispb(text: str) -> str:
    if not _ISPB.fullmatch(text):
        raise ValueError("not an ISPB")
    return text


def _number(text: object, longest: int) -> str:
    """A tax id, masked or not, or an account's number, without punctuation."""
    return _some_text(re.sub(r"[.\-/\s]", "", text_or_empty(text, 100)), longest)


def _some_text(text: object, longest: int) -> str:
    found = text_or_empty(text, longest).strip()
    if not found:
        raise ValueError("text expected")
    return found
