"""A company's logo: uploaded, seen by its payers, removed."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from payments.models import Company, Logo
from payments.services import logos
from tests.payments import making
from tests.payments.test_images import JPEG, WEBP, png

pytestmark = pytest.mark.django_db
ADDRESS = re.compile(r'class="logo" src="(/logos/[^"]+)"')


def send(browser: Client, data: bytes, name: str = "logo.png") -> tuple[int, str]:
    """Upload it. Returns the status and the page."""
    answer = browser.post("/preferences/logo", {"logo": SimpleUploadedFile(name, data)}, follow=True)
    return answer.status_code, answer.content.decode()


def seen_by(path: str) -> list[str]:
    return ADDRESS.findall(Client().get(path).content.decode())


def test_payers_see_the_logo_until_it_is_removed(merchant: Client, company: Company) -> None:
    charge = making.charge(company)
    pages = f"/pay/{charge.payment_link_id}"
    theirs = f"/pay/{making.charge(making.company()).payment_link_id}"
    assert seen_by(pages) == []
    status, page = send(merchant, png())
    [address] = seen_by(pages)
    assert (status, address in page, seen_by(theirs)) == (200, True, [])
    assert f'<img src="{address}"' in merchant.get("/charges").content.decode(), "the header"
    picture = Client().get(address)
    assert (picture.content, picture["Content-Type"], picture["X-Content-Type-Options"]) == (
        png(),
        "image/png",
        "nosniff",
    )
    assert "immutable" in picture["Cache-Control"]
    assert "Set-Cookie" not in picture
    assert Client().get(address, headers={"If-None-Match": picture["ETag"]}).status_code == 304

    for data, kind in ((JPEG, "image/jpeg"), (WEBP, "image/webp")):
        send(merchant, data)
        [newer] = seen_by(pages)
        assert newer != address
        assert Client().get(newer)["Content-Type"] == kind
        assert Client().get(address).status_code == 404, "the one before is gone"
        address = newer
    assert Logo.objects.get().company == company

    asked = merchant.get("/preferences/logo/remove").content.decode()
    assert re.findall(r"<dd>(\d+)</dd>", asked) == ["1", "0"]
    assert seen_by(pages), "asking removes nothing"
    merchant.post("/preferences/logo/remove")
    assert seen_by(pages) == []
    assert (Client().get(address).status_code, Logo.objects.count()) == (404, 0)


def test_what_is_no_logo_is_refused_and_the_old_one_stays(merchant: Client, company: Company) -> None:
    logos.put(company, png())
    key = company.logo_key
    for data, name in (
        (b"<svg onload='alert(1)'/>", "logo.svg"),
        (b"MZ", "logo.png"),
        (png(width=9), "l.png"),
        (b"", "e.png"),
    ):
        status, page = send(merchant, data, name)
        assert (status, 'id="id_logo_error"' in page) == (422, True), name
    assert merchant.post("/preferences/logo", {}).status_code == 422
    company.refresh_from_db()
    assert company.logo_key == key


def test_new_charges_last_as_long_as_the_company_likes(merchant: Client, company: Company) -> None:
    assert merchant.post("/preferences", {"expires_in": 61}).status_code == 422
    assert merchant.post("/preferences", {"expires_in": 3_600}).status_code == 302
    for path in ("/preferences", "/charges/new"):
        assert '<option value="3600" selected>' in merchant.get(path, follow=True).content.decode()
    company.refresh_from_db()
    assert company.charge_expires_in == 3_600
