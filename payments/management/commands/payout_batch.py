"""`manage.py payout_batch`: a file of payouts from its upload to its export, each step safe to run twice."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from payments.models import Company, PayoutBatch, User
from payments.money import format_reais
from payments.pix import keys
from payments.services import batches
from payments.services.batches.columns import TEMPLATE
from payments.services.batches.progress import export_digest
from payments.services.errors import ServiceError
from woovi.threads import gives_back

OVER = (PayoutBatch.Status.DONE, PayoutBatch.Status.PARTIAL, PayoutBatch.Status.CANCELLED)
LOOK = 0.5  # seconds between looks at a batch


class Command(BaseCommand):
    help = "Import a file of payouts, approve it, run or watch it, pause, resume, cancel, retry, export its result."

    def add_arguments(self, parser: ArgumentParser) -> None:
        steps = parser.add_subparsers(dest="step", required=True)

        def step(name: str, help_: str) -> ArgumentParser:
            made: ArgumentParser = steps.add_parser(name, help=help_)
            made.add_argument("--json", action="store_true", help="print JSON")
            return made

        sample = step("sample", "write a file of random payouts, the same for the same number of rows")
        sample.add_argument("file", type=Path)
        sample.add_argument("--rows", type=int, default=10_000, choices=range(1, 1_000_001), metavar="1..1000000")
        step("template", "print the file to fill in")
        importing = step("import", "read a CSV or XLSX file, and ask for its approval unless a row is wrong")
        importing.add_argument("file", type=Path)
        importing.add_argument("--user", required=True, help="e-mail of who uploads it")
        importing.add_argument("--dry-run", action="store_true", help="check the file only; nothing is kept")
        approving = step("approve", "reserve the balance and begin")
        approving.add_argument("--user", required=True, help="e-mail of who approves it, not who uploaded it")
        approving.add_argument("--signature", help="as `import` printed it; without it, what is there now")
        running = step("run", "pay it in this process, beside the workers; ^C stops after the rows at the bank")
        retrying = step("retry", "pay the failed rows again, if they are those that --dry-run showed")
        retrying.add_argument("--count", type=int, help="how many rows it showed")
        retrying.add_argument("--sum", type=int, help="what they are worth together, in centavos")
        for made in (approving, running, retrying):
            made.add_argument("--dry-run", action="store_true", help="say what would be paid; change nothing")
        watching = step("watch", "show how far it is until it is over")
        exporting = step("export", "write what came of every row")
        exporting.add_argument("--to", type=Path, help="a file; otherwise standard output")
        others = [step(name, f"{name} it") for name in ("pause", "resume", "cancel")]
        for made in (approving, running, retrying, watching, exporting, *others):
            made.add_argument("batch", help="the batch's id")

    def handle(self, *args: Any, step: str, **options: Any) -> None:
        try:
            getattr(self, f"do_{step}")(**options)
        except ServiceError as error:
            raise CommandError(error.message) from error
        except OSError as error:
            if error.filename is None:
                raise
            raise CommandError(f"{error.filename}: {error.strerror}") from error

    def do_sample(self, file: Path, rows: int, **options: Any) -> None:
        with file.open("w", encoding="utf-8", newline="") as target:
            target.write("identificador;chave;valor;descricao\r\n")
            for line in sample(rows):
                target.write(line)
        self._say(options, {"file": str(file), "rows": rows})

    def do_template(self, **options: Any) -> None:
        self.stdout.write(TEMPLATE, ending="")

    def do_import(self, file: Path, user: str, dry_run: bool, **options: Any) -> None:
        maker = _user(user)
        company = _company(maker)
        with file.open("rb") as source:
            batch = batches.upload(company, maker, file.name, source, keep=not dry_run)
        found = [{"line": row.line, "column": row.column, "reason": row.reason} for row in batch.first_problems]
        if not batch.problems and not dry_run:
            batch = batches.submit(batch)
        self._say(options, {**_shown(batch), "signature": batch.signature, "problems": batch.problems, "found": found})
        if batch.problems:
            raise CommandError(f"{batch.problems} rows cannot be paid: nothing was sent")

    def do_approve(self, batch: str, user: str, signature: str | None, dry_run: bool, **options: Any) -> None:
        row, approver = _batch(batch), _user(user)
        if row.status == PayoutBatch.Status.AWAITING_APPROVAL and not dry_run:
            row = batches.approve(row, approver, signature or row.signature)
        self._say(options, _shown(row))

    def do_run(self, batch: str, dry_run: bool, **options: Any) -> None:
        row = _batch(batch)
        if dry_run:
            self._say(options, batches.progress(row).as_dict())
            return
        self._follow(row, options, pays=True)

    def do_watch(self, batch: str, **options: Any) -> None:
        self._follow(_batch(batch), options, pays=False)

    def _follow(self, batch: PayoutBatch, options: dict[str, Any], *, pays: bool) -> None:
        """Show the batch until it is over. ^C ends this process alone: the batch goes on where workers are, or later."""
        paying = threading.Thread(target=gives_back(_pay), args=(batch,)) if pays else None
        bar = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with _leaving_on_interrupt():
            with bar:
                shown = bar.add_task(batch.name, total=batch.rows)
                if paying:
                    paying.start()
                while True:
                    now = batches.progress(batch)
                    bar.update(shown, completed=now.ended, description=f"{batch.name} {now.status}")
                    if now.status in OVER or batches.leaving.is_set() or (paying and not paying.is_alive()):
                        break
                    time.sleep(LOOK)
            left = batches.leaving.is_set()
            if left:
                self.stderr.write("stopping after the rows at the bank")
            if paying:
                batches.leaving.set()
                paying.join()
        now = batches.progress(batch)
        self._say(options, now.as_dict())
        if pays and not left and now.status == PayoutBatch.Status.RUNNING:
            raise CommandError("paying ended too early; the error is above. Run it again")

    def do_retry(self, batch: str, count: int | None, dry_run: bool, **options: Any) -> None:
        row, total = _batch(batch), options["sum"]
        if dry_run:
            count, total = batches.failed_rows(row)
            then = f"payout_batch retry {batch} --count {count} --sum {total}"
            self._say(options, {**_shown(row), "count": count, "sum": total, "then": then})
            return
        if count is None or total is None:
            raise CommandError("--count and --sum are needed, as --dry-run shows them")
        self._say(options, {**_shown(batches.retry(row, count, total)), "count": count, "sum": total})

    def do_pause(self, batch: str, **options: Any) -> None:
        self._say(options, _shown(batches.pause(_batch(batch), "by an operator")))

    def do_resume(self, batch: str, **options: Any) -> None:
        self._say(options, _shown(batches.resume(_batch(batch))))

    def do_cancel(self, batch: str, **options: Any) -> None:
        self._say(options, _shown(batches.cancel(_batch(batch))))

    def do_export(self, batch: str, to: Path | None, **options: Any) -> None:
        row = _batch(batch)
        if to is None:
            self.stdout.writelines(batches.export(row))
            return
        with to.open("w", encoding="utf-8", newline="") as target:
            target.writelines(batches.export(row))
        self._say(options, {"file": str(to), "sha256": export_digest(row)})

    def _say(self, options: dict[str, Any], facts: dict[str, Any]) -> None:
        if options["json"]:
            self.stdout.write(json.dumps(facts))
            return
        for name, value in facts.items():
            for each in value if isinstance(value, list) else [value]:
                text = format_reais(each) if name in {"total", "sum", "reserved"} else each
                self.stdout.write(f"{name:<12} {_line(text)}")


@contextlib.contextmanager
def _leaving_on_interrupt() -> Iterator[None]:
    """The first ^C sets `leaving`, a second one ends the process. A KeyboardInterrupt is lost where it cannot be raised."""

    def leave(*_: object) -> None:
        signal.signal(signal.SIGINT, before)
        batches.leaving.set()

    before = signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        batches.leaving.clear()


def _pay(batch: PayoutBatch) -> None:
    """Pay, and look up what is unknown, until the batch is over or this process is told to stop."""
    while not batches.leaving.is_set() and PayoutBatch.objects.get(pk=batch.pk).status == PayoutBatch.Status.RUNNING:
        if not batches.pay(batch.pk, LOOK):
            batches.check_open()
            batches.leaving.wait(LOOK)


def _line(value: Any) -> str:
    return f"line {value['line']}, {value['column']}: {value['reason']}" if isinstance(value, dict) else str(value)


def _shown(batch: PayoutBatch) -> dict[str, Any]:
    return {"batch": batch.public_id, "status": batch.status, "rows": batch.rows, "total": batch.total}


def _user(email: str) -> User:
    try:
        return User.objects.get_by_natural_key(email)
    except User.DoesNotExist:
        raise CommandError(f"there is no user {email}") from None


def _company(user: User) -> Company:
    if user.company is None:
        raise CommandError(f"{user.email} belongs to no company")
    return user.company


def _batch(public_id: str) -> PayoutBatch:
    try:
        return PayoutBatch.objects.get(public_id=public_id)
    except PayoutBatch.DoesNotExist:
        raise CommandError(f"there is no batch {public_id}") from None


def sample(rows: int) -> Iterator[str]:
    """Lines of a file, the same each time: keys of every type, values from 1 to 50 reais."""
    dice = random.Random(rows)  # noqa: S311 (a sample)
    for number in range(1, rows + 1):
        base = f"{dice.randrange(10**9):09d}"
        key = dice.choice(
            [f"pessoa{number}@exemplo.com", base + keys.check_digits(base), f"+55119{dice.randrange(10**8):08d}"]
        )
        value = dice.randrange(100, 5_000)
        yield f"pagamento-{number:07d};{key};{value // 100},{value % 100:02d};Pagamento {number}\r\n"
