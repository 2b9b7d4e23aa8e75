"""Who may see and do what: every page and action of the admin, for every role."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser, Group
from django.core import mail
from django.db import IntegrityError, transaction
from django.test import Client, RequestFactory
from django.urls import reverse

from payments import tasks
from payments.models import Company, Payment, Proposal, Refund, User
from payments.services import roles, second_factor
from payments.web.operators import GROUPS
from tests.payments import making
from tests.payments.admin.test_admin import operator, url, world
from tests.payments.web.log_in import PASSWORD, Owner, browser, give_code, give_password
from woovi.outbox.models import OutboxEvent

__all__ = ["operator"]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shipped() -> None:
    """As `migrate` ships them; a test before this one may have emptied the table."""
    roles.ship()
    admin.autodiscover()


def member(role: str) -> User:
    user = User.objects.create_user(f"{role}@example.com".lower(), PASSWORD, is_staff=True)
    if role in roles.ROLES:
        user.groups.add(Group.objects.get(name=role))
    return user


def request_of(user: Any) -> Any:
    request = RequestFactory().get("/")
    request.user = user
    return request


def name(model: Any) -> str:
    return f"{model._meta.app_label}.{model._meta.model_name}"


def pages(user: Any) -> set[str]:
    client = Client()
    client.force_login(user)
    answers = {name(model): client.get(url(model, "changelist")).status_code for model in admin.site._registry}
    assert set(answers.values()) <= {200, 403}
    return {page for page, code in answers.items() if code == 200}


def acts(user: Any) -> set[str]:
    """Forms that add or change, and actions, that are offered. What is not offered is refused when it is posted."""
    request, found = request_of(user), set()
    for model, page in admin.site._registry.items():
        found |= {f"{name(model)}:add"} if page.has_add_permission(request) else set()
        found |= {f"{name(model)}:change"} if page.has_change_permission(request) else set()
        found |= {f"{name(model)}:delete"} if page.has_delete_permission(request) else set()
        found |= {f"{name(model)}:{action}" for action in page.get_actions(request)}
    return found


RECORDS = {
    *("outbox.outboxevent", "payments.account", "payments.application", "payments.bankcursor", "payments.bankday"),
    *("payments.bankdifference", "payments.charge", "payments.company", "payments.customer", "payments.entry"),
    *("payments.ledgercheck", "payments.ledgertransaction", "payments.payment", "payments.payoutbatch"),
    *("payments.payoutchunk", "payments.payoutproblem", "payments.payoutrow", "payments.pixkeymovement", "payments.proposal"),
    *("payments.receivedpix", "payments.refund", "payments.setasidepix", "payments.user", "payments.webhookattempt"),
    *("payments.webhookdelivery", "payments.webhookendpoint", "queue.periodicjob", "payments.subaccount", "payments.movementnote", "payments.qrcode", "payments.transferperiod", "payments.furtherkey", "payments.logo", "payments.switch"),
}  # fmt: skip
LIMITS = ("ratelimit.limitentry", "ratelimit.limitplan", "ratelimit.limitpolicy")
SEES: dict[str, set[str]] = {
    "Nobody": set(),
    "Support": RECORDS,
    "Finance": RECORDS | {"admin.logentry"},
    "Risk": RECORDS | {"admin.logentry", "payments.cache", "payments.rowlock", "payments.securityevent", *LIMITS},
    "People": {"admin.logentry", "payments.company", "payments.securityevent", "payments.user"},
}
DOES: dict[str, set[str]] = {
    "Nobody": set(),
    "Support": set(),
    "Finance": {
        *(f"payments.{model}:export" for model in ("charge", "receivedpix", "refund", "payment", "entry")),
        *("payments.account:adjust", "payments.refund:credit_suspense"),
        *("payments.charge:refund", "payments.receivedpix:read_again"),
        *("payments.proposal:approve", "payments.proposal:refuse"),
        *("payments.company:add", "payments.company:change", "payments.bankcursor:set_back"),
        *("payments.bankdifference:resolve", "payments.setasidepix:resolve"),
        *("payments.payment:ask_bank", "payments.payment:deny", "payments.payment:give_up", "payments.payment:remove"),
        *("payments.payoutbatch:cancel", "payments.payoutbatch:pause", "payments.payoutbatch:resume"),
        *("payments.payoutbatch:retry", "payments.refund:resolve_contradiction", "payments.refund:retry_suspense"),
        *("payments.webhookdelivery:send_again", "payments.subaccount:unblock", "payments.payment:resolve_contradiction"),
    },
    "Risk": {
        *("payments.application:change", "payments.application:revoke", "payments.company:freeze", "payments.company:release"),
        *("payments.proposal:approve", "payments.proposal:refuse"),
        *(f"{limit}:{act}" for limit in LIMITS for act in ("add", "change", "delete", "delete_selected")),
        *(f"{limit}:{act}" for limit in LIMITS for act in ("put_in_force", "take_out")),
    },
    "People": {
        *("payments.user:add", "payments.user:change", "payments.user:mail_link", "payments.user:switch_off"),
    },
}  # fmt: skip


@pytest.mark.parametrize("role", SEES)
def test_each_role_sees_and_does_this_and_nothing_else(role: str) -> None:
    user = member(role)
    assert (pages(user), acts(user)) == (SEES[role], DOES[role])


def test_every_role_and_every_page_is_in_the_matrix(operator: Client) -> None:
    assert set(roles.ROLES) | {"Nobody"} == set(SEES) == set(DOES)
    everything = acts(User.objects.get(email="op@example.com"))
    given = {act for done in DOES.values() for act in done}
    assert {act for act in everything if act not in given} == {
        *("auth.group:add", "auth.group:change", "auth.group:delete", "auth.group:delete_selected"),
        *("payments.application:add", "payments.application:rotate"),  # whoever sees an AppID may act for the company
    }
    assert {name(model) for model in admin.site._registry} - {page for seen in SEES.values() for page in seen} == {
        "auth.group"
    }


@pytest.mark.parametrize("role", ["Nobody", "Support", "Risk", "People"])
def test_what_is_not_offered_is_refused_when_it_is_posted(role: str) -> None:
    one = world(making.company())
    client = Client()
    client.force_login(member(role))
    kept = (Refund, Payment, Company, Proposal)
    before = [list(model.objects.values()) for model in kept]
    for act in sorted(DOES["Finance"]):
        page, _, action = act.partition(":")
        model = next(each for each in admin.site._registry if name(each) == page)
        if action in {"add", "change"}:
            answer = client.post(url(model, action, *([one[model].pk] if action == "change" else [])), {})
            assert answer.status_code == 403
            continue
        row = one.get(model)
        picked = {"action": action, "_selected_action": [row.pk if row else 1], "confirmed": "1", "answered": "1"}
        assert client.post(url(model, "changelist"), {**picked, "reason": "x"}).status_code in {200, 302, 403}, act
    assert before == [list(model.objects.values()) for model in kept]
    pages_of_nobodys = ["/admin/health/check-ledger/", "/admin/ratelimit/limitpolicy/unblock/"]
    for address in pages_of_nobodys[: 1 if role == "Risk" else 2]:
        assert client.post(address).status_code == 403


def test_every_page_is_in_a_group_of_the_first_page_and_only_what_one_may_see_is_shown(operator: Client) -> None:
    in_groups = [label for labels in GROUPS.values() for label in labels]
    assert sorted(in_groups) == sorted(name(model) for model in admin.site._registry)
    shown = operator.get("/admin/").content.decode()
    assert all(url(model, "changelist") in shown for model in admin.site._registry)
    client = Client()
    client.force_login(member("People"))
    few = client.get("/admin/").content.decode()
    assert {name(model) for model in admin.site._registry if f'href="{url(model, "changelist")}"' in few} == SEES[
        "People"
    ]


def test_migrate_ships_the_roles_and_takes_away_what_was_added() -> None:
    group = Group.objects.get(name="Support")
    group.permissions.set([])
    Group.objects.filter(name="Risk").delete()
    mixed = Group.objects.create(name="Mixed")
    roles.ship()
    assert {
        f"{each.content_type.app_label}.{each.codename}" for each in group.permissions.select_related("content_type")
    } == roles.RECORDS
    assert set(Group.objects.values_list("name", flat=True)) == {*roles.ROLES, "Mixed"}
    assert not mixed.permissions.exists()


# ── second factor ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_in_production_no_operator_is_let_in_without_a_second_factor(settings: Any) -> None:
    settings.OPERATOR_SECOND_FACTOR = True
    boss = User.objects.create_superuser("boss@example.com", PASSWORD)
    client = browser()
    give_password(client, "/admin/login/", "boss@example.com", next="/admin/")
    for address in ("/admin/", "/admin/health/", "/admin/search/?q=123456", "/admin/payments/charge/"):
        assert client.get(address)["Location"].startswith("/admin/login/"), address
    assert client.get("/admin/login/?next=/admin/")["Location"] == reverse("web:second-factor")
    assert client.get(reverse("web:second-factor")).status_code == 200
    owner = Owner(boss)
    client = browser()
    give_password(client, "/admin/login/", "boss@example.com", next="/admin/")
    assert client.get("/admin/").status_code == 302
    assert give_code(client, owner.code)["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200
    second_factor.switch_off(boss)
    assert client.get("/admin/").status_code == 302


def test_control_where_it_is_not_demanded_the_password_is_enough() -> None:
    User.objects.create_superuser("boss@example.com", PASSWORD)
    client = browser()
    give_password(client, "/admin/login/", "boss@example.com", next="/admin/")
    assert client.get("/admin/").status_code == 200


# ── nobody becomes a merchant unseen ─────────────────────────────────────────────────────────────────────────────────────


def test_nobody_is_an_operator_and_a_merchants_person() -> None:
    shop = making.company()
    for rights in ({"is_staff": True}, {"is_superuser": True}):
        with pytest.raises(IntegrityError, match="user_is_merchants_or_operator"), transaction.atomic():
            User.objects.create_user("both@example.com", company=shop, **rights)


def test_a_superuser_cannot_make_itself_or_another_operator_a_merchants_person(operator: Client) -> None:
    shop, boss = making.company(), User.objects.get(email="op@example.com")
    form = {"email": boss.email, "company": shop.pk, "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    form["role"] = User.Role.OWNER
    assert operator.post(url(User, "change", boss.pk), form).status_code == 302
    boss.refresh_from_db()
    assert boss.company is None


def test_nor_take_over_a_merchants_person(operator: Client) -> None:
    ana = User.objects.create_user("ana@example.com", PASSWORD, company=making.company())
    new = {"password1": "another horse 7", "password2": "another horse 7", "usable_password": "true"}
    assert operator.post(f"/admin/payments/user/{ana.pk}/password/", new).status_code == 403
    operator.post(
        url(User, "change", ana.pk), {"email": "mine@example.com", "role": "OWNER", "is_active": "on", "is_staff": "on"}
    )
    was = ana.password
    ana.refresh_from_db()
    assert (ana.email, ana.is_staff, ana.password, ana.is_active) == ("ana@example.com", False, was, True)
    operator.post(url(User, "change", ana.pk), {"is_active": "", "role": "OWNER"})
    ana.refresh_from_db()
    assert not ana.is_active, "what takes nothing over may change"


def test_a_new_person_of_a_company_chooses_the_password_and_the_others_are_told(operator: Client) -> None:
    shop = making.company()
    for email, company in (("ana@example.com", shop), ("far@example.com", making.company())):
        User.objects.create_user(email, company=company)
    form: dict[str, Any] = {"email": "bia@example.com", "company": shop.pk}
    known = {"usable_password": "true", "password1": "correct horse 7", "password2": "correct horse 7"}
    assert operator.post(url(User, "add"), {**form, **known}).status_code == 200
    assert not User.objects.filter(email="bia@example.com").exists()
    assert operator.post(url(User, "add"), {**form, "usable_password": "false"}).status_code == 302
    bia = User.objects.get(email="bia@example.com")
    assert not bia.has_usable_password()
    for event in OutboxEvent.objects.filter(topic__startswith="task:mail_"):
        getattr(tasks, event.topic.removeprefix("task:"))(event.payload["user_id"])
    assert sorted((sent.to, "bia@example.com" in sent.body) for sent in mail.outbox) == [
        (["ana@example.com"], True),
        (["bia@example.com"], True),
    ]


def test_a_link_to_choose_another_password_is_mailed_and_logged(operator: Client) -> None:
    ana = User.objects.create_user("ana@example.com", company=making.company())
    picked = {"action": "mail_link", "_selected_action": [ana.pk]}
    assert operator.post(url(User, "changelist"), picked).status_code == 200
    assert not OutboxEvent.objects.filter(topic="task:mail_password_link").exists()
    operator.post(url(User, "changelist"), {**picked, "confirmed": "1"})
    assert OutboxEvent.objects.get(topic="task:mail_password_link").payload["user_id"] == ana.pk


def test_who_is_not_logged_in_has_no_page() -> None:
    assert acts(AnonymousUser()) == set()
