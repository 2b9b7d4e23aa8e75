"""Every page at every width that people have: nothing stands out, nothing is covered, everything has a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.utils import timezone
from playwright.sync_api import Page

from payments.models import Charge, Company, Refund, User
from payments.services.charges import receiving, refunds
from tests.browser.conftest import PASSWORD, Person, shoot
from tests.browser.test_pages import fill
from tests.payments import making
from tests.payments.admin.test_admin import world

# 320: a screen of 1,280 pixels at a zoom of 400 % (WCAG 1.4.10).
WIDTHS = (320, 375, 760, 768, 800, 832, 1280, 1440)
LONGEST = "document.querySelector('#pulse span').textContent = document.querySelector('#pulse').dataset.reconnecting + ' 100 s'"


def refunded(company: Company, value: int, back: int) -> Charge:
    """A charge of which `back` centavos went back, with a reason."""
    now = timezone.now()
    charge = making.charge(company, value, created_at=now, expires_at=now, customer={"name": "Bia Costa"})
    receiving.receive(making.pix(charge, paid_at=now))
    charge.refresh_from_db()
    refund = refunds.request(company, charge, f"r{charge.pk}", back, "Faltou um item do pedido", now=now)
    Refund.objects.filter(pk=refund.pk).update(status="CONFIRMED", resolved_at=now)
    return charge


@pytest.mark.parametrize(("language", "theme"), [("pt-BR", "light"), ("en-US", "dark")])
def test_every_page_fits(make_person: Callable[..., Person], language: str, theme: Any, faults: list[str]) -> None:
    person = make_person(locale=language, color_scheme=theme)
    page, charges = person.page, fill(person.company)
    receiving.receive(making.pix(making.charge(person.company, 123_456_789)))  # a balance that takes its room
    charges["PARTLY_REFUNDED"] = refunded(person.company, 10_000, 4_000)
    charges["REFUNDED"] = refunded(person.company, 7_500, 7_500)
    paths = {
        "overview": "/",
        "charges": "/charges",
        "new": "/charges/new",
        "refund": f"/charges/{charges['COMPLETED'].public_id}/refund",
        "forbidden": "/admin/",
        **{status.lower(): f"/charges/{charge.public_id}" for status, charge in charges.items()},
    }
    for name, path in paths.items():
        page.goto(path)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 860})
            if name != "forbidden":
                page.evaluate(LONGEST)
                head = page.evaluate(
                    "(node => [node.scrollWidth, node.clientWidth])(document.querySelector('.top-in'))"
                )
                assert head[0] <= head[1], (name, width)
                wide = page.eval_on_selector_all(
                    ".tabs, .hero, .card, .facts > div, .row",
                    "nodes => nodes.filter(node => node.scrollWidth > node.clientWidth).map(node => node.className)",
                )
                assert wide == [], (name, width)
            if width in (375, 768):
                shoot(page, f"fits-{name}-{language[:2]}-{width}")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, width)
    assert {fault for fault in faults if "403" not in fault} == set()
    faults.clear()


def test_an_operator_sees_every_column(make_person: Callable[..., Person], open_page: Callable[..., Page]) -> None:
    """At 1,280 pixels, in Portuguese, whose words are the longer ones."""
    company = make_person().company
    fill(company)
    world(company)
    User.objects.create_superuser("op@example.com", PASSWORD)
    page = open_page()
    page.goto("/admin/login/")
    page.fill("#id_username", "op@example.com")
    page.fill("#id_password", PASSWORD)
    page.click("form.card button")
    cut = {}
    for model, one in admin.site._registry.items():
        if model._meta.app_label in {"payments", "outbox"} and type(one).change_list_template:
            page.goto(f"/admin/{model._meta.app_label}/{model._meta.model_name}/")
            shoot(page, f"admin-{model._meta.model_name}-1280", full=False)
            if (table := page.locator(".results")).count():
                wide = table.evaluate("node => node.scrollWidth - node.clientWidth")
                if wide > 0:
                    cut[model._meta.model_name] = wide
    assert cut == {}
