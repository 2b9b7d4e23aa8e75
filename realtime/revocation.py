"""When a user's or an application's rights change, its connections check their access at once."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib.auth.signals import user_logged_out
from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.http import HttpRequest

from payments.models import Application, User
from realtime.access import application_subject, user_subject
from woovi import pubsub


@receiver(user_logged_out)
def _logged_out(user: User | None, request: HttpRequest, **_: Any) -> None:
    if user is not None:
        request.session.flush()  # Django would end it after this signal, and the connection could still find it
        _after_commit(user_subject(user))


@receiver(post_save, sender=User)
def _user_changed(instance: User, created: bool, update_fields: frozenset[str] | None, **_: Any) -> None:
    if not created and update_fields != frozenset({"last_login"}):
        _after_commit(user_subject(instance))


@receiver(post_save, sender=Application)
def _application_changed(instance: Application, created: bool, **_: Any) -> None:
    if not created:
        _after_commit(application_subject(instance))


def _after_commit(subject: str) -> None:
    transaction.on_commit(partial(pubsub.revoke, subject))
