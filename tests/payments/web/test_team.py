"""The team, and what each role may do: every page and action, each role, and another company."""

from __future__ import annotations

import re
import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from payments import tasks
from payments.models import Account, Company, PayoutBatch, QrCode, Subaccount, User, WebhookDelivery, WebhookEndpoint
from payments.rights import APPROVE, CHARGE, MANAGE, PAY, RIGHTS
from payments.services import companies, customers, payments, people
from payments.services.charges import receiving
from payments.services.errors import Invalid, ServiceError
from payments.services.payments import PaymentOrder
from payments.web import batches as batches_page
from payments.web import developers, team, urls
from payments.web import payments as payments_page
from tests.payments import making
from tests.payments.web.conftest import PASSWORD
from tests.payments.web.test_charges import text
from tests.processes import a_session_waits_for_a_lock, wait_until
from woovi.outbox.models import OutboxEvent

LOOK = "look"


def test_somebody_is_invited_chooses_a_password_and_has_the_role(merchant: Client, company: Company) -> None:
    company.trade_name = "Loja\r\nBcc: x@example.com"
    company.save()
    assert (
        "on its way"
        in merchant.post("/team", {"email": "Bia@Example.com", "role": "VIEWER"}, follow=True).content.decode()
    )
    event = OutboxEvent.objects.get(topic="task:mail_invitation")
    assert set(event.payload) == {"user_id", "traceparent"}, "no secret lies in the queue"
    tasks.mail_invitation(event.payload["user_id"])
    [sent] = mail.outbox
    assert (sent.to, "\n" in sent.subject) == (["bia@example.com"], False)
    link = re.search(r"https?://\S+/password/\S+", sent.body)
    assert link
    guest = Client(headers={"Accept-Language": "en"})
    form = guest.get("/" + link[0].split("/", 3)[3])["Location"]
    guest.post(form, {"new_password1": PASSWORD, "new_password2": PASSWORD})
    assert guest.post("/login", {"username": "bia@example.com", "password": PASSWORD})["Location"] == "/"
    page = text(guest, "/")
    assert "Viewer" in page
    assert "New charge" not in page
    person = User.objects.get(email="bia@example.com")
    assert (person.company, person.role) == (company, "VIEWER")
    assert "needs no invitation" in merchant.post(f"/team/{person.pk}/invite", follow=True).content.decode()


def test_an_email_that_somebody_has_and_a_wrong_role_are_refused(merchant: Client) -> None:
    User.objects.create_user("taken@example.com", company=making.company())
    for changes, field, told in (
        ({"email": "TAKEN@example.com"}, "email", "already"),
        ({"email": "x"}, "email", "valid email"),
        ({"role": "KING"}, "role", "valid choice"),
    ):
        answer = merchant.post("/team", {"email": "new@example.com", "role": "VIEWER", **changes})
        assert answer.status_code == 422
        assert told in answer.content.decode().split(f'id="id_{field}_error"')[1].split("</p>")[0]
    assert User.objects.count() == 2
    assert not OutboxEvent.objects.filter(topic="task:mail_invitation").exists()


def test_a_mailbox_gets_three_invitations_an_hour(merchant: Client) -> None:
    merchant.post("/team", {"email": "new@example.com", "role": "VIEWER"})
    person = User.objects.get(email="new@example.com")
    codes = [merchant.post(f"/team/{person.pk}/invite").status_code for _ in range(3)]
    assert codes == [302, 302, 429]
    assert OutboxEvent.objects.filter(topic="task:mail_invitation").count() == 3


def test_a_role_counts_at_once_and_who_is_switched_off_is_out(merchant: Client, company: Company) -> None:
    person = User.objects.create_user("bia@example.com", company=company, role="VIEWER")
    guest = Client()
    guest.force_login(person)
    assert guest.get("/charges/new").status_code == 403
    merchant.post(f"/team/{person.pk}/role", {"role": "FINANCE"})
    assert guest.get("/charges/new").status_code == 302
    merchant.post(f"/team/{person.pk}/role", {"role": "KING"})
    merchant.post(f"/team/{person.pk}/off")
    assert guest.get("/")["Location"] == "/login?next=/"
    merchant.post(f"/team/{person.pk}/on")
    person.refresh_from_db()
    assert (person.role, person.is_active) == ("FINANCE", True)


def test_the_last_owner_stays(merchant: Client, company: Company, user: User) -> None:
    User.objects.create_user("off@example.com", company=company, is_active=False)
    User.objects.create_user("rival@example.com", company=making.company())
    for action, form in (("role", {"role": "VIEWER"}), ("off", {})):
        answer = merchant.post(f"/team/{user.pk}/{action}", form, follow=True)
        assert "must stay the owner" in answer.content.decode()
    user.refresh_from_db()
    assert (user.role, user.is_active) == ("OWNER", True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("alone", [True, False], ids=["as shipped", "control"])
def test_two_owners_who_demote_each_other_leave_one(monkeypatch: pytest.MonkeyPatch, alone: bool) -> None:
    company = making.company()
    owners = [User.objects.create_user(f"{name}@example.com", company=company) for name in "ab"]
    if not alone:
        monkeypatch.setattr(people, "_alone", lambda company: transaction.atomic())
    first_has_written, second_is_there = threading.Event(), threading.Event()
    insist, told = people._insist_on_an_owner, list[str]()

    def slow(company: Company) -> None:
        insist(company)
        first_has_written.set()
        assert second_is_there.wait(30)

    def second() -> None:
        try:
            people.set_role(company, owners[1].pk, "VIEWER")
        except ServiceError as error:
            told.append(error.message)
        finally:
            second_is_there.set()
            connections.close_all()

    monkeypatch.setattr(
        people, "_insist_on_an_owner", lambda c: (slow if not first_has_written.is_set() else insist)(c)
    )
    other = threading.Thread(target=lambda: (first_has_written.wait(30), second()))
    other.start()
    waiting = threading.Thread(target=_let_go_when_one_waits, args=(second_is_there,))
    waiting.start()
    people.set_role(company, owners[0].pk, "VIEWER")
    other.join()
    waiting.join()
    left = User.objects.filter(company=company, role="OWNER").count()
    assert (left, told) == ((1, ["A company needs an active owner"]) if alone else (0, []))


def _let_go_when_one_waits(there: threading.Event) -> None:
    wait_until(lambda: there.is_set() or a_session_waits_for_a_lock())
    there.set()
    connections.close_all()


def test_a_company_has_so_many_people(company: Company, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "MOST", 2)
    people.invite(company, "b@example.com", "VIEWER")
    with pytest.raises(Invalid, match="at most 2 people"):
        people.invite(company, "c@example.com", "VIEWER")


# ── the matrix ──


def pages(company: Company) -> list[tuple[str, str, str, dict[str, Any], str]]:
    """(name, method, path, form, right) of every page and action of the company's people."""
    receiving.receive(making.pix(paid := making.charge(company, 10_000)))
    waiting = making.charge(company, 5_000, expires_at=timezone.now() + timedelta(hours=1))
    payment = payments.create(company, PaymentOrder(str(uuid.uuid4()), 100, pix_key="ana@exemplo.com"))
    batch = PayoutBatch.objects.create(
        company=company, name="a.csv", maker=User.objects.create_user(f"maker{company.pk}@example.com", company=company)
    )
    hook = WebhookEndpoint.objects.create(
        company=company, name="a", event="OPENPIX:CHARGE_COMPLETED", url="http://127.0.0.1:9/", secret="s"
    )
    event = OutboxEvent.objects.create(
        topic="OPENPIX:CHARGE_COMPLETED", tenant=str(company.pk), payload={}, relayed_at=timezone.now()
    )
    WebhookDelivery.objects.create(endpoint=hook, event=event, status="FAILED", attempts=8)
    person = User.objects.create_user(f"other{company.pk}@example.com", company=company, role="VIEWER")
    pix = paid.received.get()
    charge, pay, web = {"public_id": paid.public_id}, {"public_id": payment.public_id}, {"public_id": hook.public_id}
    open_charge = {"public_id": waiting.public_id}
    customer = customers.create(company, customers.CustomerRequest("Bia", tax_id=making.BIA))
    code = QrCode.objects.create(
        company=company, name="Balcão", identifier="balcao", pix_key=company.pix_key, br_code="00"
    )
    account = Account.objects.create(company=company, kind="SUBACCOUNT", is_default=False, name="Ana")
    aside = Subaccount.objects.create(company=company, pix_key="ana@exemplo.com", name="Ana", account=account)
    static = {"public_id": code.public_id}
    app = {"client_id": companies.issue_application(company, "shop", scopes=["CHARGE_POST"])[0].client_id}
    form = {"correlation_id": uuid.uuid4()}
    found = [
        *[(name, "get", {}, {}, LOOK) for name in ("dashboard", "balance", "charges", "payments", "batches")],
        *[(name, "get", {}, {}, LOOK) for name in ("statement", "developers", "batch-template")],
        ("charge", "get", charge, {}, LOOK),
        ("charge-new", "get", {}, {}, CHARGE),
        ("charge-form", "get", form, {}, CHARGE),
        ("charge-form", "post", form, {"value": ""}, CHARGE),
        ("charge-cancel", "get", open_charge, {}, CHARGE),
        ("charge-cancel", "post", charge, {}, CHARGE),
        ("charge-print", "get", open_charge, {}, LOOK),
        ("charges-file", "get", {}, {}, LOOK),
        ("refund", "get", charge, {}, CHARGE),
        ("refund", "post", charge, {"part": "part"}, CHARGE),
        *[("statement-file", "get", {"form": kind}, {}, LOOK) for kind in ("csv", "ofx")],
        ("receipt", "get", {"kind": "pix", "public_id": pix.public_id}, {}, LOOK),
        ("limits", "get", {}, {}, LOOK),
        *[(name, "get", {}, {}, LOOK) for name in ("notices", "bell")],
        ("notices", "post", {}, {}, LOOK),
        *[(f"security{page}", "get", {}, {}, LOOK) for page in ("", "-password", "-sessions")],
        *[(f"security{page}", "post", {}, {}, LOOK) for page in ("-password", "-sessions")],
        ("preferences", "get", {}, {}, MANAGE),
        ("preferences", "post", {}, {}, MANAGE),
        ("logo-put", "post", {}, {}, MANAGE),
        ("logo-remove", "get", {}, {}, MANAGE),
        ("logo-remove", "post", {}, {}, MANAGE),
        ("customers", "get", {}, {}, LOOK),
        ("customer", "get", {"public_id": customer.public_id}, {}, LOOK),
        ("customer-new", "get", {}, {}, CHARGE),
        ("customer-form", "get", form, {}, CHARGE),
        ("customer-form", "post", form, {"name": ""}, CHARGE),
        ("qr-codes", "get", {}, {}, LOOK),
        *[(name, "get", static, {}, LOOK) for name in ("qr-code", "qr-code-print")],
        ("qr-code-new", "get", {}, {}, CHARGE),
        ("qr-code-form", "get", form, {}, CHARGE),
        ("qr-code-form", "post", form, {"name": ""}, CHARGE),
        ("qr-code-delete", "get", static, {}, CHARGE),
        ("qr-code-delete", "post", static, {}, CHARGE),
        ("subaccounts", "get", {}, {}, LOOK),
        ("subaccount", "get", {"pk": aside.pk}, {}, LOOK),
        ("subaccount-new", "get", {}, {}, PAY),
        ("subaccount-new", "post", {}, {}, PAY),
        ("subaccount-move", "get", {"pk": aside.pk}, {}, PAY),
        ("subaccount-move", "post", {"pk": aside.pk}, {}, PAY),
        ("subaccount-withdraw", "get", {"pk": aside.pk}, {}, PAY),
        ("subaccount-withdraw", "post", {"pk": aside.pk}, {}, PAY),
        ("subaccount-close", "get", {"pk": aside.pk}, {}, PAY),
        ("subaccount-close", "post", {"pk": aside.pk}, {}, PAY),
        ("payment", "get", pay, {}, LOOK),
        ("payment-leave", "get", pay, {}, PAY),
        ("payment-new", "get", {}, {}, PAY),
        ("payment-form", "get", form, {}, PAY),
        ("payment-form", "post", form, {"value": ""}, PAY),
        *[("payment-act", "post", {**pay, "action": action}, {}, PAY if action == "remove" else APPROVE)
          for action in payments_page.ACTIONS],
        ("batches", "post", {}, {"file": SimpleUploadedFile("x.csv", b"a;b\n")}, PAY),
        ("batch", "get", {"public_id": batch.public_id}, {}, LOOK),
        ("batch-leave", "get", {"public_id": batch.public_id}, {}, PAY),
        ("batch-export", "get", {"public_id": batch.public_id}, {}, LOOK),
        *[("batch-act", "post", {"public_id": batch.public_id, "action": action}, {}, APPROVE if action == "approve" else PAY)
          for action in batches_page.ACTIONS],
        ("webhook", "get", web, {}, LOOK),
        ("webhook-new", "get", {}, {}, MANAGE),
        ("webhook-new", "post", {}, {}, MANAGE),
        ("webhook-leave", "get", web, {}, MANAGE),
        ("webhook-stop", "get", web, {}, MANAGE),
        ("delivery", "get", {**web, "event_id": event.event_id}, {}, LOOK),
        ("delivery", "post", {**web, "event_id": event.event_id}, {}, MANAGE),
        *[("webhook-act", "post", {**web, "action": action}, {}, MANAGE)
          for action in sorted(developers.ACTIONS, key="delete".__eq__)],  # the last
        ("application-new", "get", {}, {}, MANAGE),
        ("application-new", "post", {}, {}, MANAGE),
        ("application", "get", app, {}, LOOK),
        ("application", "post", app, {}, MANAGE),
        ("application-rotate", "get", app, {}, MANAGE),
        ("application-rotate", "post", app, {}, MANAGE),
        ("application-approve", "get", app, {}, APPROVE),
        ("application-approve", "post", app, {}, APPROVE),
        ("application-disable", "get", app, {}, MANAGE),
        ("application-disable", "post", app, {}, MANAGE),
        ("team", "get", {}, {}, MANAGE),
        ("team", "post", {}, {}, MANAGE),
        ("team-leave", "get", {"user_id": person.pk}, {}, MANAGE),
        *[("team-act", "post", {"user_id": person.pk, "action": action}, {}, MANAGE) for action in team.ACTIONS],
    ]  # fmt: skip
    return [
        (name, method, reverse(f"web:{name}", kwargs=given), data, right) for name, method, given, data, right in found
    ]


# Pages of whoever is or is not logged in, and what redirects to another.
OUTER = {"sign-up", "login", "login-code", "logout", "language", "password", "password-choose", "second-factor", "pay"}
OUTER |= {"docs", "doc", "logo"}


@pytest.mark.parametrize("role", RIGHTS)
def test_each_role_may_do_what_it_may(company: Company, client: Client, role: str) -> None:
    client.force_login(User.objects.create_user("a@example.com", company=company, role=role))
    allowed = {LOOK, *RIGHTS[role]}
    wrong = []
    for name, method, path, form, right in pages(company):
        status = getattr(client, method)(path, form).status_code
        if (status == 403) != (right not in allowed) or status in {404, 405, 500}:
            wrong.append((name, method, path, status))
    assert wrong == []


def test_no_role_reaches_another_company(company: Company, client: Client) -> None:
    """The owner of one finds nothing of the other: 404 for all that has an id."""
    client.force_login(User.objects.create_user("a@example.com", company=making.company()))
    theirs = [page for page in pages(company) if re.search(r"\d", page[2]) and "/new/" not in page[2]]
    assert len(theirs) > 20
    statuses = [(path, getattr(client, method)(path, form).status_code) for _, method, path, form, _ in theirs]
    assert [found for found in statuses if found[1] != 404] == []


def test_the_matrix_has_every_page(company: Company) -> None:
    named = {pattern.name for pattern in urls.urlpatterns if pattern.name}
    assert {page[0] for page in pages(company)} == named - OUTER
