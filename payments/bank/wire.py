"""The Pix API's JSON as the port's values. Money is text such as "10.00" in the JSON, and centavos in the port.

Every reader raises one of `UNREADABLE` for JSON that it cannot read, and ignores unknown fields.
"""

from __future__ import annotations

import json
import logging
import re
from codecs import BOM_UTF8
from collections.abc import Callable
from datetime import UTC, date, datetime
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
from payments.pix import ids, keys
from payments.pix.overdue import Terms

log = logging.getLogger(__name__)
T = TypeVar("T")
LeftOut = Callable[[Any, str], object]  # called with the item and the reason

_VALUE = re.compile(r"[0-9]{1,10}\.[0-9]{2}")
_ID = re.compile(r"[a-zA-Z0-9]{1,35}")
_RETURN_ID = re.compile(r"[!-~]{1,35}")  # ours are letters and digits; a bank's own may have other characters
_END_TO_END = re.compile(r"[ED][a-zA-Z0-9]{31}")

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


def parse_json(body: bytes) -> Any:
    """JSON as banks write it: their old systems leave bytes of Windows-1252 and control characters in a payer's name, and
    one name must not make a list of a thousand Pix unreadable. Raises ValueError."""
    body = body.removeprefix(BOM_UTF8)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = body.decode("cp1252", "replace")
    try:
        return json.loads(text, strict=False)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def reais(centavos: int) -> str:
    """1234 as "12.34"."""
    return f"{centavos // 100}.{centavos % 100:02d}"


def centavos(text: str) -> int:
    """ "12.34" as 1234."""
    text = text.strip()
    if not _VALUE.fullmatch(text):
        raise ValueError(f"{text!r} is no value")
    return int(text.replace(".", ""))


def moment(text: str) -> datetime:
    """An RFC 3339 time in UTC. Raises ValueError where it has no time zone."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return at.astimezone(UTC)


def instant(at: datetime) -> str:
    """RFC 3339 in UTC, for queries."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def charge_body(order: ChargeOrder) -> dict[str, Any]:
    """The body of `PUT /cob/{txid}`, or `/cobv/{txid}` where the charge has a due date."""
    due = order.due
    body: dict[str, Any] = {
        "calendario": due_calendar(due.due, due.valid_for) if due else {"expiracao": order.expires_in},
        "valor": {"original": reais(order.value), **(_due_terms(due) if due else {})},
        "chave": order.pix_key,
    }
    if order.debtor:
        body["devedor"] = {"cpf" if len(order.debtor.tax_id) == 11 else "cnpj": order.debtor.tax_id}
        body["devedor"]["nome"] = order.debtor.name
        if place := order.address:
            body["devedor"] |= {
                "logradouro": place.street,
                "cidade": place.city,
                "uf": place.state,
                "cep": place.zipcode,
            }
    if order.payer_request:
        body["solicitacaoPagador"] = order.payer_request
    if order.additional_info:
        body["infoAdicionais"] = [{"nome": name, "valor": value} for name, value in order.additional_info]
    return body


def due_calendar(due: date, valid_for: int) -> dict[str, Any]:
    """`calendario` of a charge with a due date."""
    return {"dataDeVencimento": due.isoformat(), "validadeAposVencimento": valid_for}


def _due_terms(terms: Terms) -> dict[str, Any]:
    """Fine, interest and discount of a cobv. A percentage is written as its hundredths are: 150 basis points as "1.50"."""
    found: dict[str, Any] = {}
    for name, part in (("multa", terms.fine), ("juros", terms.interest)):
        if part:
            found[name] = {"modalidade": 2 if part.percent else 1, "valorPerc": reais(part.amount)}
    if discount := terms.discount:
        steps = [{"data": until.isoformat(), "valorPerc": reais(amount)} for until, amount in discount.steps]
        more: dict[str, Any] = {"descontoDataFixa": steps} if steps else {"valorPerc": reais(discount.per_day)}
        found["desconto"] = {"modalidade": discount.modality, **more}
    return found


def send_body(order: SendOrder) -> dict[str, Any]:
    """The body of the simulator's `PUT /sim/pix/{idEnvio}`."""
    body: dict[str, Any] = {"valor": reais(order.value), "favorecido": _receiver(order)}
    if order.payer_message:
        body["mensagem"] = order.payer_message
    if order.end_to_end_id:
        body["endToEndId"] = order.end_to_end_id
    return body


def _receiver(order: SendOrder) -> dict[str, Any]:
    if order.br_code:
        return {"copiaECola": order.br_code}
    if order.account is None:
        return {"chave": order.pix_key}
    account, holder = order.account, order.account.holder
    return {
        "conta": {
            "ispb": account.ispb,
            "agencia": account.branch,
            "conta": account.number,
            "tipo": account.type,
            "nome": holder.name,
            "cpf" if len(holder.tax_id) == 11 else "cnpj": holder.tax_id,
        }
    }


def readable(
    reader: Callable[[Any], T], items: Any, name: str = "endToEndId", left_out: LeftOut | None = None
) -> list[T]:
    """The items that `reader` can read. The others are logged and skipped.

    Args:
        reader: one of this module's.
        items: a list, or one object in place of a list of one.
        name: the field with the item's id, for the log.
        left_out: called for each item that is skipped.
    """
    if isinstance(items, dict):
        items = [items]
    if not isinstance(items, list):
        raise TypeError("list expected")
    found = []
    for item in items:
        try:
            found.append(reader(item))
        except UNREADABLE as error:
            # Letters and digits only: the field may hold anything, even personal data.
            id_ = re.sub(r"[^a-zA-Z0-9-]", "?", str(item.get(name))[:40]) if isinstance(item, dict) else "?"
            log.error("%s %s cannot be read (%s) and is left out", reader.__name__, id_, type(error).__name__)
            if left_out:
                left_out(item, type(error).__name__)
    return found


def items(body: Any, name: str) -> Any:
    """The items of a list's page, unread. An empty page may lack them (`pix` is optional in the Pix API)."""
    found = body.get(name) or []
    if not found and name not in body and "parametros" not in body:
        raise ValueError("no list")
    return found


def page_count(body: Any) -> int | None:
    """How many pages a list has. None where the bank does not tell."""
    return _whole_or_none(_object(_object(body.get("parametros")).get("paginacao")).get("quantidadeDePaginas"))


def charge(body: Any) -> BankCharge:
    """A charge (cob). Its id and value must be right; other fields that cannot be read count as absent."""
    calendar = _object(body.get("calendario"))
    loc = _object(body.get("loc"))
    return BankCharge(
        txid=_matching(_ID, body["txid"]),
        status=text_or_empty(body.get("status"), 40),
        value=centavos(body["valor"]["original"]),
        location=text_or_empty(body.get("location"), 255).strip() or text_or_empty(loc.get("location"), 255).strip(),
        br_code=text_or_empty(body.get("pixCopiaECola"), 512).strip(),
        created_at=_moment_or_none(calendar.get("criacao")),
        expires_in=_whole_or_none(calendar.get("expiracao")),
        received=tuple(_optional(received, body.get("pix"), "endToEndId")),
    )


def received(body: Any) -> BankReceived:
    """A received Pix. Its id and value must be right; other fields that cannot be read count as absent."""
    payer = _object(body.get("pagador"))
    end_to_end_id = _matching(_END_TO_END, body["endToEndId"])
    return BankReceived(
        end_to_end_id=end_to_end_id,
        txid=_matching_or_none(_ID, body.get("txid")),
        pix_key=text_or_empty(body.get("chave"), 77).strip(),
        value=centavos(body["valor"]),
        paid_at=_moment_or_none(body.get("horario")) or _minted_at(end_to_end_id) or datetime.now(UTC),
        payer_name=text_or_empty(payer.get("nome"), 200),
        payer_tax_id=_tax_id(payer.get("cpf"), 11) or _tax_id(payer.get("cnpj"), 14),
        payer_message=text_or_empty(body.get("infoPagador"), 140),
        returns=tuple(_optional(returned, body.get("devolucoes"), "id")),
    )


def returned(body: Any) -> BankReturn:
    """A return (devolução)."""
    times = _object(body.get("horario"))
    return BankReturn(
        return_id=_matching(_RETURN_ID, text_or_empty(body["id"], 40)),
        end_to_end_id=_matching_or_none(_END_TO_END, body.get("rtrId")),
        value=centavos(body["valor"]),
        status=ReturnStatus(body["status"].strip().upper()),
        reason=text_or_empty(body.get("motivo"), 140),
        nature=text_or_empty(body.get("natureza"), 40),
        settled_at=_moment_or_none(times.get("liquidacao")) or _moment_or_none(times.get("solicitacao")),
    )


def sent(body: Any) -> BankSent:
    """A Pix that the bank sends for us."""
    return BankSent(
        send_id=_matching(_ID, body["idEnvio"]),
        end_to_end_id=_matching(_END_TO_END, body["endToEndId"]),
        value=centavos(body["valor"]),
        status=SendStatus(body["status"]),
        reason=text_or_empty(body.get("motivo"), 140),
    )


def statement_line(body: Any) -> StatementLine:
    """One line of the bank's statement."""
    value = centavos(body["valor"])
    sign = {"CREDITO": 1, "DEBITO": -1}[body["tipo"]]
    return StatementLine(_matching(_END_TO_END, body["endToEndId"]), sign * value, moment(body["horario"]))


def balance(body: Any) -> int:
    """Centavos; may be negative."""
    text = body["saldo"]
    return -centavos(text[1:]) if text.startswith("-") else centavos(text)


def parse_callback(body: bytes) -> list[BankReceived]:
    """The Pix of a bank's callback (`POST {webhookUrl}/pix`). Those that cannot be read are logged and skipped.

    Raises:
        ValueError: the body is not a callback, or none of its Pix can be read.
    """
    try:
        items = parse_json(body)["pix"]
        found = readable(received, items)
    except UNREADABLE as error:
        raise ValueError(f"not a Pix callback: {type(error).__name__}") from None
    if not found and items != []:
        raise ValueError("not a Pix callback: nothing in it can be read")
    return found


def _optional(reader: Callable[[Any], T], items: Any, name: str) -> list[T]:
    """`readable`, for a list that may be missing or of another type."""
    return readable(reader, items, name) if items and isinstance(items, dict | list) else []


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _moment_or_none(text: Any) -> datetime | None:
    try:
        return moment(text)
    except UNREADABLE:
        return None


def _minted_at(end_to_end_id: str) -> datetime | None:
    """The minute that the payer's bank wrote into the id."""
    try:
        return ids.parse(end_to_end_id).at
    except ids.InvalidId:
        return None


def _whole_or_none(value: Any) -> int | None:
    try:
        return None if isinstance(value, bool) else int(value)
    except UNREADABLE:
        return None


def _tax_id(value: Any, digits: int) -> str:
    """A CPF or CNPJ without punctuation. Empty where it is masked (`***.456.789-**`) or not one."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    number = "".join(c for c in value if c.isalnum() or c == "*").upper() if isinstance(value, str) else ""
    if number.isdigit() and not keys.is_tax_id(number):
        number = number.zfill(digits)  # kept as a number somewhere, it has lost its leading zeros
    return number if re.fullmatch(r"[0-9A-Z]{1,14}", number) else ""


def _matching(pattern: re.Pattern[str], text: str) -> str:
    text = text.strip()
    if not pattern.fullmatch(text):
        raise ValueError("an id has another shape")
    return text


def _matching_or_none(pattern: re.Pattern[str], text: Any) -> str:
    """The id, or empty where it does not match, as the `***` of a static code."""
    return text.strip() if isinstance(text, str) and pattern.fullmatch(text.strip()) else ""


def text_or_empty(text: object, longest: int) -> str:
    """Free text. A number is written out; anything else but text counts as empty."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        text = str(text)
    return clean_text(text, longest) if isinstance(text, str) else ""


def clean_text(text: object, longest: int) -> str:
    """Free text for a database column: without NUL and lone surrogates, at most `longest` characters."""
    if text is None:
        return ""
    if not isinstance(text, str):
        raise TypeError("text expected")
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:longest]
