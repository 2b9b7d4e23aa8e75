"""Operators' pages: everything is there, facts stay facts, and actions go through services."""

from __future__ import annotations

import html
import io
import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from payments.models import (
    Account,
    Application,
    BankCursor,
    Charge,
    Company,
    Entry,
    FurtherKey,
    LedgerTransaction,
    Logo,
    MovementNote,
    Payment,
    PayoutBatch,
    PayoutChunk,
    PayoutProblem,
    PayoutRow,
    Phone,
    PixKeyMovement,
    Proposal,
    ReceivedPix,
    Refund,
    SecurityEvent,
    Subaccount,
    User,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from payments.models.operations import RetentionMark
from payments.pix import keys
from payments.services import batches, companies, payments
from payments.services.charges import receiving, refunds
from payments.services.errors import Invalid
from payments.services.payments import PaymentOrder
from tests.payments import making
from tests.payments.admin.second import approve_all
from woovi.outbox.models import OutboxEvent

FACTS = [
    Account,
    BankCursor,
    Charge,
    Entry,
    LedgerTransaction,
    Logo,
    MovementNote,
    OutboxEvent,
    Payment,
    PayoutBatch,
    PayoutChunk,
    PayoutProblem,
    PayoutRow,
    PixKeyMovement,
    Proposal,
    ReceivedPix,
    Refund,
    SecurityEvent,
    Subaccount,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    LogEntry,
]


def url(model: Any, page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def rows(response: Any) -> list[Any]:
    return list(response.context["cl"].result_list)


@pytest.fixture
def operator(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("op@example.com", "x"))
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


def world(owner: Company) -> dict[type, Any]:
    """One of everything that the platform keeps."""
    now = timezone.now()
    for _ in range(2):
        charge = making.charge(owner, 10_000, created_at=now, expires_at=now + timedelta(hours=1))
        received = receiving.receive(making.pix(charge, paid_at=now))
        charge.refresh_from_db()
    assert received is not None
    refund = refunds.request(owner, charge, f"refund-{owner.pk}", 1_000)
    payments.create(owner, PaymentOrder(f"payment-{owner.pk}", 500, pix_key="ana@exemplo.com"))
    payment = payments.approve(owner, f"payment-{owner.pk}")
    event = OutboxEvent.objects.filter(topic__startswith="OPENPIX:").latest("id")
    endpoint = WebhookEndpoint.objects.create(
        company=owner, name="shop", event=event.topic, url="https://shop.example/x", secret="s3cret-of-webhook"
    )
    delivery = WebhookDelivery.objects.create(endpoint=endpoint, event=event, status="FAILED", attempts=8)
    transaction = LedgerTransaction.objects.filter(company=owner).latest("id")
    purse = owner.accounts.create(kind="SUBACCOUNT", is_default=False)
    subaccount = Subaccount.objects.create(company=owner, pix_key="ana@exemplo.com", name="Ana", account=purse)
    maker = User.objects.create_user(f"maker{owner.pk}@example.com", company=owner)
    file = f"id;chave;valor\nid-{owner.pk};ana@exemplo.com;1,00\nb;nobody;1,00\n"
    batch = batches.upload(owner, maker, f"folha-{owner.pk}.csv", io.BytesIO(file.encode()))
    person = User.objects.create_user(f"user{owner.pk}@example.com", "x", company=owner)
    return {
        Account: owner.accounts.get(kind="MERCHANT"),
        Application: companies.issue_application(owner, "shop")[0],
        BankCursor: BankCursor.objects.get_or_create(name="received", defaults={"read_until": now})[0],
        Charge: charge,
        Company: owner,
        Entry: transaction.entries.first(),
        FurtherKey: FurtherKey.objects.create(
            company=owner, key_type="EVP", registered_at=now, pix_key=str(uuid.uuid4())
        ),
        LedgerTransaction: transaction,
        Logo: Logo.objects.create(company=owner, key=uuid.uuid4(), data=b"", media_type="image/png"),
        MovementNote: MovementNote.objects.create(transaction=transaction, text="Comissão"),
        OutboxEvent: event,
        Payment: payment,
        PayoutBatch: batch,
        PayoutChunk: batch.chunks.get(),
        PayoutProblem: batch.found.get(),
        PayoutRow: batch.lines.get(),
        PixKeyMovement: PixKeyMovement.objects.create(
            company=owner, operation="REMOVE", reason="DICT_LOOKUP", tokens=1, tokens_before=500, tokens_after=499
        ),
        Proposal: Proposal.objects.create(
            act="change_terms",
            target=owner.pk,
            subject=owner.trade_name,
            company=owner,
            proposer=person,
            before={"fee_minimum": 50},
            after={"fee_minimum": 10},
            reason="a promise",
        ),
        ReceivedPix: received,
        Refund: refund,
        SecurityEvent: SecurityEvent.objects.create(user=person, kind="LOG_IN", session_key="s3cret-of-webhook"),
        Subaccount: subaccount,
        User: person,
        WebhookAttempt: WebhookAttempt.objects.create(delivery=delivery, number=1, request_body="{}"),
        WebhookDelivery: delivery,
        WebhookEndpoint: endpoint,
        LogEntry: LogEntry.objects.create(user=person, action_flag=2, object_repr="x"),
    }


def test_every_model_is_listed() -> None:
    ours = {model for model in apps.get_models() if model._meta.app_label in {"payments", "outbox"}}
    # Where a nightly run left off; and the secrets of phones, which are nobody's to see.
    assert ours - set(admin.site._registry) == {RetentionMark, Phone}


def test_every_list_and_page_opens_without_asking_once_a_row(
    operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(6):
        one = world(making.company())
    for model, row in one.items():
        with django_assert_max_num_queries(8):
            assert operator.get(url(model, "changelist")).status_code == 200
        with django_assert_max_num_queries(14):
            page = operator.get(url(model, "change", row.pk))
        assert page.status_code == 200, model
        assert "s3cret-of-webhook" not in page.content.decode()
    for model in set(admin.site._registry) - set(one):
        with django_assert_max_num_queries(9):
            assert operator.get(url(model, "changelist")).status_code == 200


@pytest.mark.parametrize("model", FACTS)
def test_facts_cannot_be_added_changed_or_deleted(operator: Client, model: Any) -> None:
    row = world(making.company())[model]
    before = model.objects.filter(pk=row.pk).values().get()
    assert operator.get(url(model, "add")).status_code == 403
    assert operator.post(url(model, "add"), {}).status_code == 403
    assert operator.post(url(model, "change", row.pk), {"value": "1", "status": "X"}).status_code == 403
    assert operator.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    operator.post(url(model, "changelist"), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert model.objects.filter(pk=row.pk).values().get() == before


@pytest.mark.parametrize("model", [Company, User, Application])
def test_who_acted_is_not_deleted_either(operator: Client, model: Any) -> None:
    row = world(making.company())[model]
    assert operator.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    operator.post(url(model, "changelist"), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert model.objects.filter(pk=row.pk).exists()


def test_everything_is_found_by_any_of_its_ids(operator: Client) -> None:
    one, other = world(making.company()), world(making.company())
    company, charge, received, refund = one[Company], one[Charge], one[ReceivedPix], one[Refund]
    event, endpoint = one[OutboxEvent], one[WebhookEndpoint]
    searches: dict[Any, list[object]] = {
        Account: [one[Account].public_id, company.tax_id],
        Application: [one[Application].client_id, company.tax_id],
        Charge: [charge.public_id, charge.correlation_id, charge.txid, charge.payment_link_id, received.end_to_end_id],
        Company: [company.public_id, company.correlation_id, company.tax_id, company.pix_key, company.trade_name],
        Entry: [one[LedgerTransaction].correlation_id, one[Account].public_id],
        LedgerTransaction: [one[LedgerTransaction].correlation_id, company.tax_id],
        OutboxEvent: [event.event_id],
        Payment: [one[Payment].public_id, one[Payment].correlation_id, one[Payment].end_to_end_id],
        PayoutBatch: [one[PayoutBatch].public_id, one[PayoutBatch].name],
        PayoutRow: [one[PayoutBatch].public_id, one[PayoutRow].reference],
        PayoutProblem: [one[PayoutBatch].public_id],
        PayoutChunk: [one[PayoutBatch].public_id],
        ReceivedPix: [received.end_to_end_id, received.txid, charge.correlation_id, company.tax_id],
        Refund: [refund.public_id, refund.correlation_id, refund.return_id, received.end_to_end_id],
        User: [one[User].email, company.tax_id],
        WebhookDelivery: [event.event_id, endpoint.public_id],
        WebhookAttempt: [event.event_id, endpoint.public_id],
        WebhookEndpoint: [endpoint.public_id, company.tax_id],
    }
    for model, ids in searches.items():
        for identifier in ids:
            found = rows(operator.get(url(model, "changelist"), {"q": str(identifier)}))
            assert found, (model, identifier)
            assert other[model] not in found, (model, identifier)


@pytest.mark.parametrize("model", [*FACTS, Company, User, Application])
def test_everything_is_found_by_its_number(operator: Client, model: Any) -> None:
    one = world(making.company())[model]
    assert one in rows(operator.get(url(model, "changelist"), {"q": f" {one.pk} "}))
    assert rows(operator.get(url(model, "changelist"), {"q": "9" * 19})) == []


@pytest.mark.parametrize("model", [*FACTS, Company, User, Application])
@pytest.mark.parametrize("odd", ["nothing", "a\0b", "'; --", "x" * 3000])
def test_odd_searches_do_no_harm(operator: Client, model: Any, odd: str) -> None:
    assert operator.get(url(model, "changelist"), {"q": odd}).status_code in {200, 302}


def test_the_ledger_leads_from_an_account_to_the_other_side(operator: Client) -> None:
    one = world(making.company())
    world(making.company())
    account: Account = one[Account]
    page = operator.get(url(Account, "change", account.pk)).content.decode()
    entries = operator.get(re.findall(r'href="(/admin/payments/entry/\?[^"]+)"', page)[0])
    shown = rows(entries)
    assert {entry.account_id for entry in shown} == {account.pk}
    assert [entry.running for entry in shown] == [
        sum(entry.amount for entry in shown[position:]) for position in range(len(shown))
    ]
    account.refresh_from_db()
    assert shown[0].running == account.posted == 2 * 9_920
    paid = LedgerTransaction.objects.get(entries=shown[-1])
    other_side = operator.get(url(LedgerTransaction, "change", paid.pk)).content.decode().replace("\u00a0", " ")
    assert "-R$ 100,00" in other_side  # clearing
    assert "R$ 99,20" in other_side
    assert "R$ 0,80" in other_side  # fees


def test_a_later_page_of_entries_goes_on_with_the_balance(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    account: Account = world(making.company())[Account]
    monkeypatch.setattr(admin.site._registry[Entry], "list_per_page", 1)
    query = {"account__id__exact": account.pk}
    pages = [rows(operator.get(url(Entry, "changelist"), {**query, "p": page})) for page in (1, 2, 3)]
    running = [page[0].running for page in pages]
    amounts = [page[0].amount for page in pages]
    assert running == [2 * 9_920, 2 * 9_920 - amounts[0], 2 * 9_920 - amounts[0] - amounts[1]]


def test_a_company_is_onboarded_with_its_accounts(operator: Client) -> None:
    base = "987654320001"
    tax_id = base + keys.check_digits(base)
    fields = {"official_name": "Padaria Ltda", "trade_name": "Padaria", "tax_id": "x", "pix_key": "Pix@Padaria.example"}
    wrong = operator.post(url(Company, "add"), fields)
    assert wrong.context["adminform"].form.errors.keys() == {"tax_id"}
    assert not Company.objects.exists()
    operator.post(url(Company, "add"), {**fields, "tax_id": tax_id})
    company = Company.objects.get()
    assert (company.tax_id, company.pix_key) == (tax_id, "pix@padaria.example")
    assert set(company.accounts.values_list("kind", flat=True)) == set(Account.OPENED_AT_ONCE)
    assert LogEntry.objects.get().object_id == str(company.pk)


def test_fees_change_and_identity_does_not(operator: Client) -> None:
    company = making.company()
    fields = {"official_name": "A", "trade_name": "B", "city": "RECIFE", "tax_id": "1", "pix_key": "x"}
    fees = {"fee_basis_points": 50, "fee_minimum": 10, "fee_maximum": 400, "charge_expires_in": 600}
    assert operator.post(url(Company, "change", company.pk), {**fields, **fees}).status_code == 200, "without a reason"
    assert operator.post(url(Company, "change", company.pk), {**fields, **fees, "reason": "x"}).status_code == 302
    assert Company.objects.get().fee_basis_points == 80, "another operator decides"
    approve_all()
    changed = Company.objects.get()
    assert (changed.fee_basis_points, changed.trade_name) == (50, "B")
    assert (changed.tax_id, changed.pix_key, changed.public_id) == (company.tax_id, company.pix_key, company.public_id)


def test_what_is_only_proposed_is_not_said_to_be_changed(operator: Client) -> None:
    company = making.company(trade_name="Padaria")
    terms = {"fee_basis_points": 80, "fee_minimum": 10, "fee_maximum": 500, "charge_expires_in": 86_400}
    names = {"official_name": company.official_name, "trade_name": "Padaria", "city": company.city}
    form = {**names, **terms, "reason": "a promise"}

    def said(**more: object) -> str:
        answer = operator.post(url(Company, "change", company.pk), {**form, **more}, follow=True)
        return html.unescape(answer.content.decode()).replace("\u00a0", " ")

    alone = said()
    assert "Padaria: proposed. Another operator approves it." in alone
    assert "changed successfully" not in alone
    assert [entry.get_change_message()[:8] for entry in LogEntry.objects.all()] == ["Proposed"]
    page = html.unescape(operator.get(url(Company, "change", company.pk)).content.decode()).replace("\u00a0", " ")
    assert "Change fees or limits: Fee minimum: R$ 0,50 → R$ 0,10</a>" in page, "beside the fee in force"
    assert "In centavos: 150 is R$ 1,50" in page
    assert "There is an open proposal of this already" in said(fee_minimum=20)
    assert "changed successfully" in said(fee_minimum=50, trade_name="Padaria Estrela")


def test_limits_of_payments_out_take_two_and_the_log_says_from_what_to_what(operator: Client) -> None:
    company = making.company(day_limit=500)
    names = {"official_name": "A", "trade_name": "B", "city": "RECIFE"}
    fees = {"fee_basis_points": 50, "fee_minimum": 10, "fee_maximum": 400, "charge_expires_in": 600}
    limits = {"payment_limit": "", "day_limit": "", "night_limit": 100_000}
    form = {**names, **fees, **limits, "reason": "they have grown"}
    wrong = operator.post(url(Company, "change", company.pk), {**form, "day_limit": -1})
    assert operator.post(url(Company, "change", company.pk), form).status_code == 302
    assert Company.objects.get().day_limit == 500, "nothing before another operator has approved"
    approve_all()
    changed = Company.objects.get()
    assert (changed.payment_limit, changed.day_limit, changed.night_limit) == (None, None, 100_000)
    log = " ".join(LogEntry.objects.values_list("change_message", flat=True)).replace("\u00a0", " ")
    assert "day_limit: R$ 5,00 → -" in log
    assert "night_limit: - → R$ 1.000,00" in log
    assert wrong.context["adminform"].form.errors.keys() == {"day_limit"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fee_basis_points", 10_001),
        ("fee_minimum", 401),  # above the maximum
        ("fee_maximum", 10_000_001),
        ("charge_expires_in", 299),
        ("charge_expires_in", 31_536_001),
    ],
)
def test_terms_have_bounds_and_the_error_stands_at_its_field(operator: Client, field: str, value: int) -> None:
    company = making.company()
    fees = {"fee_basis_points": 50, "fee_minimum": 10, "fee_maximum": 400, "charge_expires_in": 600}
    names = {"official_name": "A", "trade_name": "B", "city": "RECIFE"}
    answer = operator.post(url(Company, "change", company.pk), {**names, **fees, field: value, "reason": "x"})
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors.keys() == {field}
    assert any(words in answer.content.decode() for words in ("From ", "The minimum is above the maximum."))
    with pytest.raises(Invalid) as refused:
        companies.update_terms(company, **{**fees, field: value})
    assert refused.value.field == field
    assert (
        Company.objects.values().get()
        == Company.objects.filter(fee_basis_points=80, trade_name=company.trade_name).values().get()
    )


def test_a_change_of_terms_is_logged(db: None, caplog: pytest.LogCaptureFixture) -> None:
    company = making.company()
    with caplog.at_level("INFO", logger="payments"):
        assert companies.update_terms(company, fee_minimum=20, fee_maximum=500).fee_minimum == 20
    assert [record.getMessage() for record in caplog.records] == [
        f"Terms of company {company.public_id} changed: {{'fee_minimum': (50, 20)}}"
    ]


def test_who_may_edit_people_gives_no_rights_and_leaves_superusers_alone(client: Client, db: None) -> None:
    boss = User.objects.create_superuser("boss@example.com", "x")
    clerk = User.objects.create_user("clerk@example.com", "x", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    client.force_login(clerk)
    right = Permission.objects.get(codename="change_company").pk
    asked = {
        "email": "new@example.com",
        "role": "OWNER",
        "is_active": "on",
        "is_staff": "on",
        "is_superuser": "on",
        "user_permissions": right,
    }
    assert client.post(url(User, "change", clerk.pk), asked).status_code == 302
    clerk.refresh_from_db()
    assert clerk.email == "new@example.com", "what is no right may change"
    assert not clerk.is_superuser
    assert set(clerk.user_permissions.values_list("codename", flat=True)) == {"view_user", "change_user"}
    page = client.get(url(User, "change", clerk.pk)).content.decode()
    assert 'name="is_superuser"' not in page
    colleague = User.objects.create_user("colleague@example.com", "x", is_staff=True)
    assert client.post(url(User, "change", colleague.pk), asked).status_code == 403
    assert client.post(url(User, "change", boss.pk), {**asked, "email": "b@example.com"}).status_code == 403
    password = reverse("admin:auth_user_password_change", args=[boss.pk])
    stolen = {"password1": "correct horse 7", "password2": "correct horse 7", "usable_password": "true"}
    assert client.post(password, stolen).status_code == 403
    boss.refresh_from_db()
    assert boss.email == "boss@example.com"
    assert boss.check_password("x")


def test_an_app_id_is_shown_once_and_works_until_it_is_revoked(operator: Client) -> None:
    company = making.company()
    answer = operator.post(url(Application, "add"), {"company": company.pk, "name": "shop", "type": "API"})
    app_id = re.findall(r"<textarea[^>]*>([^<]+)", answer.content.decode())[0]
    application = Application.objects.get()
    assert companies.authenticate(app_id) == application
    assert "no-store" in answer["Cache-Control"]
    assert app_id not in operator.get(url(Application, "change", application.pk)).content.decode()
    assert app_id not in str(LogEntry.objects.values())

    selected = {"action": "revoke", "_selected_action": [application.pk]}
    asked = operator.post(url(Application, "changelist"), selected)
    assert b"Revoke these applications?" in asked.content
    assert companies.authenticate(app_id) == application
    operator.post(url(Application, "changelist"), {**selected, "confirmed": "yes"})
    assert companies.authenticate(app_id) is None
    assert LogEntry.objects.latest("id").get_change_message() == "Revoked. is_active: True → False"


def test_what_an_application_may_do_is_changed_and_logged(operator: Client) -> None:
    application, former = companies.issue_application(making.company(), "shop")
    page = url(Application, "change", application.pk)

    def send(**fields: Any) -> Any:
        return operator.post(page, {"scopes": ["CHARGE_POST"], "allowed_ips": "203.0.113.7\n10.1.2.3/8", **fields})

    assert "x/9 is not an address or a network." in send(allowed_ips="x/9").content.decode()
    assert send().status_code == 302
    application.refresh_from_db()
    assert (application.scopes, application.allowed_ips) == (["CHARGE_POST"], ["10.0.0.0/8", "203.0.113.7"])
    logged = LogEntry.objects.latest("id").get_change_message()
    assert "scopes: - → CHARGE_POST" in logged
    assert "203.0.113.7" in logged

    selected = {"action": "rotate", "_selected_action": [application.pk]}
    assert b"Change the secret?" in operator.post(url(Application, "changelist"), selected).content
    answer = operator.post(url(Application, "changelist"), {**selected, "confirmed": "yes"})
    app_id = re.findall(r"<textarea[^>]*>([^<]+)", answer.content.decode())[0]
    assert companies.authenticate(former) is None
    assert companies.authenticate(app_id) == application
    assert LogEntry.objects.latest("id").get_change_message() == "The secret was changed."
    assert "no-store" in answer["Cache-Control"]


def test_a_blocked_sub_account_is_opened_for_withdrawals_after_a_question(operator: Client) -> None:
    subaccount: Subaccount = world(making.company())[Subaccount]
    Subaccount.objects.update(withdraw_blocked=True)
    selected = {"action": "unblock", "_selected_action": [subaccount.pk]}
    assert b"Are these keys right by now?" in operator.post(url(Subaccount, "changelist"), selected).content
    assert Subaccount.objects.get().withdraw_blocked
    operator.post(url(Subaccount, "changelist"), {**selected, "confirmed": "yes"})
    assert not Subaccount.objects.get().withdraw_blocked
    assert "withdraw_blocked: True → False" in LogEntry.objects.latest("id").get_change_message()


def test_a_webhook_is_sent_again_after_a_question(operator: Client) -> None:
    delivery: WebhookDelivery = world(making.company())[WebhookDelivery]
    selected = {"action": "send_again", "_selected_action": [delivery.pk]}
    operator.post(url(WebhookDelivery, "changelist"), selected)
    delivery.refresh_from_db()
    assert delivery.status == "FAILED"
    operator.post(url(WebhookDelivery, "changelist"), {**selected, "confirmed": "yes"})
    delivery.refresh_from_db()
    assert delivery.status == "PENDING"
    assert LogEntry.objects.latest("id").object_id == str(delivery.pk)


def test_readers_without_the_right_do_not_act(client: Client, db: None) -> None:
    one = world(making.company())
    reader = User.objects.create_user("reader@example.com", "x", is_staff=True)
    client.force_login(reader)
    assert client.get(url(Charge, "changelist")).status_code == 403
    for model, action in ((WebhookDelivery, "send_again"), (Application, "revoke")):
        client.post(
            url(model, "changelist"), {"action": action, "_selected_action": [one[model].pk], "confirmed": "yes"}
        )
    assert Application.objects.get().is_active
    assert WebhookDelivery.objects.get().status == "FAILED"


def test_merchants_do_not_enter(client: Client, db: None) -> None:
    client.force_login(world(making.company())[User])
    assert client.get("/admin/").status_code == 302


def test_people_are_added_with_their_company(operator: Client) -> None:
    company = making.company()
    fields = {"email": "bia@example.com", "company": company.pk, "usable_password": "false"}
    assert operator.post(url(User, "add"), fields).status_code == 302
    assert User.objects.get(email="bia@example.com").company == company
