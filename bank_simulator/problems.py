"""Refusals as the Central Bank's Pix API words them: RFC 7807, `application/problem+json`."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

TYPES = "https://pix.bcb.gov.br/api/v2/error/"
DICT_TYPES = "https://dict.pi.rsfn.net.br/api/v2/error/"


class Problem(Exception):
    """The bank refuses a request.

    Args:
        kind: the last part of the type's address.
        status: of HTTP.
        detail: for the caller.
        field: what is wrong in the request, with its `value`; empty where no field is.
    """

    types = TYPES

    def __init__(self, kind: str, status: int, detail: str, field: str = "", value: Any = None) -> None:
        super().__init__(detail)
        self.kind, self.status, self.detail, self.field, self.value = kind, status, detail, field, value

    def body(self) -> dict[str, Any]:
        """The answer's JSON object."""
        body = {
            "type": self.types + self.kind,
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.field:
            violation = {"razao": self.detail, "propriedade": self.field}
            body["violacoes"] = [violation if self.value is None else {**violation, "valor": str(self.value)[:200]}]
        return body


class DictProblem(Problem):
    """A refusal of the key directory."""

    types = DICT_TYPES
