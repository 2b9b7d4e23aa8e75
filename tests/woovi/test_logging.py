"""What breaks in a process can be read in its output, and what clients send cannot."""

from __future__ import annotations

import httpx
import pytest

from tests.processes import Process, free_port, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_exception_of_a_request_leaves_its_traceback() -> None:
    port = free_port()
    command = ("-m", "uvicorn", "woovi.asgi:application", "--port", str(port), "--no-access-log")
    with Process(*command, DJANGO_SETTINGS_MODULE="tests.woovi.failing_settings") as web:
        web.wait_for("Uvicorn running")
        url = f"http://127.0.0.1:{port}/api/broken"
        answer = httpx.get(url, params={"q": "cpf-11144477735"}, headers={"Authorization": "a-secret"})
        wait_until(lambda: "a mistake of ours" in web.log())
        log = web.log()
    assert (answer.status_code, answer.json()) == (500, {"error": "Internal Server Error"})
    assert "ERROR django.request" in log
    assert "Traceback" in log
    assert "failing_urls.py" in log
    assert "cpf-11144477735" not in log
    assert "a-secret" not in log


def test_a_workers_lines_have_the_same_form() -> None:
    command = ("-m", "celery", "-A", "woovi", "worker", "--loglevel", "INFO")
    with Process(*command) as worker:
        worker.wait_for("INFO celery.apps.worker: ")
