"""POST /decode/emv: what a Pix code says, and what its addresses answer."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Router
from pydantic import ConfigDict, Field

from payments import limits
from payments.api import answers
from payments.api.auth import company, needs
from payments.api.fields import Body, Text
from payments.services import emv

router = Router(tags=["decode"])
Json = dict[str, Any]
TAGS = {
    "00": "payloadFormatIndicator",
    "01": "pointOfInitiationMethod",
    "52": "merchantCategoryCode",
    "53": "transactionCurrency",
    "54": "transactionAmount",
    "58": "countryCode",
    "59": "merchantName",
    "60": "merchantCity",
    "63": "crc",
}
ACCOUNT = {"00": "gui", "01": "pixKey", "02": "additionalInformation", "25": "url"}


class CodeBody(Body):
    """A code to read."""

    model_config = ConfigDict(json_schema_extra={"example": {"emv": "00020101021226…6304ABCD"}})

    emv: Annotated[Text, Field(min_length=1, max_length=1024, description="The text behind a QR code of Pix.")]


@router.post(
    "/decode/emv",
    **needs("DECODE_EMV_POST"),
    summary="Read a Pix code",
    response=answers.of(answers.DecodedCode, answers.WITH_BODY),
)
def decode(request: HttpRequest, body: CodeBody) -> Json:
    """Read a code, and the charge or recurrence at its address. It counts as a look-up that finds nothing: an address is
    called."""
    with limits.lookup(request, str(company(request).pk)):
        found = emv.decode(body.emv)
    return {"emv": _emv(found), "cobLocation": _location(found.charge), "recLocation": _location(found.recurrence)}


def _emv(found: emv.Decoded) -> Json:
    shown: Json = {name: found.fields[tag] for tag, name in TAGS.items() if tag in found.fields}
    shown["merchantAccountInformationPix"] = {ACCOUNT[tag]: text for tag, text in found.pix.items() if tag in ACCOUNT}
    if found.label:
        shown["additionalDataFieldTemplate"] = {"referenceLabel": found.label}
    if found.recurrence:
        shown["unreservedTemplates"] = {"gui": emv.GUI, "url": found.recurrence.url}
    return shown


def _location(found: emv.Location | None) -> Json | None:
    if found is None:
        return None
    return {
        "isValid": not found.errors,
        "locationErrors": found.errors,
        "payload": found.payload,
        "url": found.url,
    }
