"""A command or a worker imports what it needs: start-up time and memory of each process hang on it."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = {"celery", "httpx", "ninja", "pydantic", "payments.admin", "payments.api", "payments.web", "strawberry"}


def loaded(*imports: str) -> set[str]:
    """The heavy modules that a new process has after `django.setup()` and `imports`."""
    code = f"import json, sys, django; django.setup(); [__import__(name) for name in {imports!r}]"
    code += "; print(json.dumps(list(sys.modules)))"
    return HEAVY & set(json.loads(subprocess.check_output([sys.executable, "-c", code], text=True)))


def test_a_command_imports_no_pages_and_no_clients() -> None:
    assert loaded() == set()
    assert loaded("payments.checks") == set()


def test_what_serves_pages_imports_them_all() -> None:
    assert loaded("woovi.urls") >= {"ninja", "pydantic", "payments.admin", "payments.api", "payments.web"}
