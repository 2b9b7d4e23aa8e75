"""The bank's rows as JSON of the Pix API, and request bodies as values. In JSON, money is text such as "10.00"."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from bank_simulator.directory import OPENED, Entry
from bank_simulator.models import Charge, Pix, Return, Sent, Settlement
from bank_simulator.problems import Problem
from payments.pix import keys, overdue

_VALUE = re.compile(r"[0-9]{1,10}\.[0-9]{2}")


def reais(centavos: int) -> str:
    """1234 as "12.34"."""
    return f"{centavos // 100}.{centavos % 100:02d}"


def moment(at: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def charge(row: Charge) -> dict[str, Any]:
    """A charge (cob), with the Pix that paid it."""
    body = payload(row)
    kind = "cob" if row.due_date is None else "cobv"
    body["loc"] = {"id": 1, "location": row.location, "tipoCob": kind, "criacao": moment(row.created_at)}
    body["location"] = row.location
    body["pixCopiaECola"] = row.br_code
    if row.status == Charge.Status.PAID:
        found = Pix.objects.filter(txid=row.txid).prefetch_related("returns").order_by("paid_at")
        body["pix"] = [pix(each) for each in found]
    return body


def payload(row: Charge, day: date | None = None) -> dict[str, Any]:
    """A charge as a payer's bank may see it. One with a due date says, for a `day`, what it is worth then."""
    body: dict[str, Any] = {
        "calendario": {"criacao": moment(row.created_at), **_calendar(row)},
        "txid": row.txid,
        "revisao": row.revision,
        "status": row.status,
        "valor": {"original": reais(row.value), **(_amounts(row, day) if day else row.terms or {})},
        "chave": row.pix_key,
        "infoAdicionais": row.additional_info,
    }
    if row.debtor:
        body["devedor"] = row.debtor
    if row.payer_request:
        body["solicitacaoPagador"] = row.payer_request
    return body


def _calendar(row: Charge) -> dict[str, Any]:
    if row.due_date is None:
        return {"expiracao": row.expires_in}
    return {"dataDeVencimento": row.due_date.isoformat(), "validadeAposVencimento": row.valid_for}


def _amounts(row: Charge, day: date) -> dict[str, str]:
    found = overdue.amounts(row.due, day)
    parts = {"multa": found.fine, "juros": found.interest, "desconto": found.discount}
    return {**{name: reais(value) for name, value in parts.items() if value}, "final": reais(found.total)}


def pix(row: Pix) -> dict[str, Any]:
    """A received Pix, with its returns."""
    body: dict[str, Any] = {
        "endToEndId": row.end_to_end_id,
        "valor": reais(row.value),
        "chave": row.pix_key,
        "horario": moment(row.paid_at),
        "pagador": {"cpf" if len(row.payer_tax_id) == 11 else "cnpj": row.payer_tax_id, "nome": row.payer_name},
        "devolucoes": [returned(each) for each in row.returns.all()],
    }
    if row.txid:
        body["txid"] = row.txid
    if row.payer_message:
        body["infoPagador"] = row.payer_message
    return body


def returned(row: Return) -> dict[str, Any]:
    """A return (devolução)."""
    times = {"solicitacao": moment(row.requested_at)}
    if row.settled_at:
        times["liquidacao"] = moment(row.settled_at)
    body = {
        "id": row.return_id,
        "rtrId": row.rtr_id,
        "valor": reais(row.value),
        "natureza": row.nature,
        "horario": times,
        "status": row.status,
    }
    return {**body, "motivo": row.reason} if row.status == Settlement.REFUSED else body


def sent(row: Sent) -> dict[str, Any]:
    """A Pix that the platform sends."""
    body = {
        "idEnvio": row.send_id,
        "endToEndId": row.end_to_end_id,
        "valor": reais(row.value),
        "favorecido": {"chave": row.pix_key} if row.pix_key else {"conta": row.account},
        "horario": {"solicitacao": moment(row.requested_at)},
        "status": row.status,
    }
    return {**body, "motivo": row.reason} if row.status == Settlement.REFUSED else body


def entry(found: Entry) -> dict[str, Any]:
    """An entry of the DICT (`GetEntryResponse`)."""
    opened = moment(OPENED)
    return {
        "ResponseTime": moment(timezone.now()),
        "CorrelationId": secrets.token_hex(16),
        "Entry": {
            "Key": found.key.value,
            "KeyType": found.key.type.value,
            "Account": {
                "Participant": found.ispb,
                "Branch": found.branch,
                "AccountNumber": found.account,
                "AccountType": found.account_type,
                "OpeningDate": opened,
            },
            "Owner": {
                "Type": "LEGAL_PERSON" if found.is_company else "NATURAL_PERSON",
                "TaxIdNumber": found.tax_id,
                "Name": found.name,
            },
            "CreationDate": opened,
            "KeyOwnershipDate": opened,
        },
    }


def callback(rows: Iterable[Pix]) -> dict[str, Any]:
    """The body of one callback."""
    return {"pix": [pix(row) for row in rows]}


class Body:
    """A request's JSON object, read field by field. A field that does not fit raises a Problem of `kind` that names it.

    A `path` is a name, or names with dots: `devedor.cpf`.
    """

    def __init__(self, request: HttpRequest, kind: str) -> None:
        self.kind = kind
        try:
            data = json.loads(request.body)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            raise Problem(kind, 400, "O corpo não é um objeto JSON.")
        self.data: dict[str, Any] = data

    def get(self, path: str) -> Any:
        """The value at `path`, or None."""
        found: Any = self.data
        for name in path.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        return found

    def refuse(self, path: str, detail: str) -> Problem:
        """A Problem to raise about the field at `path`."""
        return Problem(self.kind, 400, detail, path, self.get(path))

    def text(self, path: str, longest: int, default: str | None = None) -> str:
        """A text of at most `longest` characters. Without a default it must be there and not empty."""
        found = self.get(path)
        if found is None and default is not None:
            return default
        if not isinstance(found, str) or (not found and default is None) or len(found) > longest or "\0" in found:
            raise self.refuse(path, f"{path} deve ser um texto de até {longest} caracteres")
        return found

    def whole(self, path: str, lowest: int, highest: int, default: int) -> int:
        """A whole number from `lowest` to `highest`."""
        found = self.get(path)
        if found is None:
            return default
        if type(found) is not int or not lowest <= found <= highest:
            raise self.refuse(path, f"{path} deve ser um inteiro de {lowest} a {highest}")
        return found

    def value(self, path: str) -> int:
        """Centavos of a text such as "10.00"."""
        found = self.get(path)
        if not isinstance(found, str) or not _VALUE.fullmatch(found) or not (centavos := int(found.replace(".", ""))):
            raise self.refuse(path, f"{path} deve ser um valor como 10.00, maior que zero")
        return centavos

    def key(self, path: str) -> str:
        """A Pix key in the DICT's form."""
        try:
            return keys.parse(self.text(path, 77)).value
        except keys.InvalidKey:
            raise self.refuse(path, f"{path} não é uma chave Pix") from None
