"""How the API reads input: strictly, with exceptions for what plugins really send.

Plugins in PHP send 1990 as "1990", and null, "", [] or {} for a field they leave out. So a string of digits is accepted
as a number, a whole number as text, and empty values count as absent. `true`, 19.9, 1990.0 and "1990.0" are refused as
numbers: a sender of decimals may mean reais. Text with NUL is refused.

Shops that multiply reais by a hundred send 19.99 as 1998.9999999999998. Nobody writes that for reais: it is 1999.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from math import isfinite
from typing import Annotated, Any
from urllib.parse import unquote

from django.http import HttpRequest
from ninja.parser import Parser
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import from_json

from payments.pix.business_days import local_day
from payments.services.errors import Invalid

JAVASCRIPT_NOTHING = ("undefined", "null")


def holds_nothing(value: object) -> bool:
    """Whether `value` is null, blank text, [] or {}, or a list or object of only these."""
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, dict):
        return all(map(holds_nothing, value.values()))
    return value is None or (isinstance(value, list) and all(map(holds_nothing, value)))


class Sparse(BaseModel):
    """Fields and list items with empty values count as absent."""

    @model_validator(mode="before")
    @classmethod
    def _without_nothing(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        return {
            name: [item for item in value if not holds_nothing(item)] if isinstance(value, list) else value
            for name, value in given.items()
            if not holds_nothing(value)
        }


class Filters(Sparse):
    """A query. `undefined` and `null`, as JavaScript writes them, count as absent."""

    @model_validator(mode="before")
    @classmethod
    def _without_words_for_nothing(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if value not in JAVASCRIPT_NOTHING}


class Body(Sparse):
    """A JSON object. Fields that the contract does not know are ignored."""

    model_config = ConfigDict(strict=True)

    def given(self) -> dict[str, Any]:
        """The fields that were sent, by their names in JSON."""
        return self.model_dump(exclude_none=True)


def complaint(fault: Mapping[str, Any]) -> tuple[str, str]:
    """The field of one of pydantic's errors, and the sentence that names it."""
    field = ".".join(str(part) for part in fault["loc"])
    return field, f"{field or 'body'}: {fault['msg'].removeprefix('Value error, ')}"


class StrictParser(Parser):
    """JSON by RFC 8259: UTF-8, no NaN, no lone surrogates, limited nesting. Anything else raises ValueError."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        return from_json(request.body, allow_inf_nan=False)  # type: ignore[no-any-return]


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain NUL")
    return text


RESIDUE = 1e-6  # what a multiplication of doubles leaves over of a whole number


def _digits(value: object) -> object:
    """A string of digits as a number, and a number that is whole but for the residue of a multiplication."""
    if isinstance(value, float) and isfinite(value) and 0 < abs(value - round(value)) < RESIDUE:
        return round(value)
    if not isinstance(value, str):
        return value
    digits = value.strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 20):
        raise ValueError("must be a whole number")
    return int(digits)


def _number_as_text(value: object) -> object:
    return str(value) if type(value) is int else value


_PLUS = re.compile(r"(?<=[0-9]) (?=[0-9]{2}:?[0-9]{2}$)")  # between a time and its offset: a + as queries decode it


def _moment(value: object) -> datetime:
    """An ISO 8601 time; without an offset it is UTC."""
    try:
        if isinstance(value, str) and ":" in value.partition(" ")[0]:
            value = _PLUS.sub("+", value)
        at = datetime.fromisoformat(value)  # type: ignore[arg-type]
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("must be an ISO 8601 time") from None


def _due_day(value: object) -> object:
    """A date; of a time, the day that it is then in Brazil."""
    if isinstance(value, str) and len(value.strip()) == 10:
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            raise ValueError("must be an ISO 8601 date") from None
    return local_day(_moment(value))


NO_NUL = AfterValidator(_without_nul)
DIGITS = BeforeValidator(_digits)
NUMBER_AS_TEXT = BeforeValidator(_number_as_text)
CAPITALS = BeforeValidator(lambda value: value.strip().upper() if isinstance(value, str) else value)
Text = Annotated[str, NO_NUL, NUMBER_AS_TEXT]
Id = Annotated[Text, StringConstraints(min_length=1, max_length=255)]
Text140 = Annotated[Text, StringConstraints(max_length=140)]
Text255 = Annotated[Text, StringConstraints(max_length=255)]
# Not positive is the service's to refuse, in Woovi's words. The limit is that of API Pix, which is ten digits of reais.
Cents = Annotated[int, Field(ge=-999_999_999_999, le=999_999_999_999, description="Centavos."), DIGITS]
Once = Annotated[Text255 | None, Field(description="Yours, to send the same again without effect.")]
Timestamp = Annotated[datetime, BeforeValidator(_moment)]
DueDate = Annotated[date, BeforeValidator(_due_day)]
# True for `true`, `True`, `1` and for the bare name.
Flag = Annotated[bool, BeforeValidator(lambda value: {"": True, "undefined": False, "null": False}.get(value, value))]


class Address(Body):
    """A customer's address."""

    zipcode: Text255 | None = None
    street: Text255 | None = None
    number: Text255 | None = None
    neighborhood: Text255 | None = None
    city: Text255 | None = None
    state: Text255 | None = None
    complement: Text255 | None = None
    country: Text255 | None = None


def bare_tax_id(value: object) -> object:
    """The number of a tax id given as an object, as answers have it, so that a customer may be sent back as it was read.

    One that is sent as a number has lost its leading zeros.
    """
    value = value.get("taxID") if isinstance(value, dict) else value
    return str(value).zfill(11 if value < 10**11 else 14) if type(value) is int else value


def decoded(identifier: str) -> str:
    """An identifier of a path, which routes match as it was sent: a correlationID may hold `/ % #`. Raises Invalid."""
    try:
        return unquote(identifier, errors="strict")
    except UnicodeDecodeError:
        raise Invalid("id must be UTF-8", "id") from None
