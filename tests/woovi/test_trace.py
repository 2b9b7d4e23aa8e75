"""A caller's trace goes with the request into the log, the outbox, the message, the task and its log lines."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from celery import Task
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from woovi import outbox, queue, trace
from woovi.celery import app
from woovi.outbox.models import OutboxEvent

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
GIVEN = f"00-{TRACE}-00f067aa0ba902b7-01"


def line() -> str:
    record = logging.LogRecord("woovi", logging.INFO, "", 0, "said", (), None)
    trace.WithTrace().filter(record)
    return f"{record.msg}{record.__dict__['trace']}"


def ask(**headers: str) -> str:
    """The traceparent inside of a request."""

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(trace.current())

    answer = trace.middleware(view)(RequestFactory().get("/", headers=headers))
    assert isinstance(answer, HttpResponse)
    assert trace.current() == ""
    return answer.content.decode()


def test_a_request_goes_on_with_its_callers_trace_under_an_id_of_its_own() -> None:
    inside = ask(traceparent=GIVEN)
    assert inside.startswith(f"00-{TRACE}-")
    assert inside.endswith("-01")
    assert inside != GIVEN


def test_a_later_versions_further_fields_are_let_be() -> None:
    assert ask(traceparent=f"cc-{GIVEN[3:]}-what-the-future-brings").startswith(f"00-{TRACE}-")


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "x",
        GIVEN.upper(),
        GIVEN + "-more",
        "ff" + GIVEN[2:],
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        GIVEN + "\n",
    ],
)
def test_a_trace_that_is_not_well_formed_is_left_and_another_begun(wrong: str) -> None:
    with trace.following(wrong):
        assert TRACE not in trace.current()
        assert len(trace.current()) == 55


def test_log_lines_name_it_and_others_name_none() -> None:
    with trace.following(GIVEN):
        assert line() == f"said trace={TRACE}"
    assert line() == "said"


@pytest.mark.django_db(transaction=True)
def test_the_outbox_and_the_queue_hand_it_to_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(app, "send_task", lambda name, **options: sent.append({"name": name, **options}))
    with trace.following(GIVEN), transaction.atomic():
        outbox.write("task:send_payment", "1", {"payment_id": 7})
        outbox.write("payment.approved", "1", {"payment_id": 7})
    task, public = OutboxEvent.objects.order_by("id")
    assert public.payload == {"payment_id": 7}, "what others read is as it was"
    queue.carry([task])
    assert sent[0]["kwargs"] == {"payment_id": 7}
    assert sent[0]["headers"]["traceparent"][3:35] == TRACE


def test_a_task_runs_in_the_trace_of_its_message_and_the_thread_forgets_it() -> None:
    seen: list[str] = []

    @app.task(name="tests.traced", bind=True)
    def traced(self: Task) -> None:
        seen.append(trace.current())

    try:
        traced.apply(headers={"traceparent": GIVEN})
        traced.apply()
    finally:
        app.tasks.unregister("tests.traced")
    assert seen[0][3:35] == TRACE
    assert TRACE not in seen[1]
    assert trace.current() == ""
