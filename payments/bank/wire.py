"""The Pix API's JSON as the port's values. Money is text with two places there, and whole centavos here.

Every reader raises ValueError, KeyError or TypeError for what it cannot read, and skips fields that it does not know.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from payments.bank.port import (
    BankCharge,
    BankReceived,
    BankReturn,
    BankSent,
    ChargeOrder,
    ReturnStatus,
    SendOrder,
    SendStatus,
    StatementLine,
)

log = logging.getLogger(__name__)
T = TypeVar("T")

_VALUE = re.compile(r"[0-9]{1,10}\.[0-9]{2}")
_ID = re.compile(r"[a-zA-Z0-9]{1,35}")
_END_TO_END = re.compile(r"[ED][a-zA-Z0-9]{31}")

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


def reais(centavos: int) -> str:
    """1234 as "12.34"."""
    return f"{centavos // 100}.{centavos % 100:02d}"


def centavos(text: str) -> int:
    """ "12.34" as 1234."""
    if not _VALUE.fullmatch(text):
        raise ValueError(f"{text!r} is no value")
    return int(text.replace(".", ""))


def moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return at.astimezone(UTC)


def instant(at: datetime) -> str:
    """RFC 3339 in UTC, as queries want it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def charge_body(order: ChargeOrder) -> dict[str, Any]:
    body: dict[str, Any] = {
        "calendario": {"expiracao": order.expires_in},
        "valor": {"original": reais(order.value)},
        "chave": order.pix_key,
    }
    if order.debtor:
        body["devedor"] = {"cpf" if len(order.debtor.tax_id) == 11 else "cnpj": order.debtor.tax_id}
        body["devedor"]["nome"] = order.debtor.name
    if order.payer_request:
        body["solicitacaoPagador"] = order.payer_request
    if order.additional_info:
        body["infoAdicionais"] = [{"nome": name, "valor": value} for name, value in order.additional_info]
    return body


def send_body(order: SendOrder) -> dict[str, Any]:
    target = {"copiaECola": order.br_code} if order.br_code else {"chave": order.pix_key}
    body: dict[str, Any] = {"valor": reais(order.value), "favorecido": target}
    return {**body, "mensagem": order.payer_message} if order.payer_message else body


def readable(reader: Callable[[Any], T], items: Any, name: str = "endToEndId") -> list[T]:
    """The items that `reader` can read. One that it cannot is logged by its `name`, and keeps no other from being read."""
    if not isinstance(items, list):
        raise TypeError("list expected")
    found = []
    for item in items:
        try:
            found.append(reader(item))
        except UNREADABLE as error:
            # Letters and digits only: what is in the id's place may be anything, also a person's data.
            id_ = re.sub(r"[^a-zA-Z0-9-]", "?", str(item.get(name))[:40]) if isinstance(item, dict) else "?"
            log.error("%s %s cannot be read (%s) and is left out", reader.__name__, id_, type(error).__name__)
    return found


def charge(body: Any) -> BankCharge:
    return BankCharge(
        txid=_matching(_ID, body["txid"]),
        status=str(body["status"]),
        value=centavos(body["valor"]["original"]),
        location=str(body.get("location", "")),
        br_code=str(body.get("pixCopiaECola", "")),
        created_at=moment(body["calendario"]["criacao"]),
        expires_in=int(body["calendario"]["expiracao"]),
        received=tuple(readable(received, body.get("pix") or [])),
    )


def received(body: Any) -> BankReceived:
    payer = body.get("pagador") or {}
    txid = body.get("txid") or ""
    end_to_end_id = _matching(_END_TO_END, body["endToEndId"])
    return BankReceived(
        end_to_end_id=end_to_end_id,
        txid=_matching(_ID, txid) if txid else "",
        pix_key=_words(body.get("chave"), 77),
        value=centavos(body["valor"]),
        paid_at=moment(body["horario"]),
        payer_name=_words(payer.get("nome"), 200),
        payer_tax_id=_words(payer.get("cpf") or payer.get("cnpj"), 14),
        payer_message=_words(body.get("infoPagador"), 140),
        returns=tuple(readable(returned, body.get("devolucoes") or [], "id")),
    )


def returned(body: Any) -> BankReturn:
    return BankReturn(
        return_id=_matching(_ID, body["id"]),
        end_to_end_id=_matching(_END_TO_END, body["rtrId"]),
        value=centavos(body["valor"]),
        status=ReturnStatus(body["status"]),
        reason=_words(body.get("motivo"), 140),
    )


def sent(body: Any) -> BankSent:
    return BankSent(
        send_id=_matching(_ID, body["idEnvio"]),
        end_to_end_id=_matching(_END_TO_END, body["endToEndId"]),
        value=centavos(body["valor"]),
        status=SendStatus(body["status"]),
        reason=_words(body.get("motivo"), 140),
    )


def statement_line(body: Any) -> StatementLine:
    value = centavos(body["valor"])
    sign = {"CREDITO": 1, "DEBITO": -1}[body["tipo"]]
    return StatementLine(_matching(_END_TO_END, body["endToEndId"]), sign * value, moment(body["horario"]))


def balance(body: Any) -> int:
    text = body["saldo"]
    return -centavos(text[1:]) if text.startswith("-") else centavos(text)


def parse_callback(body: bytes) -> list[BankReceived]:
    """The Pix of a bank's callback (`POST {webhookUrl}/pix`) that can be read. The others are logged.

    Raises:
        ValueError: no callback, or nothing in it can be read. Fields that we do not know are skipped.
    """
    try:
        items = json.loads(body)["pix"]
        found = readable(received, items)
    except UNREADABLE as error:
        raise ValueError(f"not a Pix callback: {type(error).__name__}") from None
    if items and not found:
        raise ValueError("not a Pix callback: nothing in it can be read")
    return found


def _matching(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError("an id has another shape")
    return text


def _words(text: object, longest: int) -> str:
    """Free text of others, made fit for a database: no NUL, no half characters, not too long."""
    if text is None:
        return ""
    if not isinstance(text, str):
        raise TypeError("text expected")
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:longest]
