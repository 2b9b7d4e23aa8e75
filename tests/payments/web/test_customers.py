"""Customers on the pages: found, made once, each with its charges; nothing of another company."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from payments.models import Company, Customer
from payments.services import customers
from payments.services.customers import CustomerRequest
from tests.payments import making
from tests.payments.web.test_charges import text

FORM = {"name": "Bia Costa", "tax_id": "529.982.247-25", "email": "bia@example.com", "phone": "+5511987654321"}


def test_one_is_made_once_and_charged(merchant: Client, company: Company) -> None:
    assert "No customers yet" in text(merchant, "/customers")
    form = merchant.get("/customers/new")["Location"]
    made = merchant.post(form, FORM)["Location"]
    customer = Customer.objects.get()
    assert made == f"/customers/{customer.public_id}"
    assert (customer.company, customer.name, customer.tax_id) == (company, "Bia Costa", making.BIA)
    assert merchant.post(form, {**FORM, "name": "x"})["Location"] == made, "a double click"
    assert Customer.objects.count() == 1
    page = text(merchant, made)
    assert all(words in page for words in ("529.982.247-25", "bia@example.com", "+5511987654321"))
    charge = merchant.get(f"/charges/new?customer={customer.public_id}")["Location"]
    assert all(f'value="{value}"' in text(merchant, charge) for value in ("Bia Costa", making.BIA))


@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"name": ""}, "name", "required"),
        ({"tax_id": "111.111.111-11"}, "tax_id", "not a valid CPF"),
        ({"tax_id": "", "email": "", "phone": ""}, "tax_id", "needs a CPF or CNPJ"),
        ({"email": "x"}, "email", "valid email"),
        ({"tax_id": making.ANA}, "tax_id", "another customer"),
    ],
)
def test_what_is_wrong_stands_at_its_field(
    merchant: Client, company: Company, changes: dict[str, str], field: str, told: str
) -> None:
    customers.create(company, CustomerRequest("Ana", tax_id=making.ANA))
    answer = merchant.post(merchant.get("/customers/new")["Location"], {**FORM, **changes})
    assert answer.status_code == 422
    assert told in answer.content.decode().split(f'id="id_{field}_error"')[1].split("</p>")[0]
    assert Customer.objects.count() == 1


def test_they_are_found_turn_pages_and_cost_no_query_each(
    merchant: Client, company: Company, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        customers.create(company, CustomerRequest(f"Caio {number:02d}", email=f"c{number:02d}@example.com"))
    bia = customers.create(company, CustomerRequest("Bia", correlation_id="crm-7", tax_id=making.BIA, phone="+551133"))
    customers.create(making.company(), CustomerRequest("Bia of theirs", tax_id=making.BIA))
    for typed in ("bia", "529.982.247-25", "+551133", "CRM-"):
        assert merchant.get("/customers", {"q": typed}).context["customers"] == [bia], typed
    assert "No customer matches" in text(merchant, "/customers?q=nothing%00")
    with django_assert_max_num_queries(
        7
    ):  # session, person, company, head of its log, customers, the balance, the bell
        page = text(merchant, "/customers")
    seen = re.findall(r"Caio \d\d", page)
    older = page.split('id="older" href="')[1].split('"')[0].replace("&amp;", "&")
    seen += re.findall(r"Caio \d\d", text(merchant, f"/customers{older}"))
    assert seen == [f"Caio {number:02d}" for number in reversed(range(30))]


def test_each_has_the_charges_made_for_it(
    merchant: Client, company: Company, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    bia = customers.create(company, CustomerRequest("Bia", correlation_id="crm-7", tax_id=making.BIA))
    assert "No charge was made" in text(merchant, f"/customers/{bia.public_id}")
    for number in range(20):
        customer = {"name": "Bia", **({"taxID": making.BIA} if number % 2 else {"correlationID": "crm-7"})}
        making.charge(company, correlation_id=f"hers-{number}", customer=customer)
    making.charge(company, correlation_id="other", customer={"name": "Bia", "taxID": making.ANA})
    making.charge(making.company(), correlation_id="theirs", customer={"name": "Bia", "taxID": making.BIA})
    # Session, person, company, head of its log, the customer, the charges, their Pix, the balance.
    with django_assert_max_num_queries(9):
        page = text(merchant, f"/customers/{bia.public_id}")
    assert set(re.findall(r'clip">([a-z]+-?\d*)<', page)) == {f"hers-{number}" for number in range(20)}


def test_another_companys_do_not_exist(merchant: Client, company: Company) -> None:
    theirs = customers.create(making.company(), CustomerRequest("Secret", correlation_id="s", tax_id=making.BIA))
    assert merchant.get(f"/customers/{theirs.public_id}").status_code == 404
    assert "Secret" not in text(merchant, "/customers?q=secret")
    assert "Secret" not in text(merchant, f"/customers?before={theirs.public_id}")
    form = merchant.get(f"/charges/new?customer={theirs.public_id}")["Location"]
    assert "Secret" not in text(merchant, form)
