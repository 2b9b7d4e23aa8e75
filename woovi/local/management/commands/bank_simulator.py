"""Run the simulated bank."""

from __future__ import annotations

import os
import sys
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Run the simulated bank: a process with its own settings, schema and books (docs/bank.md)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=urlsplit(settings.BANK_URL).port or 8100)

    def handle(self, *args: Any, **options: Any) -> None:
        # Becomes the simulator, so that signals and exit codes are the simulator's own.
        arguments = [sys.executable, "-m", settings.BANK_SIMULATOR, "--port", str(options["port"])]
        os.execv(sys.executable, arguments)  # noqa: S606
