"""What the webhooks' tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from payments.models import Company
from payments.services import companies
from tests.receiver import Receiver, serve


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serve() as server:
        yield server


@pytest.fixture
def company(db: None) -> Company:
    return companies.onboard(official_name="Loja", trade_name="Loja", tax_id="1" * 14, pix_key="loja@example.com")
