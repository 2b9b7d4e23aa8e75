"""What commands over many rows have in common: a dry run, JSON, and a bar that shows how far they are."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class BatchCommand(BaseCommand):
    """A command with --dry-run and --json. It may be run twice, and at the same time."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    @contextmanager
    def bar(self, words: str, total: int, options: dict[str, Any]) -> Iterator[Callable[[int], None]]:
        """A bar on a terminal; nothing where JSON or a file is written. Call what it gives with the number of rows done."""
        hidden = options["json"] or not self.stdout.isatty()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, disable=hidden) as shown:
            task = shown.add_task(words, total=total)
            yield lambda done: shown.advance(task, done)

    def say(self, options: dict[str, Any], facts: dict[str, Any], words: str) -> None:
        """Print the facts as JSON, or the words."""
        self.stdout.write(json.dumps({"dry_run": options["dry_run"], **facts}) if options["json"] else words)
