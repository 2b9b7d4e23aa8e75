"""Sign a company up in the sandbox. In production companies are onboarded by operators, who look at their papers."""

from __future__ import annotations

import secrets
import uuid

from django.db import IntegrityError, transaction

from payments.models import Company, User
from payments.pix import keys
from payments.services import companies
from payments.services.errors import Duplicate


def sign_up(name: str, email: str, password: str) -> User:
    """Make a company, with a tax id and a Pix key that are nobody's, and its owner. Raises Duplicate for a used e-mail."""
    with transaction.atomic():
        base = f"{secrets.randbelow(10**8):08d}0001"
        company: Company = companies.onboard(
            official_name=name, trade_name=name, tax_id=base + keys.check_digits(base), pix_key=str(uuid.uuid4())
        )
        try:
            with transaction.atomic():
                return User.objects.create_user(email, password, company=company)
        except IntegrityError as error:
            raise Duplicate("Somebody has this e-mail already", "email") from error
