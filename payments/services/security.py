"""A person's log-ins: note them and what changed, say which sessions there are, and end all but one."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.models import Session
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from payments.models import SecurityEvent, User

KEPT = 20  # events of each person: addresses are personal data, and nobody reads further back
Kind = SecurityEvent.Kind
# Names by what a browser sends as User-Agent; the first that is in it. Chrome says that it is Safari too, and so on.
BROWSERS = [("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari")]
SYSTEMS = [
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS", "macOS"), ("Linux", "Linux"),
]  # fmt: skip


def note(user: User, kind: SecurityEvent.Kind, request: HttpRequest) -> None:
    """Write down that this has happened, and in which session of theirs, if in one; the oldest go."""
    own = request.user == user  # else a stranger's, who has followed a link for a new password
    if own and not request.session.session_key:
        request.session.save()
    SecurityEvent.objects.create(
        user=user,
        kind=kind,
        address=str(getattr(request, "limit_address", None) or "") or None,
        browser=browser(request.headers.get("User-Agent", "")),
        session_key=(request.session.session_key or "") if own else "",
    )
    old = SecurityEvent.objects.filter(user=user).order_by("-id").values_list("pk", flat=True)[KEPT:]
    SecurityEvent.objects.filter(pk__in=list(old)).delete()


@receiver(user_logged_in)
def _logged_in(sender: object, request: HttpRequest | None, user: Any, **_: object) -> None:
    # One that did not come through the middleware is no browser's: a test's, or a command's.
    if request is not None and hasattr(request, "limit_who"):
        note(user, Kind.LOG_IN, request)


def browser(agent: str) -> str:
    """A User-Agent as people know it: "Chrome, Windows"."""
    found = (next((name for mark, name in names if mark in agent), "") for names in (BROWSERS, SYSTEMS))
    return ", ".join(name for name in found if name)


def events(user: User) -> list[SecurityEvent]:
    """What happened, newest first."""
    return list(SecurityEvent.objects.filter(user=user).order_by("-id"))


def sessions(user: User, found: list[SecurityEvent]) -> list[SecurityEvent]:
    """Of these events of the user's, the newest of each session that still counts. One that began before the password or the
    second factor changed counts no longer."""
    since = user.credentials_changed_at
    newest = {one.session_key: one for one in reversed(found) if one.session_key and (not since or one.at >= since)}
    alive = Session.objects.filter(pk__in=list(newest), expire_date__gt=timezone.now())
    keys = set(alive.values_list("pk", flat=True))
    return sorted((one for key, one in newest.items() if key in keys), key=lambda one: one.pk, reverse=True)


def end_sessions(user: User) -> None:
    """End all sessions of the user, and forget the known browsers, as a new password does."""
    user.credentials_changed_at = timezone.now()
    user.save(update_fields=["credentials_changed_at"])
