"""What a company and an operator go through from end to end. test_merchants, test_journey and test_pay have the others:
from the sign-up to the first paid charge, money back to a payer, and a shopper who pays by phone.

Sessions are made without the form, which has tests of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from django.conf import settings as django_settings
from django.test import Client
from playwright.sync_api import Page, expect

from payments.models import Company, Payment, PayoutBatch, Proposal, User, WebhookDelivery
from payments.services import batches, companies, payments
from payments.services.charges import receiving
from payments.services.payments import PaymentOrder
from tests.bank_process import BankProcess
from tests.browser.conftest import Platform, assert_never_reloaded, mark, shoot, state
from tests.payments import making
from tests.payments.admin.second import approve_all
from tests.payments.batches.conftest import BankInProcess, csv_of, quick_bank
from tests.payments.web.log_in import PASSWORD, Owner
from tests.processes import wait_until
from tests.receiver import serve

__all__ = ["quick_bank"]
Enter = Callable[..., Page]
LATE = 30_000  # milliseconds that a busy machine may take


@pytest.fixture
def company(transactional_db: None, platform: Platform) -> Company:
    """A company with 9,920 centavos."""
    platform.bank.faults()
    made = making.company(trade_name="Café Aurora")
    receiving.receive(making.pix(pix_key=made.pix_key, value=10_000))
    return made


@pytest.fixture
def enter(platform: Platform, open_page: Callable[..., Page]) -> Enter:
    """A browser that the user is logged in with."""

    def enter(user: User) -> Page:
        client = Client()
        client.force_login(user)
        name = django_settings.SESSION_COOKIE_NAME
        page = open_page(locale="en-US")
        page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": platform.url}])
        return page

    return enter


@pytest.fixture
def ana(company: Company) -> User:
    return User.objects.create_user("ana@aurora.example", PASSWORD, company=company)


@pytest.fixture
def bia(company: Company) -> User:
    return User.objects.create_user("bia@aurora.example", PASSWORD, company=company)


@pytest.fixture
def operator(company: Company, enter: Enter) -> Page:
    return enter(User.objects.create_superuser("op@example.com", PASSWORD))


def act(page: Page, path: str, action: str) -> None:
    """Do an action to the first row of an operators' list."""
    page.goto(path)
    page.locator("input.action-select").first.check()
    page.select_option("select[name=action]", action)
    page.click("#changelist button[name=index]")


def test_a_payout_is_made_after_a_look_at_the_keys_owner_and_approved_by_another(
    enter: Enter, ana: User, bia: User, bank_process: BankProcess
) -> None:
    page = enter(ana)
    page.goto("/payments/new")
    page.fill("#id_pix_key", "bruno@exemplo.com")
    page.fill("#id_value", "40,00")
    page.click("form.card button.primary")
    expect(page.locator("#owner")).not_to_be_empty()
    expect(page.locator("dd.mono").first).to_contain_text("***")
    shoot(page, "payout-owner")
    assert not Payment.objects.exists(), "a look sends nothing"
    page.click("#confirm")
    expect(page.locator("#state")).to_have_attribute("data-status", "CREATED")
    expect(page.locator("#approve")).to_have_count(0)
    state(page, "live")
    mark(page)

    code = Owner(bia).recovery[0]
    other = enter(bia)
    other.goto(page.url)
    other.fill("#id_code", code)
    other.click("#approve")
    expect(other.locator("#state")).to_have_attribute("data-status", "APPROVED")
    payments.send(Payment.objects.get().pk)  # what the worker does
    expect(page.locator("#state")).to_have_attribute("data-status", "CONFIRMED", timeout=LATE)
    expect(page.locator("#balance")).to_contain_text("59,20", timeout=LATE)
    assert_never_reloaded(page)


def test_a_batch_of_a_thousand_rows_is_mended_and_approved_by_another(
    enter: Enter, ana: User, bia: User, company: Company, quick_bank: BankInProcess
) -> None:
    receiving.receive(making.pix(pix_key=company.pix_key, value=200_000))
    good = csv_of(1_000)
    lines = good.splitlines(keepends=True)
    for number in range(100, 800, 100):  # seven
        lines[number] = lines[number].replace("1,00", "1.00")
    page = enter(ana)

    def upload(text: str) -> None:
        page.goto("/batches")
        page.set_input_files("#id_file", {"name": "folha.csv", "mimeType": "text/csv", "buffer": text.encode()})
        page.click("form.card button.primary")
        page.wait_for_url("**/batches/*")

    upload("".join(lines))
    wrong = page.locator(".note.error li").all_inner_texts()
    assert [line.partition(":")[0] for line in wrong] == [f"Line {number}, valor" for number in range(101, 801, 100)]
    expect(page.locator(".actions button.primary")).to_have_count(0)
    shoot(page, "batch-seven-wrong")

    upload(good)
    page.click("#batch button.primary")
    expect(page.locator("#batch button.primary")).to_have_count(0)  # who asked cannot approve
    state(page, "live")
    mark(page)
    code = Owner(bia).recovery[0]
    other = enter(bia)
    other.goto(page.url)
    other.fill("#id_code", code)
    other.click("#approve")
    expect(other.locator("#confirmed")).to_be_visible()
    batch = PayoutBatch.objects.get(status="RUNNING")
    assert (batch.maker, batch.approver) == (ana, bia)
    while batches.pay(batch.pk):  # what the workers do
        pass
    for watching in (page, other):
        expect(watching.locator("#confirmed")).to_have_text("1000", timeout=LATE)
    assert (quick_bank.paid, len(quick_bank.sent)) == (100_000, 1_000)
    assert_never_reloaded(page)


def test_a_webhook_fails_is_mended_and_sent_again(enter: Enter, ana: User, company: Company) -> None:
    page = enter(ana)
    with serve() as shop:
        page.goto("/developers/webhooks/new")
        page.fill("#id_name", "Loja")
        page.select_option("#id_event", "OPENPIX:CHARGE_COMPLETED")
        page.fill("#id_url", shop.url)
        page.click("form.card button.primary")
        expect(page.locator("#key")).not_to_be_empty()
        shop.answers = [500]
        receiving.receive(making.pix(making.charge(company)))
        wait_until(lambda: WebhookDelivery.objects.filter(tries__status_code=500).exists(), 60)
        WebhookDelivery.objects.update(status="FAILED", attempts=8)  # as after the other seven

        page.click("text=To the webhook")
        expect(page.locator("#resend-all")).to_contain_text("(1)")
        page.click(".row")
        expect(page.locator("#delivery")).to_contain_text("HTTP 500")
        shoot(page, "webhook-failed")
        page.click("#resend")  # the server answers 200 again
        expect(page.locator("main > .note")).to_contain_text("being sent again")
        wait_until(lambda: WebhookDelivery.objects.get().status == "DELIVERED", 60)
        page.reload()
        expect(page.locator("#delivery .badge")).to_have_attribute("data-status", "DELIVERED")
        sent = [got.headers["x-webhook-event-id"] for got in shop.got if "x-webhook-event-id" in got.headers]
        assert (len(sent), len(set(sent))) == (2, 1), "the same event, under the same id"


def test_an_appid_is_given_another_secret(operator: Page, company: Company, platform: Platform) -> None:
    former = companies.issue_application(company, "Loja")[1]

    def answered(app_id: str) -> int:
        return httpx.get(f"{platform.url}/api/v1/charge", headers={"Authorization": app_id}).status_code

    assert answered(former) == 200
    act(operator, "/admin/payments/application/", "rotate")
    operator.click("input[name=confirmed]")
    fresh = operator.input_value("#app-id")
    assert (answered(former), answered(fresh)) == (401, 200)
    operator.goto("/admin/payments/application/")
    assert fresh not in operator.content(), "it is shown once"


def test_an_operator_resolves_a_payment_that_the_bank_left_open(
    operator: Page, company: Company, bank_process: BankProcess, settings: Any
) -> None:
    settings.BANK_TIMEOUT = 1
    payments.create(company, PaymentOrder("frete-1", 4_000, pix_key="bruno@exemplo.com"))
    payment = payments.approve(company, "frete-1")
    bank_process.faults(timeout_percent=100, timeout_seconds=5)
    payments.send(payment.pk)
    bank_process.faults()
    payment.refresh_from_db()
    assert payment.unknown_since
    act(operator, "/admin/payments/payment/?unknown=1", "ask_bank")
    expect(operator.locator(".messagelist .success")).to_be_visible()
    payment.refresh_from_db()
    assert payment.status == "CONFIRMED"
    assert company.accounts.get(kind="MERCHANT").posted == 9_920 - 4_000, "paid once"
    operator.goto(f"/admin/payments/payment/{payment.pk}/history/")
    expect(operator.locator("#change-history")).to_contain_text("The bank was asked. Now frete-1 CONFIRMED.")


def test_an_operator_changes_a_rate_limit_and_it_bites(operator: Page, company: Company, platform: Platform) -> None:
    app_id = companies.issue_application(company, "Loja")[1]
    with httpx.Client(base_url=platform.url, headers={"Authorization": app_id}) as program:

        def asks(times: int) -> set[int]:
            return {program.get("/api/v1/charge").status_code for _ in range(times)}

        assert asks(8) == {200}, "the control: as shipped"
        operator.goto("/admin/ratelimit/limitpolicy/add/")
        given = {"name": "api.company", "key": "company", "limit": "2", "per": "600", "burst": "2"}
        for field, value in {**given, "subject": f"company:{company.pk}"}.items():
            box = operator.locator(f"#id_{field}")
            box.select_option(value) if box.evaluate("node => node.tagName") == "SELECT" else box.fill(value)
        operator.select_option("#id_mode", "enforce")
        operator.fill("#id_reason", "they poll too often")
        operator.click("input[name=_save]")
        wait_until(Proposal.objects.filter(status="PROPOSED").exists, 60)
        assert asks(8) == {200}, "nothing before another operator has approved"
        approve_all()
        wait_until(lambda: 429 in asks(5), 60)
        refused = program.get("/api/v1/charge")
        assert (refused.status_code, refused.json()["errorCode"]) == (429, "TOO_MANY_REQUESTS")
        assert int(refused.headers["retry-after"]) > 0
    operator.goto("/admin/ratelimit/limitpolicy/now/")
    expect(operator.locator("#content")).to_contain_text("api.company")
    shoot(operator, "limited-now", full=False)


def test_a_viewer_looks_and_touches_nothing(enter: Enter, company: Company, faults: list[str]) -> None:
    viewer = User.objects.create_user("vera@aurora.example", PASSWORD, company=company, role="VIEWER")
    charge = making.charge(company, 5_000)
    receiving.receive(making.pix(charge))
    page = enter(viewer)
    page.goto("/charges")
    expect(page.locator(".row")).to_have_count(1)
    page.click(".row")
    expect(page.locator("#status")).to_have_text("Paid")
    for touching in ("#refund", "#duplicate", "a[href='/charges/new']", "a[href='/team']"):
        expect(page.locator(touching)).to_have_count(0)
    page.goto("/charges/new")
    expect(page.locator("h1")).to_have_text("This is not yours to see")
    client = Client()
    client.force_login(viewer)
    for path in (f"/charges/{charge.public_id}/refund", "/payments/new", "/developers/webhooks/new", "/team"):
        assert client.post(path).status_code in {403, 405}, path
    assert client.post(f"/charges/{charge.public_id}/refund", {"part": "whole"}).status_code == 403
    assert [fault for fault in faults if "403" not in fault] == []
    faults.clear()
