"""Applications and their scopes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from payments.api.answers.parts import WITH_BODY, Error


class Application(TypedDict):
    """A program's credentials."""

    name: Annotated[str, Field(examples=["Loja"])]
    isActive: bool
    type: Literal["API", "MASTER"]
    clientId: Annotated[str, Field(examples=["Client_Id_9134e286-6f71-427a-bf00-241681624586"])]
    clientSecret: Annotated[str, Field(description="Told in this answer alone.")]
    appID: Annotated[str, Field(description="What goes into `Authorization`. Told in this answer alone.")]
    companyBankAccount: Annotated[str, Field(examples=["603e749a425602bbbf4e7bed"])]
    scopes: NotRequired[Annotated[list[str], Field(description="Absent: every route.", examples=[["CHARGE_POST"]])]]


class OneApplication(TypedDict):
    application: Application


class ApplicationDeleted(TypedDict):
    success: Literal[True]


class ScopeGroup(TypedDict):
    name: Annotated[str, Field(examples=["CHARGE"])]
    scopes: Annotated[list[str], Field(examples=[["CHARGE_POST", "CHARGE_GET"]])]


class Scopes(TypedDict):
    scopes: Annotated[list[str], Field(examples=[["CHARGE_POST", "CHARGE_GET"]])]
    scopeGroups: list[ScopeGroup]


class WrongField(TypedDict):
    field: Annotated[str, Field(examples=["application.name"])]
    message: Annotated[str, Field(examples=["Field required"])]


class ApplicationError(Error):
    """What is wrong; of a body, with each of its wrong fields."""

    details: NotRequired[list[WrongField]]


APPLICATION = {**WITH_BODY, HTTPStatus.BAD_REQUEST: ApplicationError}
APPLICATION_OR_NOT_FOUND = {**APPLICATION, HTTPStatus.NOT_FOUND: Error}
