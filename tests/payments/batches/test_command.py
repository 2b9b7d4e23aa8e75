"""`manage.py payout_batch`: from a file to its result, each step safe to run twice, with JSON for scripts."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from payments.bank.port import SendOrder
from payments.models import Company, PayoutBatch, PayoutChunk, User
from payments.services import batches
from payments.services.batches import importing
from tests.payments.batches.conftest import HEADER, BankInProcess, csv_of, money

Run = Callable[..., Any]


def run(*arguments: str) -> Any:
    out = io.StringIO()
    call_command("payout_batch", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "folha.csv"
    made.write_text(csv_of(6))
    return made


def test_from_the_file_to_the_result(
    quick_bank: BankInProcess, shop: Company, maker: User, checker: User, file: Path, tmp_path: Path
) -> None:
    checked = run("import", str(file), "--user", maker.email, "--dry-run")
    assert (checked["rows"], checked["total"], checked["problems"]) == (6, 600, 0)
    assert not PayoutBatch.objects.exists()

    made = run("import", str(file), "--user", maker.email)
    assert (made["status"], made["signature"]) == ("AWAITING_APPROVAL", checked["signature"])
    batch = made["batch"]
    assert run("approve", batch, "--user", checker.email, "--dry-run")["status"] == "AWAITING_APPROVAL"
    for _ in range(2):
        assert run("approve", batch, "--user", checker.email, "--signature", made["signature"])["status"] == "RUNNING"
    assert money(shop) == (999_500, 600)
    assert run("run", batch, "--dry-run")["waiting"] == 6
    assert quick_bank.calls == 0

    for _ in range(2):
        ended = run("run", batch)
        assert (ended["status"], ended["confirmed"], ended["reserved"]) == ("DONE", 6, 0)
    assert quick_bank.calls == 6
    assert run("watch", batch)["status"] == "DONE"
    told = [run("export", batch, "--to", str(tmp_path / name))["sha256"] for name in ("a.csv", "b.csv")]
    assert told[0] == told[1]
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()
    assert (tmp_path / "a.csv").read_text().count("CONFIRMED") == 6


def test_it_is_stopped_in_the_middle_and_goes_on(
    quick_bank: BankInProcess,
    shop: Company,
    maker: User,
    checker: User,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> None:
    monkeypatch.setattr(importing, "CHUNK", 2)
    batch = run("import", str(file), "--user", maker.email)["batch"]
    run("approve", batch, "--user", checker.email)

    def interrupt(order: SendOrder) -> None:
        if quick_bank.calls == 2:
            os.kill(os.getpid(), signal.SIGINT)
            assert batches.leaving.wait(60)

    settings.PAYOUT_IN_FLIGHT = 1
    quick_bank.before = interrupt
    stopped = run("run", batch)
    assert stopped["status"] == "RUNNING"
    assert 2 <= stopped["confirmed"] == quick_bank.calls < 6
    assert not PayoutChunk.objects.filter(attempts__gt=0, is_done=False).exists(), "no row is in doubt"
    PayoutChunk.objects.filter(is_done=False).update(leased_until=None)
    quick_bank.before = lambda order: None
    assert run("pause", batch)["status"] == "PAUSED"
    assert run("resume", batch)["status"] == "RUNNING"
    assert run("run", batch)["status"] == "DONE"
    assert quick_bank.calls == 6


def test_it_says_that_it_cannot_pay(
    quick_bank: BankInProcess, shop: Company, maker: User, checker: User, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And does not watch for ever a batch that nobody pays."""
    batch = run("import", str(file), "--user", maker.email)["batch"]
    run("approve", batch, "--user", checker.email)
    monkeypatch.setattr(threading, "excepthook", lambda about: None)

    def fail(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr(batches, "pay", fail)
        with pytest.raises(CommandError, match="too early"):
            run("run", batch)
    assert quick_bank.calls == 0
    assert run("run", batch)["status"] == "DONE"


def test_failed_rows_are_shown_and_paid_again(
    quick_bank: BankInProcess, shop: Company, maker: User, checker: User, file: Path
) -> None:
    file.write_text(csv_of(4, bad=1))
    batch = run("import", str(file), "--user", maker.email)["batch"]
    run("approve", batch, "--user", checker.email)
    assert run("run", batch)["status"] == "PARTIAL"
    shown = run("retry", batch, "--dry-run")
    assert (shown["count"], shown["sum"], shown["status"]) == (1, 100, "PARTIAL")
    for figures in (
        [],
        ["--count", "1"],
        ["--sum", "100"],
        ["--count", "2", "--sum", "100"],
        ["--count", "1", "--sum", "101"],
    ):
        with pytest.raises(CommandError, match=r"--dry-run|not those that were shown"):
            run("retry", batch, *figures)
    assert PayoutBatch.objects.get().status == "PARTIAL"
    assert run("retry", batch, "--count", "1", "--sum", "100")["status"] == "RUNNING"
    assert run("cancel", batch)["status"] == "CANCELLED"
    assert money(shop) == (999_500 - 300, 0)


def test_bad_rows_are_named(maker: User, file: Path) -> None:
    file.write_text(HEADER + "a;nobody;1,00;\n")
    out = io.StringIO()
    with pytest.raises(CommandError, match="1 rows"):
        call_command("payout_batch", "import", str(file), "--user", maker.email, stdout=out)
    assert "line 2, chave: not a valid CPF or CNPJ" in out.getvalue()


@pytest.mark.parametrize(
    "arguments",
    [("approve", "unknown", "--user", "maker@example.com"), ("import", "{file}", "--user", "nobody@example.com")],
    ids=str,
)
def test_what_is_not_there(maker: User, file: Path, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="there is no"):
        run(*(each.format(file=file) for each in arguments))


def test_the_sample_can_be_imported(maker: User, tmp_path: Path) -> None:
    made = tmp_path / "sample.csv"
    assert run("sample", str(made), "--rows", "300")["rows"] == 300
    assert run("import", str(made), "--user", maker.email, "--dry-run")["problems"] == 0
