"""The shopper's page: what each state shows, and what nobody with the link may learn."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import resolve
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from payments.contract import payment_link_url
from payments.models import Charge, Company
from payments.services.charges import receiving
from tests.payments import making

NOBODYS = "6b6c2f0e-5a2a-4b8f-9d39-6a1d0f3f2c11"
CODE = "00020101021226770014br.gov.bcb.pix2555pix.bank.example/qr/v2/cob/6e4a2b"
CUSTOMER = {
    "name": "Bia Costa",
    "taxID": making.BIA,
    "email": "bia@example.com",
    "phone": "5511999998888",
    "correlationID": "customer-77",
}


@pytest.fixture
def shopper(db: None) -> Client:
    """Somebody's browser, without a log-in, that reads English."""
    return Client(headers={"Accept-Language": "en"})


def made(owner: Company, **fields: Any) -> Charge:
    """A charge that can still be paid for an hour."""
    now = timezone.now()
    given = {
        "value": 123_456,
        "correlation_id": "order-4711",
        "comment": "Table <4>",
        "br_code": CODE,
        "customer": CUSTOMER,
        "additional_info": [{"key": "secret-key", "value": "secret-value"}],
        "created_at": now - timedelta(hours=1),
        "expires_at": now + timedelta(hours=1),
    }
    return making.charge(owner, **{**given, **fields})


def paid(owner: Company) -> Charge:
    charge = made(owner)
    receiving.receive(making.pix(charge, paid_at=timezone.now(), payer_name="Dora Payer", payer_message="for Dora"))
    charge.refresh_from_db()
    return charge


def expired(owner: Company) -> Charge:
    return made(owner, status=Charge.Status.EXPIRED, expires_at=timezone.now() - timedelta(minutes=5))


def over(owner: Company) -> Charge:
    return made(owner, expires_at=timezone.now() - timedelta(seconds=1))


STATES = {"open": made, "paid": paid, "expired": expired, "over": over}


def path(charge: Charge, seen: str = "") -> str:
    return f"/pay/{charge.payment_link_id}" + (f"?seen={seen}" if seen else "")


def text(client: Client, where: str) -> str:
    response = client.get(where)
    assert response.status_code == 200
    return response.content.decode().replace("\u00a0", " ")


def test_the_contracts_link_leads_to_the_page(company: Company, settings: Any) -> None:
    url = payment_link_url(made(company))
    assert resolve(url.removeprefix(settings.PUBLIC_URL)).view_name == "web:pay"


def test_an_open_charge_says_who_asks_for_what_and_how_to_pay(shopper: Client, company: Company) -> None:
    charge = made(company)
    page = text(shopper, path(charge))
    assert company.trade_name in page
    assert "R$ 1.234,56" in page
    assert "Table &lt;4&gt;" in page
    assert CODE in page
    assert f'src="/openpix/charge/brcode/image/{charge.payment_link_id}.svg"' in page
    assert f'data-until="{int(charge.expires_at.timestamp())}"' in page
    assert "Waiting for your payment" in page


@pytest.mark.parametrize(
    ("state", "said"),
    [("paid", "Payment received"), ("expired", "ask for a new charge"), ("over", "If you paid in time")],
)
def test_what_can_no_longer_be_paid_shows_no_code(shopper: Client, company: Company, state: str, said: str) -> None:
    page = text(shopper, path(STATES[state](company)))
    assert said in page
    assert "R$ 1.234,56" in page
    for code in (CODE, "brcode/image", "data-copy", "/pay?code="):
        assert code not in page


@pytest.mark.parametrize(("state", "reads"), [("open", True), ("over", True), ("paid", False), ("expired", False)])
def test_only_a_state_that_may_change_is_read_again(shopper: Client, company: Company, state: str, reads: bool) -> None:
    page = text(shopper, path(STATES[state](company)))
    assert ('hx-trigger="every 3s' in page) is reads
    assert (f"?seen={state}" in page) is (state != "expired"), "what was paid may go back: read when it is looked at"


@pytest.mark.parametrize("state", STATES)
def test_a_part_is_sent_only_when_the_state_is_another(shopper: Client, company: Company, state: str) -> None:
    charge = STATES[state](company)
    same = shopper.get(path(charge, state))
    assert (same.status_code, same.content) == (204, b"")
    part = text(shopper, path(charge, "another"))
    assert part.startswith("<title>")
    assert f'data-state="{state}"' in part
    assert "<html" not in part


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("seen", ["", "another"])
def test_nothing_personal_is_shown(shopper: Client, company: Company, state: str, seen: str) -> None:
    charge = STATES[state](company)
    answer = shopper.get(path(charge, seen))
    page = answer.content.decode() + str(answer.headers)
    private = [
        *CUSTOMER.values(),
        making.BIA[:3] + "." + making.BIA[3:6],  # a CPF with its dots
        "order-4711",
        "secret-",
        "Dora Payer",
        "for Dora",
        charge.public_id,
        charge.txid,
        company.official_name,
        company.tax_id,
        company.pix_key,
        "9,88",  # the fee
    ]
    assert [word for word in private if word in page] == []


@pytest.mark.parametrize("state", STATES)
def test_the_page_is_kept_nowhere_and_found_by_nobody(shopper: Client, company: Company, state: str) -> None:
    charge = STATES[state](company)
    for where in (path(charge), path(charge, state), path(charge, "another"), f"/pay/{NOBODYS}", "/pay/x"):
        answer = shopper.get(where)
        assert "no-store" in answer["Cache-Control"]
        assert "private" in answer["Cache-Control"]
        assert answer["Referrer-Policy"] == "same-origin"
        assert answer["X-Robots-Tag"] == "noindex, nofollow"
        assert "unsafe" not in answer["Content-Security-Policy"]


def test_a_link_shows_its_own_charge_alone(shopper: Client, company: Company) -> None:
    mine = made(company)
    other = made(making.company(), value=777, comment="Other", br_code="00020101OTHER")
    page = text(shopper, path(mine))
    assert not any(word in page for word in (other.company.trade_name, "7,77", "Other", "OTHER"))
    assert other.company.trade_name in text(shopper, path(other))


@pytest.mark.parametrize("name", ["public_id", "correlation_id", "txid", "pk"])
def test_no_other_id_of_a_charge_opens_it(shopper: Client, company: Company, name: str) -> None:
    charge = made(company, correlation_id=str(uuid.uuid4()))
    missing(shopper, f"/pay/{getattr(charge, name)}")


@pytest.mark.parametrize("rest", ["", "/", f"/{NOBODYS}", f"/{NOBODYS}/", "/%00", "/%0a", "/x'y", "/a/b", "/..%2f"])
@pytest.mark.parametrize("seen", ["", "?seen=open"])
def test_an_unknown_link_is_404_in_the_pages_style(shopper: Client, rest: str, seen: str) -> None:
    missing(shopper, f"/pay{rest}{seen}")


def test_a_charge_that_the_bank_has_not_registered_is_shown_to_nobody(shopper: Client, company: Company) -> None:
    charge = made(company, registered_at=None)
    missing(shopper, path(charge))
    Charge.objects.filter(pk=charge.pk).update(registered_at=timezone.now())
    assert shopper.get(path(charge)).status_code == 200


def missing(client: Client, where: str) -> None:
    answer = client.get(where)
    page = answer.content.decode()
    assert answer.status_code == 404
    assert "There is no such payment" in page
    assert "app.css" in page
    assert 'href="/"' not in page  # a shopper has no business at the merchants' overview


def test_nothing_is_sent_to_it(shopper: Client, company: Company) -> None:
    for where in (path(made(company)), "/pay/x"):
        assert shopper.post(where).status_code == 405


def test_the_simulated_bank_is_linked_outside_production_only(shopper: Client, company: Company, settings: Any) -> None:
    charge = made(company)
    assert f"{settings.BANK_URL}/pay?code=" in text(shopper, path(charge))
    settings.PRODUCTION = True
    page = text(shopper, path(charge))
    assert settings.BANK_URL not in page
    assert CODE in page


def test_a_stranger_switches_the_language(company: Company, db: None) -> None:
    charge = made(company)
    browser = Client(enforce_csrf_checks=True, headers={"Accept-Language": "pt-BR"})
    assert "Aguardando seu pagamento" in text(browser, path(charge))
    token = browser.cookies["csrftoken"].value
    sent = browser.post("/language", {"language": "en", "next": path(charge), "csrfmiddlewaretoken": token})
    assert sent["Location"] == path(charge)
    assert "Waiting for your payment" in text(browser, path(charge))
    assert "Waiting for your payment" in text(browser, path(charge, "over"))


def test_a_reading_costs_one_query(
    shopper: Client, company: Company, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    charge = made(company)
    for where in (path(charge), path(charge, "open")):
        with django_assert_num_queries(1):
            shopper.get(where)


def test_the_merchants_page_has_the_link_to_share(merchant: Client, company: Company) -> None:
    charge = made(company)
    page = text(merchant, f"/charges/{charge.public_id}")
    assert f'value="{payment_link_url(charge)}"' in page
    assert f'href="{payment_link_url(charge)}"' in page
