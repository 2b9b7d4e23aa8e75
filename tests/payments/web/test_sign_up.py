"""Sign-up in the sandbox, up to the first paid charge; none in production."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from payments.models import Charge, Company, User
from payments.pix import keys
from payments.services.charges import receiving
from tests.payments import making
from tests.payments.web.log_in import PASSWORD, browser
from tests.payments.web.test_charges import FORM, text

ASKED = {"name": "Café Aurora", "email": "Ana@Example.com", "password": PASSWORD}


def test_from_nothing_to_the_first_paid_charge(db: None, bank: Any) -> None:
    client = browser()
    assert 'href="/signup"' in text(client, "/login")
    to = client.post("/signup", ASKED)["Location"]
    form = client.get(to)["Location"]
    page = client.post(form, FORM)["Location"]
    charge = Charge.objects.get()
    receiving.receive(making.pix(charge, value=charge.value, paid_at=charge.created_at))
    assert "Paid" in text(client, page)
    user = User.objects.get()
    assert (user.email, user.role, user.company) == ("ana@example.com", "OWNER", charge.company)
    assert keys.parse_tax_id(charge.company.tax_id)


def test_what_is_wrong_stands_at_its_field_and_makes_nothing(db: None) -> None:
    User.objects.create_user("taken@example.com", company=making.company())
    for changes, field, told in (
        ({"email": "TAKEN@example.com"}, "email", "already"),
        ({"email": "x"}, "email", "valid email"),
        ({"password": "12345678"}, "password", "too common"),
        ({"name": ""}, "name", "required"),
    ):
        answer = browser().post("/signup", {**ASKED, **changes})
        assert answer.status_code == 422
        assert told in answer.content.decode().split(f'id="id_{field}_error"')[1].split("</p>")[0]
    assert (Company.objects.count(), User.objects.count()) == (1, 1)


def test_an_address_signs_up_five_times_an_hour(db: None) -> None:
    client: Client = browser()
    codes = [client.post("/signup", {**ASKED, "email": f"a{number}@example.com"}).status_code for number in range(6)]
    assert codes == [302] * 5 + [429]
    assert Company.objects.count() == 5


@pytest.mark.parametrize("method", ["get", "post"])
def test_production_has_no_such_page(db: None, settings: Any, method: str) -> None:
    settings.PRODUCTION = True
    assert getattr(browser(), method)("/signup", ASKED).status_code == 404
    assert "/signup" not in text(browser(), "/login")
    assert not Company.objects.exists()
