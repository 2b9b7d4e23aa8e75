from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from payments.models import Company
from payments.services import pix_key_tokens
from payments.services.charges import registering
from tests.bank_process import BankProcess
from woovi.ratelimit import store


@pytest.fixture
def bank(bank_process: BankProcess, settings: Any) -> BankProcess:
    """A quiet bank, of which the platform waits a second for an answer, and which it has not told anything yet."""
    settings.BANK_TIMEOUT = 1
    registering._set_callback.cache_clear()
    return bank_process


@pytest.fixture
def use_up_tokens(monkeypatch: pytest.MonkeyPatch) -> Callable[[Company], None]:
    """Have a company ask for keys that nobody has until it may ask for none. No token comes back while the test runs."""
    now = store.current().defaults
    monkeypatch.setattr(
        store._store, "_limits", store.Limits({**now, "pix.keys": replace(now["pix.keys"], per=60_000)})
    )

    def use_up(company: Company) -> None:
        while pix_key_tokens.balance(company).tokens >= pix_key_tokens.WORST:
            with pix_key_tokens.lookup(company, "ninguem@exemplo.com") as asked:
                asked.reason = "NOT_FOUND_PIX_KEY"

    return use_up
