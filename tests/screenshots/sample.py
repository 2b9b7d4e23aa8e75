"""A demo system's company with something on every page, and values for the addresses of pages that nobody must log in to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.tokens import default_token_generator
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from payments.models import Company, User
from payments.services.charges import receiving
from payments.web import docs
from tests.browser.test_pages import fill
from tests.payments import making
from tests.payments.admin.test_admin import world
from tests.payments.web.test_team import pages

Given = dict[str, Any]


def company() -> Company:
    """The demo's company, after a morning of charges. Another has one of everything that operators see."""
    world(making.company(trade_name="Padaria Estrela"))
    demo = Company.objects.get(tax_id="12345678000195")
    _past(demo)
    fill(demo)
    return demo


def _past(demo: Company) -> None:
    """A Pix on most of the days before, so that the charts have a shape."""
    morning = timezone.localtime().replace(hour=8, minute=0)
    for ago in range(1, 30):
        at = morning - timedelta(days=ago)
        if at.weekday() < 6:
            value = 150_000 + 41_700 * (ago * 7 % 11)
            charge = making.charge(
                demo, value, created_at=at, expires_at=at + timedelta(days=1), comment="Pedido na loja"
            )
            receiving.receive(making.pix(charge, paid_at=at, payer_name="Ana Souza"), at)


def merchants(demo: Company) -> dict[str, list[str]]:
    """Paths of a merchant's pages by name: those of the matrix of rights, which a test keeps complete."""
    found: dict[str, list[str]] = {}
    for name, method, path, _form, _right in pages(demo):
        paths = found.setdefault(f"web:{name}", [])
        if method == "get" and path not in paths:
            paths.append(path)
    for charge in {charge.status: charge for charge in demo.charges.all()}.values():  # one of each state
        found["web:charge"].append(f"/charges/{charge.public_id}")
    return found


def arguments(demo: Company) -> dict[str, list[Given]]:
    """What pages outside the log-in have in their addresses, by name."""
    person = User.objects.filter(company=demo).first()
    assert person
    token = {
        "uidb64": urlsafe_base64_encode(force_bytes(person.pk)),
        "token": default_token_generator.make_token(person),
    }
    charges = {charge.status: charge for charge in demo.charges.all()}.values()
    return {
        "web:pay": [{"payment_link_id": charge.payment_link_id} for charge in charges],
        "web:doc": [{"slug": slug} for slug in docs.titles()],
        "web:password-choose": [token],
    }
