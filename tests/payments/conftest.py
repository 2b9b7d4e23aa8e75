from __future__ import annotations

from typing import Any

import pytest

from payments.services.charges import registering
from tests.bank_process import BankProcess


@pytest.fixture
def bank(bank_process: BankProcess, settings: Any) -> BankProcess:
    """A quiet bank, of which the platform waits a second for an answer, and which it has not told anything yet."""
    settings.BANK_TIMEOUT = 1
    registering._set_callback.cache_clear()
    return bank_process
