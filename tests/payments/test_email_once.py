"""An e-mail is one person's, whatever the case of its letters, and logs in in any."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.admin.sites import site
from django.contrib.auth import authenticate
from django.db import IntegrityError, connection, transaction
from django.db.models import Value
from django.db.models.functions import Lower
from django.test import Client
from django.test.utils import CaptureQueriesContext

from payments import models
from payments.models import User

PASSWORD = "correct horse battery"


@pytest.mark.django_db
@pytest.mark.parametrize("other", ["ana@example.com", "ANA@example.com", "Ana@Example.COM"])
def test_the_database_refuses_a_second_one(other: str) -> None:
    User.objects.create_user("Ana@Example.com", PASSWORD)
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.bulk_create([User(email=other)])
    changed = User.objects.create_user("bia@example.com", PASSWORD)
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=changed.pk).update(email=other)


@pytest.mark.django_db
def test_a_form_says_so_in_words(client: Client) -> None:
    User.objects.create_user("ana@example.com", PASSWORD)
    operator = User.objects.create_superuser("operator@example.com", PASSWORD)
    client.force_login(operator)
    form = {"email": "ANA@example.com", "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    answer = client.post("/admin/payments/user/add/", form, headers={"Accept-Language": "en"})
    assert answer.status_code == 200
    assert "already" in answer.content.decode()
    assert User.objects.count() == 2
    assert User in site._registry


@pytest.mark.django_db
@pytest.mark.parametrize("stored", ["ana@example.com", "Ana@Example.com"])
@pytest.mark.parametrize("path", ["/login", "/admin/login/"])
def test_it_logs_in_in_any_case(stored: str, path: str) -> None:
    user = User(email=stored, is_staff=True)
    user.set_password(PASSWORD)
    user.save()
    for typed in (stored, stored.upper(), stored.lower()):
        answer = Client().post(path, {"username": typed, "password": PASSWORD})
        assert answer.status_code == 302


@pytest.mark.django_db
def test_nobody_is_found_by_nothing() -> None:
    assert authenticate(None, username="", password=PASSWORD) is None
    with pytest.raises(User.DoesNotExist):
        User.objects.get_by_natural_key(None)


@pytest.mark.django_db
def test_a_spelling_that_only_the_database_takes_for_the_same_is_nobodys() -> None:
    """Limits count by `account_of`. A second spelling that logs in, and is counted apart, would double them."""
    ivo = User.objects.create_user("ivo@example.com", PASSWORD)
    dotted = "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}vo@example.com"
    alike = User.objects.alias(lowered=Lower("email")).filter(lowered=Lower(Value(dotted)))
    assert list(alike) == [ivo], "the negative control: the database finds it"
    assert authenticate(None, username=dotted, password=PASSWORD) is None
    assert authenticate(None, username="IVO@example.com", password=PASSWORD) == ivo


@pytest.mark.django_db
def test_the_look_up_uses_the_constraints_index() -> None:
    User.objects.bulk_create(User(email=f"user{number}@example.com") for number in range(2_000))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE payments_user")
        with CaptureQueriesContext(connection) as asked:
            User.objects.get_by_natural_key("USER7@example.com")
        cursor.execute(f"EXPLAIN {asked[0]['sql']}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "user_email_once" in plan


@pytest.mark.django_db
def test_the_migration_names_duplicates_by_their_ids() -> None:
    (path,) = (Path(models.__file__).parent.parent / "migrations").glob("*_email_once.py")
    migration = import_module(f"payments.migrations.{path.stem}")
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX user_email_once")  # as before it; the test's transaction brings it back
    first, second, alone = (User.objects.create(email=f"{name}@example.com") for name in ("ana", "Ana", "Bia"))
    with pytest.raises(
        migration.TwoOfOne, match=rf"by id\): {first.pk} and {second.pk}\. Nothing was changed"
    ) as refused:
        migration.look_for_duplicates(apps, SimpleNamespace(connection=connection))
    assert "@" not in str(refused.value), "a person's e-mail is not for logs"
    second.delete()
    migration.look_for_duplicates(apps, SimpleNamespace(connection=connection))
    assert User.objects.filter(pk__in=(first.pk, alone.pk)).count() == 2
