"""Read a Pix code and what its addresses answer, for `POST /decode/emv`.

The addresses are strangers', so they are called as webhooks are (`woovi.http.outgoing`): never into our own network.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from django.conf import settings

from payments.pix import brcode
from payments.pix.brcode import GUI
from payments.services.errors import Invalid
from woovi import database
from woovi.http import outgoing

__all__ = ["GUI", "Decoded", "Location", "decode"]

TIMEOUT = 5.0  # seconds for each address
# The Pix API's names in a payload, and the contract's. What is not here is left out.
NAMES = {
    "infoAdicionais": "additionalInfo", "nome": "name", "valor": "value", "calendario": "calendar", "criacao": "creation",
    "apresentacao": "presentation", "expiracao": "expiration", "dataDeVencimento": "dueDate",
    "validadeAposVencimento": "validAfterDueDate", "devedor": "debtor", "cpf": "cpf", "cnpj": "cnpj", "chave": "key",
    "revisao": "revision", "status": "status", "txid": "txid", "original": "original", "final": "final", "multa": "fine",
    "juros": "interest", "desconto": "discount", "abatimento": "rebate", "solicitacaoPagador": "payerRequest",
    "idRec": "idRec", "vinculo": "link", "contrato": "contract", "objeto": "object", "dataInicial": "startDate",
    "dataFinal": "endDate", "periodicidade": "periodicity", "valorRec": "valueRec", "recebedor": "receiver",
    "ispbParticipante": "participantIspb", "politicaRetentativa": "retryPolicy", "atualizacao": "updates", "data": "date",
}  # fmt: skip
DEEPEST = 6  # objects within objects of a payload that are read


@dataclass
class Location:
    """What the address in a code answered. `payload` is in the contract's names; `errors` say why it is not valid."""

    url: str
    payload: dict[str, Any] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Decoded:
    """A code's top-level fields by their EMV tags, and what its addresses answered."""

    fields: dict[str, str]
    pix: dict[str, str]  # those of its Pix template
    label: str  # the reference label: a static code's txid
    charge: Location | None
    recurrence: Location | None


def decode(text: str) -> Decoded:
    """Read a code, then its addresses. A JWS is read, and its signature is not checked.

    Raises:
        Invalid: not a whole, unaltered Pix code.
    """
    try:
        code, (fields, pix, label) = brcode.decode(text), brcode.fields(text)
    except brcode.InvalidBrCode as error:
        raise Invalid("Invalid EMV payload", "emv") from error
    database.let_go()
    return Decoded(
        fields,
        pix,
        label,
        _read(code.url, ("txid", "status", "valor", "chave", "calendario")) if code.url else None,
        _read(code.recurrence_url, ("idRec", "vinculo", "calendario")) if code.recurrence_url else None,
    )


def _read(address: str, needed: tuple[str, ...]) -> Location:
    found = Location(address)
    # The simulated bank of a developer's machine has no TLS.
    ours = settings.BANK_URL.startswith(f"http://{address.partition('/')[0]}") and not settings.PRODUCTION
    answer = outgoing.get(f"{'http' if ours else 'https'}://{address}", TIMEOUT)
    if not answer.accepted:
        found.errors.append(answer.error or f"The address answered HTTP {answer.status_code}")
        return found
    payload = _payload(answer.body.strip("\ufeff \t\r\n"))
    missing = [name for name in needed if name not in payload]
    found.payload = _renamed(payload, DEEPEST)
    if missing:
        found.errors.append(f"The payload has no {', '.join(missing)}")
    return found


def _payload(text: str) -> dict[str, Any]:
    """The object in a JWS (RFC 7515, compact), or in bare JSON. Empty where there is none."""
    parts = text.split(".")
    try:
        if len(parts) == 3 and not text.startswith("{"):
            text = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)).decode()
        found = json.loads(text)
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _renamed(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        return {NAMES[name]: _renamed(each, depth - 1) for name, each in value.items() if name in NAMES and depth}
    if isinstance(value, list):
        return [_renamed(each, depth - 1) for each in value if depth]
    return None if isinstance(value, float) and not isfinite(value) else value  # NaN is no JSON
