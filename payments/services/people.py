"""Operators add people to a company. They never hold a merchant's password, so none can act as one."""

from __future__ import annotations

from django.db import transaction

from payments.models import User
from payments.services import passwords
from woovi import outbox


@transaction.atomic
def invite(user: User) -> None:
    """Mail a new person of a company the link to choose a password, and tell the company's other people."""
    passwords.ask_for_link(user.email)
    outbox.write("task:mail_person_added", str(user.company_id), {"user_id": user.pk})
