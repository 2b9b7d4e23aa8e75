from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from payments.models import Company
from payments.services.companies import authenticate


def seeded() -> dict[str, str]:
    output = io.StringIO()
    call_command("seed_demo", json=True, stdout=output)
    answer: dict[str, str] = json.loads(output.getvalue())
    return answer


@pytest.mark.django_db
def test_the_demo_company_is_made_once_and_its_credentials_work() -> None:
    first = seeded()
    assert seeded() == first
    company = Company.objects.get()
    application = authenticate(first["app_id"])
    assert application
    assert application.company == company
    for user in (first["merchant"], first["operator"]):
        assert Client().login(username=user, password=first["password"])


@pytest.mark.django_db
def test_what_a_person_reads_names_the_same() -> None:
    output = io.StringIO()
    call_command("seed_demo", stdout=output)
    assert all(value in output.getvalue() for value in seeded().values())


@pytest.mark.django_db
def test_there_is_none_in_production(settings: Any) -> None:
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="production"):
        seeded()
    assert not Company.objects.exists()


def test_up_is_not_for_production(settings: Any) -> None:
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match=r"docs/operations\.md"):
        call_command("up")
