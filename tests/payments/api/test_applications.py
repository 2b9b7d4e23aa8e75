"""What an application may do, and from where: on every route, and by the routes that manage applications."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from payments import scopes
from payments.api.auth import needs
from payments.models import Account, Application
from payments.services import applications, companies
from tests.payments.api.conftest import Merchant
from tests.payments.api.schema import SCHEMA
from tests.payments.api.test_contract import ENDPOINTS, NO_APP_ID

pytestmark = pytest.mark.django_db
OPERATIONS = {
    (method.upper(), path): operation
    for path, methods in SCHEMA["paths"].items()
    for method, operation in methods.items()
}
OPEN = ("GET", "/api/v1/application/scopes")
NOT_LISTED = {"data": None, "errors": [{"message": "Your IP is not in the allowed list"}]}


def scope_of(method: str, path: str) -> str:
    """The scope that the document names for the route that serves this path."""
    found = {
        operation["x-required-scope"]
        for (verb, template), operation in OPERATIONS.items()
        if verb == method and _fits(template, path) and "x-required-scope" in operation
    }
    (scope,) = found
    return str(scope)


def _fits(template: str, path: str) -> bool:
    parts = list(zip(template.split("/"), path.split("/"), strict=False))
    return template.count("/") == path.count("/") and all(
        t == p or (t.startswith("{") and p not in FIXED) for t, p in parts
    )


FIXED = {"approve", "tokens", "check", "events", "ips", "scopes", "transfer", "public-keys"}


def ask(merchant: Merchant, method: str, path: str) -> Any:
    path = path.format(account="0" * 24, transaction="E0")
    return merchant.get(path) if method == "GET" else merchant.send(method, path, {})


@pytest.mark.parametrize(("method", "path"), [*ENDPOINTS, ("GET", "/openpix/testing"), ("GET", "/woovi/testing")])
def test_every_route_wants_its_scope_and_an_address_of_the_list(
    shop: Merchant, method: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = "CHARGE_POST" if path.endswith("/testing") else "" if (method, path) == OPEN else scope_of(method, path)
    others = [each for each in scopes.ALL if each != scope]
    refused = (403, {"error": f"Application does not have required scope: {scope}"})
    without, having = (
        shop.known_as(scopes=others, type="MASTER"),
        shop.known_as(scopes=[scope or "PSP_GET_LIST"], type="MASTER"),
    )

    answer = ask(without, method, path)
    assert (answer.status_code, answer.json()) == refused or not scope
    assert ask(having, method, path).status_code not in {401, 403}

    listed = shop.known_as(allowed_ips=["203.0.113.0/24", "2001:db8::/48"], type="MASTER")
    answer = ask(listed, method, path)
    assert (answer.status_code, answer.json()) == (401, NOT_LISTED)
    listed.address = "203.0.113.77"
    assert ask(listed, method, path).status_code not in {401, 403}

    listed.address = "127.0.0.1"
    monkeypatch.setattr(applications, "may", lambda *given, **options: None)  # control: this alone decides
    assert ask(without, method, path).status_code not in {401, 403}
    assert ask(listed, method, path).status_code not in {401, 403}


def test_every_route_declares_a_scope_of_the_catalogue_once() -> None:
    declared = [operation["x-required-scope"] for operation in OPERATIONS.values() if "x-required-scope" in operation]
    undeclared = {name for name, operation in OPERATIONS.items() if "x-required-scope" not in operation}
    assert undeclared == {OPEN, ("GET", "/api/v1/webhook/public-keys")}
    assert set(declared) <= set(scopes.ALL)
    twice = {scope for scope in declared if declared.count(scope) > 1}
    assert twice == {"ACCOUNT_WITHDRAW_POST", "PIX_KEY_DEFAULT_PUT"}  # also where an SDK and a plugin call them
    with pytest.raises(ValueError, match="CHARGE_PSOT"):
        needs("CHARGE_PSOT")


def test_a_forwarded_address_counts_as_the_proxies_say(shop: Merchant, settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    app_id = shop.known_as(allowed_ips=["203.0.113.7"]).app_id
    for forwarded, status in (("203.0.113.7", 200), ("203.0.113.7, 198.51.100.1", 401), ("", 401)):
        answer = Client().get("/api/v1/company", headers={"Authorization": app_id, "X-Forwarded-For": forwarded})
        assert answer.status_code == status


def created(shop: Merchant, **wanted: Any) -> Any:
    account = Account.objects.get(company=shop.company, kind="MERCHANT").public_id
    return shop.post("/api/v1/application", {"accountId": account, "application": {"name": "Loja", **wanted}})


def test_a_master_makes_an_application_with_scopes(shop: Merchant) -> None:
    answer = created(shop, type="API", scopes=["COMPANY_GET", "CHARGE_POST"])
    assert answer.status_code == 201
    made = answer.json()["application"]
    assert made["scopes"] == ["CHARGE_POST", "COMPANY_GET"]
    assert (made["type"], made["isActive"]) == ("API", True)
    assert companies.app_id(made["clientId"], made["clientSecret"]) == made["appID"]
    theirs = Merchant(shop.company, made["appID"])
    assert theirs.get("/api/v1/company").status_code == 200
    assert theirs.get("/api/v1/charge").status_code == 403
    assert theirs.post("/api/v1/application", {}).json() == {"error": "Wrong API type"}
    assert made["clientSecret"] not in str(Application.objects.values())


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({"scopes": ["CHARGE_POST", "CHARGE_PSOT"]}, "Invalid scopes: CHARGE_PSOT"),
        ({"type": "MASTER"}, "application.type: Input should be 'API'"),
        ({"name": ""}, "application: Field required"),
    ],
)
def test_a_wrong_application_is_refused(shop: Merchant, wanted: Any, error: str) -> None:
    answer = created(shop, **wanted)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    if details := answer.json().get("details"):
        assert f"{details[0]['field']}: {details[0]['message']}" == error
    else:
        assert "scopes" in error, "it names every field that is wrong"
    assert Application.objects.count() == 1


@pytest.mark.parametrize(("wanted", "missing"), [(["CHARGE_POST", "CHARGE_GET"], "CHARGE_GET"), ([], "ACCOUNT_GET")])
def test_nobody_gives_more_than_it_has(shop: Merchant, wanted: list[str], missing: str) -> None:
    maker = shop.known_as(scopes=["APPLICATION_POST", "CHARGE_POST"], type="MASTER")
    answer = created(maker, scopes=wanted)
    assert answer.json() == {"error": f"Application does not have required scope: {missing}"}
    assert created(maker, scopes=["CHARGE_POST"]).status_code == 201


def test_who_is_bound_to_addresses_makes_only_such(shop: Merchant) -> None:
    maker = shop.known_as(allowed_ips=["127.0.0.0/8"], type="MASTER")
    made = created(maker).json()["application"]
    assert Application.objects.get(client_id=made["clientId"]).allowed_ips == ["127.0.0.0/8"]


def test_the_secret_is_changed_and_the_former_refused_at_once(shop: Merchant, rival: Merchant) -> None:
    made = created(shop).json()["application"]
    former = Merchant(shop.company, made["appID"])
    body = {"clientId": made["clientId"]}
    assert rival.post("/api/v1/application/rotate-secret", body).status_code == 404
    assert former.get("/api/v1/company").status_code == 200

    changed = shop.post("/api/v1/application/rotate-secret", body).json()["application"]

    assert changed["clientId"] == made["clientId"]
    assert former.get("/api/v1/company").json() == NO_APP_ID
    assert Merchant(shop.company, changed["appID"]).get("/api/v1/company").status_code == 200


@pytest.mark.parametrize(
    ("mine", "theirs", "status"),
    [
        ({"scopes": ["APPLICATION_ROTATE_POST"]}, {}, 403),  # it would have everything then
        ({"scopes": ["APPLICATION_ROTATE_POST"]}, {"scopes": ["CHARGE_POST"]}, 403),
        ({"scopes": ["APPLICATION_ROTATE_POST", "CHARGE_POST"]}, {"scopes": ["CHARGE_POST"]}, 200),
        ({"allowed_ips": ["127.0.0.1"]}, {}, 403),  # it could be used from anywhere then
        ({"allowed_ips": ["127.0.0.1"]}, {"allowed_ips": ["127.0.0.1", "203.0.113.7"]}, 403),
        ({"allowed_ips": ["127.0.0.1"]}, {"allowed_ips": ["127.0.0.1"]}, 200),
        ({}, {"scopes": ["CHARGE_POST"], "allowed_ips": ["203.0.113.7"]}, 200),
    ],
)
def test_a_secret_is_given_only_to_who_may_as_much(shop: Merchant, mine: Any, theirs: Any, status: int) -> None:
    maker = shop.known_as(type="MASTER", **mine)
    other, app_id = companies.issue_application(shop.company, "Theirs", **theirs)
    answer = maker.post("/api/v1/application/rotate-secret", {"clientId": other.client_id})
    assert answer.status_code == status, answer.content
    assert (companies.authenticate(app_id) is None) == (status == 200)


def test_whoever_it_is_may_change_its_own_secret(shop: Merchant) -> None:
    app_id = shop.known_as(type="MASTER", scopes=["APPLICATION_ROTATE_POST"]).app_id
    own = companies.authenticate(app_id)
    assert own
    answer = Merchant(shop.company, app_id).post("/api/v1/application/rotate-secret", {"clientId": own.client_id})
    assert answer.status_code == 200


def test_an_application_is_deleted_by_its_own_company_alone(shop: Merchant, rival: Merchant) -> None:
    made = created(shop).json()["application"]
    body = {"clientId": made["clientId"]}
    assert rival.send("DELETE", "/api/v1/application", body).json() == {"error": "Application not found"}
    assert shop.send("DELETE", "/api/v1/application", body).json() == {"success": True}
    assert Merchant(shop.company, made["appID"]).get("/api/v1/company").json() == NO_APP_ID
    assert shop.send("DELETE", "/api/v1/application", body).status_code == 404
    master = {"clientId": Application.objects.get(company=shop.company, type="MASTER").client_id}
    assert shop.send("DELETE", "/api/v1/application", master).json() == {
        "error": "You cannot delete a master application"
    }


def test_the_catalogue_is_open_to_every_application(shop: Merchant) -> None:
    told = shop.known_as(scopes=["CHARGE_POST"]).get("/api/v1/application/scopes").json()
    assert told["scopes"] == list(scopes.ALL)
    assert told["scopeGroups"][0] == {"name": "ACCOUNT", "scopes": list(scopes.GROUPS["ACCOUNT"])}
    assert Client().get("/api/v1/application/scopes").status_code == 401
