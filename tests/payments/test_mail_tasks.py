"""Mail whose server is away is tried again, for minutes; a code that no longer counts is not sent."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery.signals import task_retry
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend

from payments import tasks
from payments.models import User
from payments.services import second_factor
from tests.payments import making
from woovi.outbox.models import OutboxEvent


class Away(EmailBackend):
    """A mail server that fails so many times."""

    failures = 0
    error: Exception = OSError()

    def send_messages(self, messages: Any) -> int:
        if type(self).failures:
            type(self).failures -= 1
            raise self.error
        return super().send_messages(messages)


@pytest.fixture
def user(db: None, settings: Any) -> User:
    settings.EMAIL_BACKEND = f"{__name__}.Away"
    return User.objects.create_user("ana@example.com", "correct horse battery", company=making.company())


@pytest.fixture
def waits() -> Iterator[list[float]]:
    """Seconds before each try, in the order of the tries."""
    seen: list[float] = []

    def note(reason: Any, **_: Any) -> None:
        seen.append(reason.when)

    task_retry.connect(note)
    yield seen
    task_retry.disconnect(note)


def until(seconds: float) -> float:
    return time.time() + seconds


MAILS: list[tuple[Any, Callable[[], dict[str, Any]]]] = [
    (tasks.mail_new_device, lambda: {"address": "203.0.113.9", "at": "2026-01-02T03:04:05+00:00"}),
    (tasks.mail_log_in_code, lambda: {"nonce": "x", "until": until(600)}),
    (tasks.mail_second_factor, lambda: {"on": True}),
    (tasks.mail_password_link, dict),
    (tasks.mail_invitation, dict),
]
ERRORS = [smtplib.SMTPServerDisconnected("gone"), smtplib.SMTPDataError(451, b"later"), ConnectionRefusedError()]


@pytest.mark.parametrize(("task", "fields"), MAILS, ids=[task.name for task, _ in MAILS])
@pytest.mark.parametrize("error", ERRORS, ids=[type(error).__name__ for error in ERRORS])
def test_it_is_tried_again(
    user: User, waits: list[float], task: Any, fields: Callable[[], dict[str, Any]], error: Exception
) -> None:
    Away.error, Away.failures = error, 10
    task.apply(kwargs={"user_id": user.pk, **fields()})
    assert [sent.to for sent in mail.outbox] == [["ana@example.com"]]
    assert waits == [10, 20, 40, *[60] * 7]


def test_it_is_given_up_in_the_end(user: User) -> None:
    """The negative control."""
    Away.error, Away.failures = ERRORS[0], 11
    tasks.mail_second_factor.apply(kwargs={"user_id": user.pk, "on": True})
    assert (Away.failures, mail.outbox) == (0, [])


def test_a_code_that_no_longer_counts_is_not_sent(user: User) -> None:
    Away.failures = 0
    for seconds in (-1, 1):
        second_factor.send_code(user, until(600 * seconds))
    old, new = OutboxEvent.objects.filter(topic="task:mail_log_in_code").order_by("id")
    tasks.mail_log_in_code(**old.payload)
    assert mail.outbox == []
    tasks.mail_log_in_code(**new.payload)
    assert len(mail.outbox) == 1
