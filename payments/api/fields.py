"""How input is read: strictly. `true` is no number, `"100"` is no number, NUL is no text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja.parser import Parser
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints
from pydantic_core import from_json


class Body(BaseModel):
    """A JSON object. Fields that the contract does not know are ignored, null is the same as absent."""

    model_config = ConfigDict(strict=True)

    def given(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True)


class StrictParser(Parser):
    """JSON as RFC 8259 has it: UTF-8, no NaN, no lone surrogates, no endless nesting. All else raises ValueError."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        return from_json(request.body, allow_inf_nan=False)  # type: ignore[no-any-return]


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain NUL")
    return text


def _moment(value: object) -> object:
    """An ISO 8601 time; without an offset it is UTC."""
    if value in ("", None):
        return None
    try:
        at = datetime.fromisoformat(value)  # type: ignore[arg-type]
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("must be an ISO 8601 time") from None


NO_NUL = AfterValidator(_without_nul)
Text = Annotated[str, NO_NUL]
Id = Annotated[str, StringConstraints(min_length=1, max_length=255), NO_NUL]
Text140 = Annotated[str, StringConstraints(max_length=140), NO_NUL]
Text255 = Annotated[str, StringConstraints(max_length=255), NO_NUL]
Moment = Annotated[datetime | None, BeforeValidator(_moment)]
# `true`, `True`, `1`, or the bare name.
Flag = Annotated[bool, BeforeValidator(lambda value: True if value == "" else value)]
