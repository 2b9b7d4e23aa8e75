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
from payments.pix import ids

log = logging.getLogger(__name__)
T = TypeVar("T")
LeftOut = Callable[[Any, str], object]  # the item, and what is wrong with it

_VALUE = re.compile(r"[0-9]{1,10}\.[0-9]{2}")
_ID = re.compile(r"[a-zA-Z0-9]{1,35}")
_RETURN_ID = re.compile(r"[!-~]{1,35}")  # letters and digits where we chose it, but a bank names its own returns
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


def readable(
    reader: Callable[[Any], T], items: Any, name: str = "endToEndId", left_out: LeftOut | None = None
) -> list[T]:
    """The items that `reader` can read; one object stands for a list of one. One that it cannot is logged by its `name`,
    handed to `left_out`, and keeps no other from being read."""
    if isinstance(items, dict):
        items = [items]
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
            if left_out:
                left_out(item, type(error).__name__)
    return found


def charge(body: Any) -> BankCharge:
    calendar = _object(body.get("calendario"))
    loc = _object(body.get("loc"))
    return BankCharge(
        txid=_matching(_ID, body["txid"]),
        status=_loose_words(body.get("status"), 40),
        value=centavos(body["valor"]["original"]),
        location=_loose_words(body.get("location"), 255).strip() or _loose_words(loc.get("location"), 255).strip(),
        br_code=_loose_words(body.get("pixCopiaECola"), 512).strip(),
        created_at=_moment_or_none(calendar.get("criacao")),
        expires_in=_seconds_or_none(calendar.get("expiracao")),
        received=tuple(_optional(received, body.get("pix"), "endToEndId")),
    )


def received(body: Any) -> BankReceived:
    """A Pix. Its id and value must be right; for the rest, what cannot be read counts as not told."""
    payer = _object(body.get("pagador"))
    end_to_end_id = _matching(_END_TO_END, body["endToEndId"])
    return BankReceived(
        end_to_end_id=end_to_end_id,
        txid=_matching_or_none(_ID, body.get("txid")),
        pix_key=_loose_words(body.get("chave"), 77).strip(),
        value=centavos(body["valor"]),
        paid_at=_moment_or_none(body.get("horario")) or _minted_at(end_to_end_id) or datetime.now(UTC),
        payer_name=_loose_words(payer.get("nome"), 200),
        payer_tax_id=_tax_id(payer.get("cpf"), 11) or _tax_id(payer.get("cnpj"), 14),
        payer_message=_loose_words(body.get("infoPagador"), 140),
        returns=tuple(_optional(returned, body.get("devolucoes"), "id")),
    )


def returned(body: Any) -> BankReturn:
    times = _object(body.get("horario"))
    return BankReturn(
        return_id=_matching(_RETURN_ID, body["id"]),
        end_to_end_id=_matching_or_none(_END_TO_END, body.get("rtrId")),
        value=centavos(body["valor"]),
        status=ReturnStatus(body["status"]),
        reason=_loose_words(body.get("motivo"), 140),
        nature=_loose_words(body.get("natureza"), 40),
        settled_at=_moment_or_none(times.get("liquidacao")) or _moment_or_none(times.get("solicitacao")),
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
    if not found and items != []:
        raise ValueError("not a Pix callback: nothing in it can be read")
    return found


def _optional(reader: Callable[[Any], T], items: Any, name: str) -> list[T]:
    """`readable`, of a part without which the whole is worth something."""
    return readable(reader, items, name) if items and isinstance(items, dict | list) else []


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _moment_or_none(text: Any) -> datetime | None:
    try:
        return moment(text)
    except UNREADABLE:
        return None


def _minted_at(end_to_end_id: str) -> datetime | None:
    """The minute in the id, which the payer's bank wrote."""
    try:
        return ids.parse(end_to_end_id).at
    except ids.InvalidId:
        return None


def _seconds_or_none(value: Any) -> int | None:
    try:
        return int(value)
    except UNREADABLE:
        return None


def _tax_id(value: Any, digits: int) -> str:
    """A CPF or CNPJ, printed or not, without punctuation. Empty where it is masked (`***.456.789-**`) or none."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value).zfill(digits)  # a number has lost its leading zeros
    number = re.sub(r"[.\-/\s]", "", value).upper() if isinstance(value, str) else ""
    return number if re.fullmatch(r"[0-9A-Z]{1,14}", number) else ""


def _matching(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError("an id has another shape")
    return text


def _matching_or_none(pattern: re.Pattern[str], text: Any) -> str:
    """The id, or nothing: `***` of a static code, say."""
    return text.strip() if isinstance(text, str) and pattern.fullmatch(text.strip()) else ""


def _loose_words(text: object, longest: int) -> str:
    """Free text that may be missing; what is no text is shown as what it is, or left out."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        text = str(text)
    return _words(text, longest) if isinstance(text, str) else ""


def _words(text: object, longest: int) -> str:
    """Free text of others, made fit for a database: no NUL, no half characters, not too long."""
    if text is None:
        return ""
    if not isinstance(text, str):
        raise TypeError("text expected")
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:longest]
