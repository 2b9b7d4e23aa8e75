"""What an operator meets: refusals in words, a way back, old and new values, and every entry of a charge."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from payments.admin import records
from payments.models import (
    Application,
    Charge,
    Company,
    LedgerTransaction,
    ReceivedPix,
    Refund,
    User,
    WebhookDelivery,
    WebhookEndpoint,
)
from payments.pix import keys
from payments.services import companies
from payments.services.charges import receiving, refunds, returning
from payments.services.errors import Invalid, Unavailable
from tests.payments import making
from tests.payments.admin.test_admin import operator, rows, url, world

__all__ = ["operator"]
CNPJ = "987654320001" + keys.check_digits("987654320001")


def act(client: Client, model: Any, action: str, *picked: Any) -> str:
    """Do an action, after its question. The page that answers."""
    selected = {"action": action, "_selected_action": [row.pk for row in picked], "confirmed": "yes"}
    answer = client.post(url(model, "changelist"), selected, follow=True)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


@pytest.mark.parametrize(
    ("language", "deleted", "pending"),
    [("en", "deleted or switched off", "under way already"), ("pt-br", "apagado ou desligado", "Já está em andamento")],
)
def test_what_a_service_refuses_is_told_at_its_row_and_the_others_are_done(
    operator: Client, language: str, deleted: str, pending: str
) -> None:
    operator.defaults["HTTP_ACCEPT_LANGUAGE"] = language
    off, waits, fits = (world(making.company())[WebhookDelivery] for _ in range(3))
    WebhookEndpoint.objects.filter(pk=off.endpoint_id).update(is_active=False)
    WebhookDelivery.objects.filter(pk=waits.pk).update(status="PENDING")
    page = act(operator, WebhookDelivery, "send_again", off, waits, fits)
    assert f"{WebhookDelivery.objects.get(pk=off.pk)}: " in page
    assert deleted in page
    assert pending in page
    assert list(WebhookDelivery.objects.order_by("pk").values_list("status", flat=True)) == [
        "FAILED",
        "PENDING",
        "PENDING",
    ]
    logged = LogEntry.objects.get(content_type__model="webhookdelivery")
    assert (logged.object_id, logged.get_change_message()) == (str(fits.pk), "Sent again. status: FAILED → PENDING")


def test_a_service_that_refuses_anything_at_all_is_no_500(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each action and each form of the admin that calls a service, refused in the last moment."""
    one = world(making.company())
    other = making.company()

    def refuse(*_: Any, **__: Any) -> None:
        raise Unavailable("nobody there")

    def invalid(*_: Any, **__: Any) -> None:
        raise Invalid("no such terms")

    for service in ("revoke_application", "issue_application", "onboard"):
        monkeypatch.setattr(companies, service, refuse)
    monkeypatch.setattr(companies, "update_terms", invalid)
    assert "It cannot be done just now" in act(operator, Application, "revoke", one[Application])
    forms: list[tuple[str, dict[str, object], str]] = [
        (url(Application, "add"), {"company": other.pk, "name": "shop", "type": "API"}, "It cannot be done just now"),
        (
            url(Company, "add"),
            {"official_name": "A", "trade_name": "B", "tax_id": CNPJ, "pix_key": "a@b.example"},
            "It cannot be done just now",
        ),
        (
            url(Company, "change", other.pk),
            {
                "official_name": "A",
                "trade_name": "B",
                "city": "RECIFE",
                "fee_basis_points": 50,
                "fee_minimum": 10,
                "fee_maximum": 400,
                "charge_expires_in": 600,
                "reason": "a promise",
            },
            "It was refused: no such terms",
        ),
    ]
    before = Company.objects.count(), Application.objects.count()
    for address, fields, told in forms:
        answer = operator.post(address, fields, follow=True)
        assert (answer.status_code, told in answer.content.decode()) == (200, True), address
    assert (Company.objects.count(), Application.objects.count()) == before
    assert not LogEntry.objects.filter(action_flag__in=[1, 2], user__email="op@example.com").exists()


@pytest.mark.parametrize("typed", [CNPJ, keys.format_tax_id(CNPJ), f" {keys.format_tax_id(CNPJ)} "])
def test_a_printed_cnpj_is_accepted_and_found(operator: Client, typed: str) -> None:
    fields = {"official_name": "Padaria Ltda", "trade_name": "Padaria", "tax_id": typed, "pix_key": typed}
    assert operator.post(url(Company, "add"), fields).status_code == 302
    company = Company.objects.get()
    assert (company.tax_id, company.pix_key) == (CNPJ, CNPJ)
    making.company()
    assert rows(operator.get(url(Company, "changelist"), {"q": typed})) == [company]


def test_a_whole_list_of_thousands_is_not_acted_on_at_once(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    one = world(making.company())
    monkeypatch.setattr(records, "AT_ONCE", 1)
    form = {"action": "refund", "_selected_action": [one[Charge].pk], "select_across": "1"}
    told = operator.post(url(Charge, "changelist"), form, follow=True).content.decode()
    assert "At most 1 rows at once: search or filter first." in told
    assert 'name="answered"' not in told
    asked = operator.post(url(Charge, "changelist"), {**form, "select_across": "0"}).content.decode()
    assert 'name="answered"' in asked
    file = operator.post(url(Charge, "changelist"), {**form, "action": "export"})
    assert len(file.content.splitlines()) == 3, "a file has the whole list"


def test_a_question_can_be_answered_with_no(operator: Client) -> None:
    one = world(making.company())
    for model, action in ((WebhookDelivery, "send_again"), (Application, "revoke")):
        list_of = f"{url(model, 'changelist')}?q={one[Company].tax_id}"
        page = operator.post(list_of, {"action": action, "_selected_action": [one[model].pk]}).content.decode()
        assert re.search(r'id="cancel" href="([^"]+)"', page)[1] == list_of  # type: ignore[index]


def test_the_log_has_old_and_new_values_and_no_password(operator: Client) -> None:
    company = making.company(fee_minimum=50, trade_name="Loja")
    fees = {"fee_basis_points": 80, "fee_minimum": 10, "fee_maximum": 500, "charge_expires_in": 86_400}
    names = {"official_name": company.official_name, "trade_name": "Padaria", "city": company.city}
    form = {**names, **fees, "reason": "a promise"}
    assert operator.post(url(Company, "change", company.pk), form).status_code == 302
    entries = [entry.get_change_message() for entry in LogEntry.objects.order_by("id")]
    assert entries[1] == "trade_name: Loja → Padaria"
    assert "fee_minimum: R$ 0,50 → R$ 0,10 Reason: a promise" in entries[0].replace("\u00a0", " ")
    fields = {"email": "bia@example.com", "usable_password": "true"}
    secret = {"password1": "correct horse 7", "password2": "correct horse 7"}
    assert operator.post(url(User, "add"), {**fields, **secret}).status_code == 302
    assert "email: bia@example.com" in LogEntry.objects.latest("id").get_change_message()
    assert not LogEntry.objects.filter(change_message__contains="correct horse").exists()
    assert "trade_name: Loja → Padaria" in html.unescape(operator.get(url(LogEntry, "changelist")).content.decode())


def test_a_charge_leads_to_all_that_it_moved(operator: Client) -> None:
    """Its Pix, one too many with its return, and its refunds: held, posted and voided."""
    owner, now = making.company(), timezone.now()
    receiving.receive(making.pix(making.charge(owner, 50_000)))  # another's, and a balance
    charge = making.charge(owner, 10_000, created_at=now, expires_at=now)
    ids = []
    for _ in range(2):
        pix = receiving.receive(making.pix(charge, paid_at=now))
        assert pix
        ids.append(pix.end_to_end_id)
    charge.refresh_from_db()
    answers = {"a": "DONE", "b": "REFUSED", "c": ""}
    for name, answer in answers.items():
        refund = refunds.request(owner, charge, name, 1_000, now=now)
        if answer:
            told = returning.BankReturn(refund.return_id, "", 1_000, returning.ReturnStatus[answer], "")
            returning.resolve(refund.pk, told, now)
    page = html.unescape(operator.get(url(Charge, "change", charge.pk)).content.decode())
    address = re.search(r'href="(/admin/payments/ledgertransaction/\?charge=[^"]+)"', page)[1]  # type: ignore[index]
    found = rows(operator.get(address))
    returns = list(Refund.objects.filter(received__charge=charge).values_list("return_id", flat=True))
    wanted = LedgerTransaction.objects.filter(correlation_id__in=[*ids, *returns])
    assert {row.pk for row in found} == {row.pk for row in wanted}
    assert sorted(row.kind for row in found) == sorted(["pix_in"] * 2 + ["refund_hold"] * 4 + ["refund", "refund_void"])
    for model, row in ((ReceivedPix, charge.received.first()), (Refund, charge.refunds.first())):
        page = html.unescape(operator.get(url(model, "change", row.pk)).content.decode())  # type: ignore[union-attr]
        address = re.search(r'href="(/admin/payments/ledgertransaction/\?q=[^"]+)"', page)[1]  # type: ignore[index]
        assert rows(operator.get(address))
    assert rows(operator.get(url(LedgerTransaction, "changelist"), {"charge": "nothing"})) == []


def test_every_page_speaks_portuguese(operator: Client) -> None:
    operator.defaults["HTTP_ACCEPT_LANGUAGE"] = "pt-br"
    one = world(making.company())
    english = re.compile(
        r">\s*(Value|Fee|Charge|Company|Created at|Status|Posted|Event|Tries|Ledger|Accounts|Refunds)\s*<"
    )
    for model, row in one.items():
        for page in (url(model, "changelist"), url(model, "change", row.pk)):
            assert english.findall(operator.get(page).content.decode()) == [], page
    page = operator.get(url(Charge, "changelist")).content.decode()
    assert "Selecione cobrança" in page
