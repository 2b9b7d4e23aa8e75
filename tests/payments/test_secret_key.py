"""SECRET_KEY can be changed: AppIDs do not hang on it, and what the former one sealed opens while it is listed."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest
from django.contrib.auth.tokens import default_token_generator
from django.core import signing
from django.test import Client

from payments.models import Application, Phone, User
from payments.services import companies, second_factor
from tests.payments import making
from tests.payments.web.log_in import Owner
from woovi.cache import Keyring, names
from woovi.cache.errors import Unreadable
from woovi.ratelimit import device, subject

pytestmark = pytest.mark.django_db
OLD, NEW = "the former key " * 5, "another one, made today " * 3
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _old(settings: Any) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = OLD, []


def change(settings: Any, *fallbacks: str) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, list(fallbacks)


def secret_of(app_id: str) -> str:
    return base64.b64decode(app_id).decode().partition(":")[2]


def test_an_app_id_outlives_the_key_even_without_fallbacks(settings: Any) -> None:
    application, app_id = companies.issue_application(making.company(), "Test")
    change(settings)
    assert companies.authenticate(app_id) == application


def test_only_the_sha256_of_a_long_random_secret_is_kept() -> None:
    company = making.company()
    made = [companies.issue_application(company, "Test") for _ in range(3)]
    for application, app_id in made:
        assert application.secret_digest == hashlib.sha256(secret_of(app_id).encode()).hexdigest()
        assert len(secret_of(app_id).removeprefix("Client_Secret_")) == 44  # 32 bytes
    assert len({app_id for _, app_id in made}) == 3


def kept_by_the_key(app_id: str) -> Application:
    """An application as version 1.0 kept it."""
    digest = hmac.new(OLD.encode(), b"application:" + secret_of(app_id).encode(), "sha256").hexdigest()
    Application.objects.update(secret_digest=digest)
    return Application.objects.get()


def test_app_ids_of_before_go_on_and_leave_the_key_when_they_are_used(settings: Any) -> None:
    _, app_id = companies.issue_application(making.company(), "Test")
    application = kept_by_the_key(app_id)
    wrong = companies.app_id(application.client_id, "Client_Secret_x")
    assert companies.authenticate(wrong) is None
    change(settings, OLD)
    assert companies.authenticate(wrong) is None
    assert companies.authenticate(app_id) == application
    change(settings)  # the former key is gone, and the AppID was used in between
    assert companies.authenticate(app_id) == application


def test_one_of_before_that_was_not_used_in_between_is_lost_with_its_key(settings: Any) -> None:
    _, app_id = companies.issue_application(making.company(), "Test")
    kept_by_the_key(app_id)
    change(settings)
    assert companies.authenticate(app_id) is None


def log_in(browser: Client) -> int:
    return browser.post("/login", {"username": "ana@example.com", "password": PASSWORD}).status_code


@pytest.fixture
def browser() -> Client:
    User.objects.create_user("ana@example.com", PASSWORD, company=making.company())
    browser = Client()
    assert log_in(browser) == 302
    assert browser.get("/").status_code == 200
    return browser


@pytest.mark.parametrize("listed", [True, False])
def test_a_session_lives_while_its_key_is_listed(browser: Client, settings: Any, listed: bool) -> None:
    change(settings, *([OLD] if listed else []))
    answer = browser.get("/")
    assert (answer.status_code == 200) is listed
    assert log_in(browser) == 302  # and a new one can be had
    change(settings)
    assert browser.get("/").status_code == 200


def test_a_known_browser_stays_known(browser: Client, settings: Any) -> None:
    def known() -> str | None:
        device._verified.cache_clear()  # as in another process
        return device.known({name: morsel.value for name, morsel in browser.cookies.items()}, "ana@example.com")

    first = known()
    assert first
    change(settings, OLD)
    assert known() == first
    change(settings)
    assert known() is None, "the negative control"
    browser.post("/logout")
    assert log_in(browser) == 302
    second = known()
    assert second
    change(settings)
    assert known() == second


def test_a_password_link_and_a_signed_value_open_while_their_key_is_listed(settings: Any) -> None:
    user = User.objects.create_user("ana@example.com", PASSWORD)
    link, value = default_token_generator.make_token(user), signing.dumps({"a": 1}, salt="x")
    change(settings, OLD)
    assert default_token_generator.check_token(user, link)
    assert signing.loads(value, salt="x") == {"a": 1}
    change(settings)
    assert not default_token_generator.check_token(user, link)


def test_what_a_cache_sealed_is_found_and_opens(settings: Any) -> None:
    name, sealed = names.naming_key(), Keyring.of_settings().seal("bank.token", b"t")
    change(settings, OLD)
    assert names.naming_key() == name, "found under the same name"
    assert Keyring.of_settings().unseal("bank.token", sealed) == b"t"
    change(settings)
    assert names.naming_key() != name
    with pytest.raises(Unreadable):
        Keyring.of_settings().unseal("bank.token", sealed)


def test_processes_with_the_former_key_and_the_new_one_count_in_the_same_buckets(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = subject.keys()
    change(settings, OLD)
    assert subject.keys()[-1] == before[0] != subject.keys()[0]


def test_the_secret_of_a_second_factor_is_kept_sealed_for_its_user_alone() -> None:
    owner, other = (Owner(User.objects.create_user(f"{name}@example.com", PASSWORD)) for name in ("ana", "bia"))
    kept = Phone.objects.get(user=owner.user)
    assert kept.key.startswith("sealed:")
    assert owner.secret not in kept.key
    assert kept.bin_key.hex() == owner.secret
    assert second_factor.check(owner.user, owner.code)
    assert not second_factor.check(owner.user, owner.code), "a code is taken once, as before"
    Phone.objects.filter(user=other.user).update(key=kept.key)
    assert not second_factor.check(other.user, owner.code), (
        "who may write rows cannot give somebody a phone of their own"
    )


def test_a_second_factor_outlives_the_key_once_the_night_has_sealed_it_anew(settings: Any) -> None:
    owner = Owner(User.objects.create_user("ana@example.com", PASSWORD))
    change(settings, OLD)
    assert second_factor.seal() == 1
    assert second_factor.seal() == 0, "nothing is left to do"
    change(settings)
    assert second_factor.check(owner.user, owner.code)


def test_without_that_night_only_recovery_codes_are_left(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    owner = Owner(User.objects.create_user("ana@example.com", PASSWORD))
    change(settings)
    assert second_factor.seal() == 0
    assert not second_factor.check(owner.user, owner.code)
    assert f"The second factor of user {owner.user.pk} does not open" in caplog.text
    assert second_factor.check(owner.user, owner.recovery[0])


def test_a_secret_of_a_former_version_counts_and_is_sealed_by_night() -> None:
    owner = Owner(User.objects.create_user("ana@example.com", PASSWORD))
    Phone.objects.update(key=owner.secret)
    assert second_factor.seal() == 1
    assert Phone.objects.get().key.startswith("sealed:")
    assert second_factor.check(owner.user, owner.code)
