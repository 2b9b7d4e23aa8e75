"""Rate limits are changed by two operators, with old and new values kept; denied networks and subjects by one, at once."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from payments.models import Proposal, User
from payments.services import companies, proposals
from tests.payments import making
from tests.payments.admin.second import approve_all
from tests.payments.admin.test_admin import operator
from tests.payments.admin.test_proposals import finance
from woovi.ratelimit import store
from woovi.ratelimit.address import parse
from woovi.ratelimit.models import LimitEntry, LimitPlan, LimitPolicy

__all__ = ["finance", "operator"]
HOME = "/admin/ratelimit/limitpolicy/"
FORM = {"name": "api.company", "key": "company", "limit": "100", "per": "60", "burst": "0", "mode": "enforce", "without_redis": "local", "plan": "", "subject": "company:7", "blocks": "", "reason": "a promise"}  # fmt: skip


def in_force() -> int:
    return store.read().policy("api.company", "company:7").limit


@pytest.mark.django_db
def test_a_new_policy_counts_once_another_operator_has_approved_it(operator: Client) -> None:
    shipped = in_force()
    assert operator.post(HOME + "add/", {**FORM, "reason": ""}).status_code == 200, "it needs a reason"
    assert operator.post(HOME + "add/", FORM).status_code == 302
    own = {"action": "approve", "_selected_action": [Proposal.objects.get().pk], "confirmed": "1"}
    said = operator.post("/admin/payments/proposal/", own, follow=True).content.decode()
    assert ("Who proposed it does not approve it" in said, in_force()) == (True, shipped)
    page = approve_all()
    assert "In force: False → True" in page
    assert "Limit: 100" in page
    assert in_force() == 100


@pytest.mark.django_db
def test_a_change_waits_and_both_logs_have_old_and_new(operator: Client) -> None:
    row = LimitPolicy.objects.create(name="api.company", key="company", subject="company:7", limit=100, per=60)
    changed = {**FORM, "limit": "10", "mode": "shadow"}
    page = operator.post(f"{HOME}{row.pk}/change/", changed, follow=True).content.decode()
    assert ("proposed. Another operator approves it" in page, "was changed successfully" in page) == (True, False)
    assert in_force() == 100
    told = LogEntry.objects.get().change_message
    assert all(
        words in told for words in ("limit: 100 → 10", "mode: enforce → shadow", "Reason: a promise", "Proposed")
    )
    approve_all()
    assert in_force() == 10
    assert Proposal.objects.get().before == {"limit": 100, "mode": "enforce"}
    assert LogEntry.objects.filter(user__email="second@example.com", change_message__contains="10 per 60 s").exists()


@pytest.mark.django_db
def test_what_was_read_is_what_is_approved(operator: Client) -> None:
    """A row that is not in force is everybody's to edit; the proposal has its values, and is done with no others."""
    operator.post(HOME + "add/", FORM)
    row = LimitPolicy.objects.get()
    assert operator.post(f"{HOME}{row.pk}/change/", {**FORM, "limit": "9999999"}).status_code == 302
    approve_all()
    assert (Proposal.objects.get().status, Proposal.objects.get().outcome) == (
        "FAILED",
        "It has changed since it was proposed",
    )
    row.refresh_from_db()
    assert (row.limit, row.in_force) == (9999999, False)


def given() -> tuple[bool, frozenset[str], Any]:
    """What somebody has beyond everybody: a network, a subject, a plan."""
    limits = store.read()
    return parse("203.0.113.7") in limits.allow, limits.allowed, limits.plans


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("model", "form"),
    [
        (LimitPlan, {"subject": "company:7", "plan": "big"}),
        (LimitEntry, {"kind": "allow", "who": "203.0.113.0/24"}),
        (LimitEntry, {"kind": "allow", "who": "company:7"}),
    ],
)
def test_plans_and_who_is_never_counted_take_two_as_well(operator: Client, model: Any, form: dict[str, str]) -> None:
    quiet = given()
    assert operator.post(f"/admin/ratelimit/{model._meta.model_name}/add/", {**form, "reason": "x"}).status_code == 302
    assert given() == quiet, "nothing of one operator alone"
    approve_all()
    assert given() != quiet
    picked = {"action": "take_out", "_selected_action": [model.objects.get().pk], "answered": "1", "reason": "over"}
    operator.post(f"/admin/ratelimit/{model._meta.model_name}/", picked)
    assert given() != quiet
    approve_all()
    assert given() == quiet


@pytest.mark.django_db
def test_a_denial_is_at_once_and_lifted_at_once_each_with_a_reason(operator: Client) -> None:
    home, form = "/admin/ratelimit/limitentry/", {"kind": "deny", "who": "company:7"}
    assert operator.post(home + "add/", {**form, "reason": ""}).status_code == 200, "it needs a reason"
    operator.post(home + "add/", {**form, "reason": "guesses ids"})
    assert store.read().denied == {"company:7"}
    row = LimitEntry.objects.get()
    assert row.reason == "guesses ids"
    assert operator.post(f"{home}{row.pk}/delete/", {"post": "yes"}).status_code == 403, "it stays, for who looks later"
    picked = {"action": "take_out", "_selected_action": [row.pk]}
    assert 'name="reason"' in operator.post(home, picked).content.decode()
    operator.post(home, {**picked, "answered": "1", "reason": "they wrote to us"})
    assert (store.read().denied, Proposal.objects.count()) == (set(), 0)
    assert "in_force: True → False. Reason: they wrote to us" in LogEntry.objects.latest("pk").change_message
    # A denial that becomes the opposite is no denial any more.
    operator.post(home, {**picked, "action": "put_in_force", "answered": "1", "reason": "again"})
    operator.post(f"{home}{row.pk}/change/", {**form, "kind": "allow", "reason": "a slip"})
    assert (store.read().denied, store.read().allowed) == ({"company:7"}, set())


@pytest.mark.django_db
def test_nonsense_is_refused_when_it_is_approved(finance: tuple[User, User]) -> None:
    one, other = finance
    for user in finance:
        user.is_superuser = True
        user.save()
    row = LimitPolicy.objects.create(name="api.company", key="company", limit=100, per=60)
    ended = proposals.approve(proposals.propose(one, "change_limit_policy", row, "x", {"limit": 0}), other)
    assert (ended.status, store.read().defaults["api.company"].limit) == ("FAILED", 100)
    assert ended.outcome.startswith("The limit would make no sense")


@pytest.mark.django_db(transaction=True)
def test_an_operator_changes_a_rate_limit_and_sees_it_bite(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_store", store.Store())  # one that looks at the database, as in a process of its own
    shop, other = making.company(), making.company()

    def status(company: Any, app_id: str) -> int:
        return Client(headers={"Authorization": app_id}).get("/api/v1/charge").status_code

    keys = {company: companies.issue_application(company, "shop")[1] for company in (shop, other)}
    assert [status(company, key) for company, key in keys.items()] * 2 == [200] * 4
    operator.post(HOME + "add/", {**FORM, "limit": "1", "per": "3600", "subject": f"company:{shop.pk}"})
    approve_all()

    deadline = time.monotonic() + 20  # it takes two seconds at most, on a machine with nothing else to do
    while status(shop, keys[shop]) != 429:
        assert time.monotonic() < deadline, "it never bit"
        time.sleep(0.1)
    assert status(other, keys[other]) == 200, "nobody else is limited"
    page = operator.get(HOME + "now/").content.decode()
    assert "api.company" in page.partition('id="policies"')[0]
    row = LimitPolicy.objects.get()
    picked = {"action": "take_out", "_selected_action": [row.pk], "answered": "1", "reason": "enough"}
    operator.post(HOME, picked)
    approve_all()
    while status(shop, keys[shop]) != 200:
        assert time.monotonic() < deadline + 20, "it was never let go"
        time.sleep(0.1)
