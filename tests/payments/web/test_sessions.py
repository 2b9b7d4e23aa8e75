"""Log in and out, cookies, headers, language."""

from __future__ import annotations

import time

import pytest
from django.test import Client

from payments.models import User
from tests.payments.web.conftest import PASSWORD
from tests.topologies.topologies import Standalone

PAGES = ["/", "/balance", "/charges", "/charges/new", "/charges/0123456789abcdef01234567"]


def log_in(client: Client, email: str, password: str, **fields: str) -> object:
    return client.post("/login", {"username": email, "password": password, **fields}, HTTP_ACCEPT_LANGUAGE="en")


def test_logs_in_whatever_the_case_of_the_email(client: Client, user: User) -> None:
    assert log_in(client, "Ana@Example.com", PASSWORD)["Location"] == "/"  # type: ignore[index]
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(("email", "password"), [("ana@example.com", "wrong"), ("nobody@example.com", PASSWORD)])
def test_unknown_and_wrong_get_the_same_answer(client: Client, user: User, email: str, password: str) -> None:
    assert b"E-mail or password is wrong." in log_in(client, email, password).content  # type: ignore[attr-defined]
    assert client.get("/").status_code == 302


def test_somebody_switched_off_is_told_nothing_else(client: Client, user: User) -> None:
    User.objects.update(is_active=False)
    assert b"E-mail or password is wrong." in log_in(client, user.email, PASSWORD).content  # type: ignore[attr-defined]


def test_goes_on_to_where_one_came_from_and_never_to_another_site(client: Client, user: User) -> None:
    assert log_in(client, user.email, PASSWORD, next="/charges")["Location"] == "/charges"  # type: ignore[index]
    client.logout()
    assert log_in(client, user.email, PASSWORD, next="https://evil.example/")["Location"] == "/"  # type: ignore[index]


@pytest.mark.parametrize("path", PAGES)
def test_strangers_log_in_first(client: Client, db: None, path: str) -> None:
    assert client.get(path)["Location"] == f"/login?next={path}"


@pytest.mark.parametrize("path", PAGES)
def test_a_fragment_sends_the_whole_page_to_the_log_in(client: Client, db: None, path: str) -> None:
    response = client.get(path, headers={"HX-Request": "true"})
    assert (response.status_code, response["HX-Redirect"]) == (401, "/login")
    shown = {"HX-Request": "true", "HX-Current-URL": "http://testserver/charges?q=ana"}
    assert client.get(path, headers=shown)["HX-Redirect"] == "/login?next=/charges%3Fq%3Dana"
    shown["HX-Current-URL"] = "https://evil.example/"
    assert client.get(path, headers=shown)["HX-Redirect"] == "/login"


def test_log_out_ends_the_session_and_needs_a_post(merchant: Client) -> None:
    assert merchant.get("/logout").status_code == 405
    assert merchant.get("/").status_code == 200
    assert merchant.post("/logout")["Location"] == "/login"
    assert merchant.get("/").status_code == 302


@pytest.mark.parametrize("path", PAGES[:-1])
def test_pages_are_not_kept_by_the_browser(merchant: Client, path: str) -> None:
    assert "no-store" in merchant.get(path)["Cache-Control"]


def test_operators_are_led_to_the_admin(client: Client, db: None) -> None:
    User.objects.create_superuser("op@example.com", PASSWORD)
    assert log_in(client, "op@example.com", PASSWORD)["Location"] == "/admin/"  # type: ignore[index]
    assert client.get("/")["Location"] == "/admin/"


def test_somebody_without_company_gets_a_plain_no(client: Client, db: None) -> None:
    client.force_login(User.objects.create_user("x@example.com", PASSWORD))
    answer = client.get("/")
    assert answer.status_code == 403
    assert b'action="/logout"' in answer.content, "no page is this log-in's: the way out is another one"


def test_headers_forbid_inline_code_and_frames(merchant: Client) -> None:
    response = merchant.get("/")
    policy = response["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy
    assert response["X-Frame-Options"] == "DENY"
    assert b"style=" not in response.content
    assert b"<style" not in response.content
    assert b"onclick" not in response.content


@pytest.mark.parametrize(
    "path", ["/login", "/logout", "/language", "/charges/new/6b6c2f0e-5a2a-4b8f-9d39-6a1d0f3f2c11"]
)
def test_a_form_without_its_token_is_refused_in_the_pages_style(user: User, path: str) -> None:
    client = Client(enforce_csrf_checks=True, headers={"Accept-Language": "en"})
    client.force_login(user)
    response = client.post(path, {"language": "en"})
    assert response.status_code == 403
    assert b"This form is no longer valid" in response.content


def test_the_language_is_the_browsers_until_one_is_chosen(client: Client, user: User) -> None:
    assert "Entrar" in client.get("/login").content.decode()
    assert "Entrar" in client.get("/login", headers={"Accept-Language": "fr"}).content.decode()
    assert "Log in" in client.get("/login", headers={"Accept-Language": "en-GB"}).content.decode()
    client.post("/language", {"language": "en", "next": "/login"})
    assert "Log in" in client.get("/login", headers={"Accept-Language": "pt-BR"}).content.decode()


@pytest.mark.parametrize("path", ["/nothing", "/charges/a/b", "/charges/%00", "/charges/x'y"])
def test_unknown_paths_are_404_in_the_pages_style(merchant: Client, path: str) -> None:
    response = merchant.get(path)
    assert response.status_code == 404
    assert b"Nothing here" in response.content


def test_an_unexpected_error_is_a_plain_page(merchant: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(company: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("payments.web.dashboard.balances.balance", broken)
    merchant.raise_request_exception = False
    response = merchant.get("/")
    assert response.status_code == 500
    assert b"Something broke on our side" in response.content
    assert b"secret detail" not in response.content


@pytest.mark.in_time
@pytest.mark.parametrize("fault", ["gone", "frozen"])
def test_log_in_and_pages_work_without_redis(client: Client, user: User, valkey: Standalone, fault: str) -> None:
    """Sessions are PostgreSQL's: Django's `cached_db` fails with its cache, and takes every page along."""
    client.get("/login")
    (valkey.servers[0].kill if fault == "gone" else valkey.servers[0].freeze)()
    began = time.monotonic()
    assert log_in(client, user.email, PASSWORD)["Location"] == "/"  # type: ignore[index]
    assert [client.get(path).status_code for path in PAGES] == [200, 200, 200, 302, 404], "as with Redis"
    assert client.post("/logout")["Location"] == "/login"
    assert client.get("/").status_code == 302
    assert time.monotonic() - began < 20
