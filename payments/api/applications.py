"""POST, DELETE /application; POST /application/rotate-secret; GET /application/scopes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Router, Status
from pydantic import ConfigDict, Field

from payments import scopes
from payments.api import answers
from payments.api.auth import AppID, application, company, needs
from payments.api.fields import CAPITALS, Body, Text, Text255
from payments.api.middleware import error
from payments.models import Account, Application
from payments.services import applications, companies
from payments.services.errors import NotFound

router = Router(tags=["application"])
Json = dict[str, Any]


class NewApplication(Body):
    """What the application is called and may do."""

    name: Annotated[Text, Field(min_length=1, max_length=100)]
    type: Annotated[Literal["API"], CAPITALS] = "API"
    scopes: Annotated[list[Text255] | None, Field(description="None: every route.")] = None


class ApplicationBody(Body):
    """An application to create."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "accountId": "603e749a425602bbbf4e7bed",
                "application": {"name": "Loja", "type": "API", "scopes": ["CHARGE_POST", "CHARGE_GET"]},
            }
        }
    )

    accountId: Annotated[Text255, Field(description="The id of the company's default account.")]
    application: NewApplication


class ClientBody(Body):
    """An application of the company, by its client id."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"clientId": "Client_Id_9134e286-6f71-427a-bf00-241681624586"}}
    )

    clientId: Text255


@router.post(
    "/application",
    **needs("APPLICATION_POST", master=True),
    summary="Create an application",
    response={HTTPStatus.CREATED: answers.OneApplication, **answers.APPLICATION},
)
def create(request: HttpRequest, body: ApplicationBody) -> Status[Json]:
    """Create credentials. `clientSecret` and `appID` are in this answer and never again. Needs an AppID of type MASTER."""
    wanted = body.application
    made, app_id = applications.create(application(request), body.accountId, wanted.name, wanted.scopes or ())
    return Status(HTTPStatus.CREATED, {"application": _as_json(made, app_id)})


@router.delete(
    "/application",
    **needs("APPLICATION_DELETE", master=True),
    summary="Delete an application",
    response=answers.of(answers.ApplicationDeleted, answers.APPLICATION_OR_NOT_FOUND),
)
def delete(request: HttpRequest, body: ClientBody) -> Json | HttpResponse:
    """Refuse the application's AppID from now on."""
    try:
        applications.delete(company(request), body.clientId)
    except NotFound as refusal:
        return error(HTTPStatus.NOT_FOUND, refusal.message)
    return {"success": True}


@router.post(
    "/application/rotate-secret",
    **needs("APPLICATION_ROTATE_POST", master=True),
    summary="Change an application's secret",
    response=answers.of(answers.OneApplication, answers.APPLICATION_OR_NOT_FOUND),
)
def rotate_secret(request: HttpRequest, body: ClientBody) -> Json | HttpResponse:
    """Give an application of the company another secret. The former AppID is refused at once."""
    try:
        found, app_id = applications.rotate_secret(application(request), body.clientId)
    except NotFound as refusal:
        return error(HTTPStatus.NOT_FOUND, refusal.message)
    return {"application": _as_json(found, app_id)}


@router.get("/application/scopes", auth=AppID(""), summary="List scopes", response=answers.of(answers.Scopes))
def list_scopes(request: HttpRequest) -> Json:
    """The scopes that an application may ask for, by resource. Every application may read them."""
    groups = [{"name": name, "scopes": list(group)} for name, group in scopes.GROUPS.items()]
    return {"scopes": list(scopes.ALL), "scopeGroups": groups}


def _as_json(made: Application, app_id: str) -> Json:
    account = Account.objects.get(company=made.company, kind=Account.Kind.MERCHANT, is_default=True)
    return {
        "name": made.name,
        "isActive": made.is_active,
        "type": made.type,
        "clientId": made.client_id,
        "clientSecret": companies.secret_of(app_id),
        "appID": app_id,
        "companyBankAccount": account.public_id,
        **({"scopes": made.scopes} if made.scopes else {}),
    }
