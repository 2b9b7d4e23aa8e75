"""The charges' pages: what is shown, what is refused, and whose it is."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from payments.models import Charge, Company
from payments.services.charges import receiving
from tests.payments import making
from tests.processes import free_port


def text(client: Client, path: str, **headers: str) -> str:
    response = client.get(path, headers=headers)
    assert response.status_code == 200, path
    return response.content.decode().replace("\u00a0", " ")


FORM = {
    "value": "1.234,56",
    "comment": "Pedido 7",
    "customer_name": "Bia",
    "customer_tax_id": "529.982.247-25",
    "expires_in": "3600",
}


def send(client: Client, path: str, **changes: str) -> Any:
    return client.post(path, {**FORM, **changes})


@pytest.fixture
def form(merchant: Client) -> str:
    """A new form's address, which carries its correlationID."""
    return str(merchant.get("/charges/new")["Location"])


def test_a_charge_is_created(merchant: Client, bank: Any, form: str, company: Company) -> None:
    answer = send(merchant, form)
    charge = Charge.objects.get()
    assert answer["Location"] == f"/charges/{charge.public_id}"
    assert (charge.company, charge.value, charge.comment, charge.expires_in) == (company, 123456, "Pedido 7", 3600)
    assert charge.customer == {"name": "Bia", "taxID": "52998224725"}
    page = text(merchant, answer["Location"])
    assert "R$ 1.234,56" in page
    assert "529.982.247-25" in page
    assert f"/openpix/charge/brcode/image/{charge.payment_link_id}.svg" in page


def test_a_double_click_and_the_back_button_make_one_charge(merchant: Client, bank: Any, form: str) -> None:
    first, second = send(merchant, form), send(merchant, form)
    assert first["Location"] == second["Location"]
    assert merchant.get(form)["Location"] == first["Location"]
    assert send(merchant, form, value="9,99")["Location"] == first["Location"]
    assert Charge.objects.get().value == 123456


def test_another_form_makes_another_charge(merchant: Client, bank: Any) -> None:
    for _ in range(2):
        send(merchant, merchant.get("/charges/new")["Location"])
    assert Charge.objects.count() == 2


def test_the_bank_is_down_the_form_is_kept_and_goes_on_later(
    merchant: Client, bank: Any, form: str, settings: Any
) -> None:
    settings.BANK_URL = f"http://127.0.0.1:{free_port()}"  # nobody listens
    answer = send(merchant, form)
    page = answer.content.decode()
    assert answer.status_code == 503
    assert "The bank does not answer" in page
    assert all(value in page for value in ("1.234,56", "Pedido 7", "529.982.247-25"))
    assert "No charges yet" in text(merchant, "/")
    settings.BANK_URL = bank.url
    assert send(merchant, form).status_code == 302
    assert Charge.objects.count() == 1


def test_a_form_that_waits_for_the_bank_takes_no_other_values(
    merchant: Client, bank: Any, form: str, settings: Any
) -> None:
    settings.BANK_URL = f"http://127.0.0.1:{free_port()}"
    send(merchant, form)
    settings.BANK_URL = bank.url
    answer = send(merchant, form, value="9,99")
    assert answer.status_code == 422
    assert b"sent before with other values" in answer.content


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("value", "", "Type a value."),
        ("value", "abc", "12,34"),
        ("value", "12.34", "12,34"),
        ("value", "0,00", "more than zero"),
        ("value", "-5,00", "12,34"),
        ("value", "99.999.999.999,00", "at most"),
        ("value", "1\0", "Null characters"),
        ("comment", "x" * 141, "at most 140"),
        ("comment", "a\0b", "Null characters"),
        ("customer_tax_id", "111.111.111-11", "not a valid CPF"),
        ("customer_tax_id", "x", "not a valid CPF"),
        ("customer_name", "", "needs a name"),
        ("expires_in", "1", "valid choice"),
        ("expires_in", "abc", "valid choice"),
    ],
)
def test_errors_stand_at_their_field(merchant: Client, bank: Any, form: str, field: str, typed: str, told: str) -> None:
    answer = send(merchant, form, **{field: typed})
    assert answer.status_code == 422
    page = answer.content.decode()
    error = page.split(f'id="id_{field}_error"')[1].split("</p>")[0]
    assert told in error
    assert 'aria-invalid="true"' in page
    assert not Charge.objects.exists()


def test_the_overview_shows_balance_and_latest_charges(merchant: Client, company: Company) -> None:
    assert "No charges yet" in text(merchant, "/")
    paid = making.charge(company, 10_000, customer={"name": "Bia"})
    receiving.receive(making.pix(paid))
    page = text(merchant, "/")
    assert "R$ 99,20" in page  # less 0.8%
    assert "Bia" in page
    assert "Paid" in page
    assert "R$ 99,20" in text(merchant, "/balance")


def test_fragments_are_the_parts_alone(merchant: Client, company: Company) -> None:
    charge = making.charge(company)
    for path in ("/", "/charges", f"/charges/{charge.public_id}"):
        fragment = text(merchant, path, **{"HX-Request": "true"})
        assert "<html" not in fragment
        assert charge.correlation_id in fragment


def test_every_state_of_a_charge_has_its_page(merchant: Client, company: Company) -> None:
    waiting = making.charge(company, expires_at=timezone.now() + timedelta(hours=1))
    page = text(merchant, f"/charges/{waiting.public_id}")
    pay = page.split('id="pay"')[1].split('href="')[1].split('"')[0]
    assert parse_qs(urlsplit(pay).query) == {"code": [waiting.br_code]}
    assert "data-until" in page

    paid = making.charge(company, 1000)
    receiving.receive(making.pix(paid, payer_name="Bia Costa", payer_message="<b>Thanks</b>"))
    page = text(merchant, f"/charges/{paid.public_id}")
    assert "Bia Costa" in page
    assert "&lt;b&gt;Thanks&lt;/b&gt;" in page
    assert "R$ 9,50" in page
    assert "Return money to the payer" in page
    assert 'id="pay"' not in page

    over = making.charge(company, status="EXPIRED")
    page = text(merchant, f"/charges/{over.public_id}")
    assert "Time to pay was over" in page
    assert 'id="code"' not in page


def test_production_knows_no_simulated_bank(merchant: Client, company: Company, settings: Any) -> None:
    settings.PRODUCTION = True
    assert 'id="pay"' not in text(merchant, f"/charges/{making.charge(company).public_id}")


def test_the_list_filters_searches_and_turns_pages(merchant: Client, company: Company) -> None:
    made = [
        making.charge(company, correlation_id=f"order-{i:02d}", created_at=making.NOW + timedelta(minutes=i // 2))
        for i in range(60)
    ]
    Charge.objects.filter(pk=made[59].pk).update(status="EXPIRED")
    page, seen = "/charges", []
    for _ in range(3):
        content = text(merchant, page)
        seen += [part[:8] for part in content.split('clip">')[1:]]
        if 'id="older"' in content:
            page = "/charges" + content.split('id="older" href="')[1].split('"')[0].replace("&amp;", "&")
    assert seen == [f"order-{i:02d}" for i in reversed(range(60))]  # each once, newest first, equal times too
    assert "order-59" in text(merchant, "/charges?status=EXPIRED")
    assert "order-58" not in text(merchant, "/charges?status=EXPIRED")
    found = text(merchant, "/charges?q=order-07")
    assert "order-07" in found
    assert "order-08" not in found
    assert "No charge matches" in text(merchant, "/charges?q=nothing")


@pytest.mark.parametrize("query", ["?status=NOPE", "?before=zz", "?before=%00", "?q=%00", "?q=" + "x" * 5000])
def test_odd_queries_do_no_harm(merchant: Client, query: str) -> None:
    text(merchant, f"/charges{query}")


def test_lists_do_not_ask_once_a_row(
    merchant: Client, company: Company, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(30):
        making.charge(company)
    for path in ("/", "/charges"):
        # Session, person, company, head of its log, charges, their Pix, balance, bell; and on the first page how the day goes.
        with django_assert_max_num_queries(8 if path == "/charges" else 11):
            merchant.get(path)


def test_another_companys_charges_do_not_exist(merchant: Client, bank: Any, company: Company) -> None:
    other = making.company()
    foreign = making.charge(other, 777_777, comment="other's secret")
    receiving.receive(making.pix(foreign))
    for path in (f"/charges/{foreign.public_id}", f"/charges/{foreign.public_id}/refund"):
        assert merchant.get(path).status_code == 404
        assert merchant.get(path, headers={"HX-Request": "true"}).status_code == 404
        assert merchant.post(path, {"part": "whole", "confirmed": "on"}).status_code in {404, 405}
    for path in (
        "/",
        "/balance",
        "/charges",
        f"/charges?q={foreign.correlation_id}",
        f"/charges?before={foreign.public_id}",
    ):
        page = text(merchant, path)
        assert "secret" not in page
        assert "7.777,77" not in page
        assert foreign.public_id not in page.replace(f"before={foreign.public_id}", "")
    # The other's correlationID in our form's address is ours to use, and leads to ours.
    shared = uuid.uuid4()
    making.charge(other, correlation_id=str(shared))
    answer = send(merchant, f"/charges/new/{shared}")
    assert Charge.objects.get(public_id=answer["Location"].rsplit("/")[-1]).company == company


def test_the_list_is_filtered_by_days_and_values(merchant: Client, company: Company) -> None:
    for day, value in ((1, 1_000), (2, 2_000), (3, 3_000)):
        made = making.NOW.replace(day=day, hour=2)  # the evening before, in São Paulo
        making.charge(company, value, correlation_id=f"order-{day}", created_at=made)

    def found(query: str) -> list[str]:
        return sorted(set(re.findall(r"order-\d", text(merchant, f"/charges?{query}"))))

    assert found("first=2026-03-01") == ["order-2", "order-3"]
    assert found("last=2026-03-01") == ["order-1", "order-2"]
    assert found("first=2026-03-01&last=2026-03-01") == ["order-2"]
    assert found("least=20,00") == ["order-2", "order-3"]
    assert found("least=20,00&most=20,00") == ["order-2"]
    assert found("most=20,00&status=ACTIVE&q=order-1") == ["order-1"]
    assert found("last=9999-12-31") == ["order-1", "order-2", "order-3"]
    assert "No charge matches" in text(merchant, "/charges?least=99,00")
    for query, field in (("first=x", "first"), ("least=12.34", "least")):
        answer = merchant.get(f"/charges?{query}")
        assert answer.status_code == 422
        assert f'id="id_{field}_error"' in answer.content.decode()


def test_filters_stay_while_one_turns_pages_and_changes_the_state(merchant: Client, company: Company) -> None:
    for _ in range(26):
        making.charge(company, 2_000)
    page = text(merchant, "/charges?least=10,00&q=&status=ACTIVE")
    older = page.split('id="older" href="')[1].split('"')[0].replace("&amp;", "&")
    assert parse_qs(older[1:])["least"] == ["10,00"]
    assert parse_qs(older[1:])["status"] == ["ACTIVE"]
    assert page.count('href="?least=10%2C00&amp;q=&amp;status=EXPIRED"') == 1


def test_a_charge_is_made_like_another(merchant: Client, bank: Any, company: Company) -> None:
    like = making.charge(company, 123_456, comment="Aula", customer={"name": "Bia", "taxID": making.BIA})
    assert f"/charges/new?like={like.public_id}" in text(merchant, f"/charges/{like.public_id}")
    form = merchant.get(f"/charges/new?like={like.public_id}")["Location"]
    page = text(merchant, form)
    assert all(f'value="{value}"' in page for value in ("1.234,56", "Aula", "Bia", making.BIA))
    foreign = making.charge(making.company(), 777_777, comment="secret")
    assert "secret" not in text(merchant, merchant.get(f"/charges/new?like={foreign.public_id}")["Location"])
    assert merchant.get("/charges/new?like=%00'")["Location"].count("?") == 0
