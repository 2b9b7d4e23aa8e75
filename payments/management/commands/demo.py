"""`manage.py demo`: the whole flow through the public API, on the running system, or on one that it starts."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from payments.management.demo.clients import Merchant, Shopper
from payments.management.demo.scenario import Scenario
from woovi.local import running


class Command(BaseCommand):
    help = "Drive charges, payments, webhooks and a refund through the public API and check each step."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the steps as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console(stderr=options["json"])
        with running_system(console) as system:
            scenario = Scenario(Merchant(system["web"], system["app_id"]), Shopper(system["bank"]), check_ledger)
            try:
                rows = play(scenario, console)
            finally:
                scenario.close()
        failed = sum(not ok for _, ok, _ in rows)
        if options["json"]:
            steps = [{"step": step, "passed": ok, "seen": seen} for step, ok, seen in rows]
            self.stdout.write(json.dumps({"passed": len(rows) - failed, "failed": failed, "steps": steps}))
        else:
            console.print(table(rows))
            self.stdout.write(f"{len(rows) - failed} passed, {failed} failed")
        if failed:
            sys.exit(1)


def play(scenario: Scenario, console: Console) -> list[tuple[str, bool, str]]:
    """Run the steps. After a failure the remaining steps are not tried and count as failed."""
    rows: list[tuple[str, bool, str]] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)
        for name, step in scenario.steps():
            progress.update(task, description=name)
            if rows and not rows[-1][1]:
                rows.append((name, False, "not tried"))
                continue
            try:
                rows.append((name, True, step()))
            except (RuntimeError, OSError, LookupError) as error:
                rows.append((name, False, str(error)))
    return rows


def table(rows: list[tuple[str, bool, str]]) -> Table:
    """The steps and their results, for a terminal."""
    result = Table("step", "", "what was seen", box=None, pad_edge=False)
    for name, ok, seen in rows:
        result.add_row(name, "[green]passed[/]" if ok else "[red]failed[/]", seen)
    return result


def check_ledger() -> str:
    """Run `manage.py check_ledger`. Raises RuntimeError with its last line if an invariant is broken."""
    output = io.StringIO()
    try:
        call_command("check_ledger", stdout=output, stderr=output)
    except (SystemExit, CommandError) as error:
        raise RuntimeError(output.getvalue().strip().rpartition("\n")[2]) from error
    return output.getvalue().strip().rpartition("\n")[2]


@contextlib.contextmanager
def running_system(console: Console) -> Iterator[running.System]:
    """The system that runs on this data directory; if none does, start one and stop it afterwards."""
    if system := running.find(settings.DATA_DIR):
        yield system
        return
    console.print("Nothing runs here yet: starting a system of its own.")
    try:
        with running.started(settings.DATA_DIR) as system:
            yield system
    except running.DidNotStartError as error:
        raise CommandError(str(error)) from error
