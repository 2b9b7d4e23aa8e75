"""POST, GET /customer; GET, PATCH /customer/{id}."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import P, PathEx, Query, Router
from pydantic import BeforeValidator, ConfigDict, Field

from payments import contract, limits
from payments.api import answers
from payments.api.auth import company, needs
from payments.api.fields import Address, Body, Text, Text255, bare_tax_id, decoded
from payments.api.pages import Page, paginate
from payments.models import Customer
from payments.selectors import customers as selectors
from payments.services import customers
from payments.services.customers import CustomerRequest
from payments.services.errors import NotFound

router = Router(tags=["customer"])
Json = dict[str, Any]
Identifier = PathEx[str, P(description="The customer's correlationID (URI-encoded) or tax id.")]
TaxId = Annotated[Text255 | None, BeforeValidator(bare_tax_id)]
EXAMPLE: Any = {
    "name": "Ana Souza",
    "taxID": "529.982.247-25",
    "email": "ana@exemplo.com",
    "correlationID": "cliente-1",
}


class CustomerBody(Body):
    """A customer to create, with a tax id, an e-mail or a phone."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    name: Annotated[Text, Field(max_length=200)]
    taxID: TaxId = None
    email: Text255 | None = None
    phone: Text255 | None = None
    correlationID: Text255 | None = None
    address: Address | None = None


class CustomerChange(Body):
    """The fields of a customer that may be changed. A tax id stays once it is set."""

    model_config = ConfigDict(json_schema_extra={"example": {"phone": "+5511999991234"}})

    name: Annotated[Text, Field(max_length=200)] | None = None
    taxID: TaxId = None
    email: Text255 | None = None
    phone: Text255 | None = None
    address: Address | None = None


@router.post(
    "/customer",
    **needs("CUSTOMER_POST"),
    summary="Create a customer",
    response=answers.of(answers.OneCustomer, answers.WITH_BODY),
)
def create(request: HttpRequest, body: CustomerBody) -> Json:
    """Create a customer. The same body again gives the first customer."""
    made = customers.create(
        company(request),
        CustomerRequest(
            name=body.name,
            correlation_id=body.correlationID or "",
            tax_id=body.taxID or "",
            email=body.email or "",
            phone=body.phone or "",
            address=body.address.given() if body.address else {},
        ),
    )
    return {"customer": contract.customer(made)}


@router.get("/customer", **needs("CUSTOMER_GET_LIST"), summary="List customers", response=answers.of(answers.Customers))
def listing(request: HttpRequest, page: Query[Page]) -> Json:
    """The company's customers, newest first."""
    rows, info = paginate(request, selectors.listing(company(request)), page)
    return {"customers": [contract.customer(row) for row in rows], "pageInfo": info}


@router.get(
    "/customer/{identifier}",
    **needs("CUSTOMER_GET"),
    summary="Get a customer",
    response=answers.of(answers.OneCustomer),
)
def read(request: HttpRequest, identifier: Identifier) -> Json:
    """A customer by its correlationID (URI-encoded) or tax id."""
    owner = company(request)
    with limits.lookup(request, str(owner.pk)) as looked_up:
        found: Customer | None = selectors.find(owner, decoded(identifier))
        if found is None:
            raise NotFound("Customer not found")
        looked_up.settle(1)
    return {"customer": contract.customer(found)}


@router.patch(
    "/customer/{identifier}",
    **needs("CUSTOMER_PATCH"),
    summary="Change a customer",
    response=answers.of(answers.OneCustomer, answers.WITH_BODY),
)
def change(request: HttpRequest, identifier: Identifier, body: CustomerChange) -> Json:
    """Change the fields that are sent."""
    names = {"taxID": "tax_id"}
    fields = {names.get(name, name): value for name, value in body.given().items()}
    return {"customer": contract.customer(customers.change(company(request), decoded(identifier), fields))}
