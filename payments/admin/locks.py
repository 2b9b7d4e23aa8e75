"""Who holds which row and who waits for it, what locks did in the last day, and taking a row from one that hangs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.apps import apps
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from payments.admin.records import Record, link
from payments.models import RowLock
from woovi.locks import FencedModel, holders, metrics
from woovi.locks.holders import Held

REDIS_ERRORS = (RedisError, OSError)


class Reason(forms.Form):
    """The reason for the log; and the holder's fence, so that no later holder loses the row."""

    reason = forms.CharField(max_length=200)
    fence = forms.IntegerField(widget=forms.HiddenInput)


@dataclass(frozen=True)
class Line:
    """A held row as the page shows it."""

    held: Held
    name: str  # of the model
    row: models.Model | None  # None if the row does not exist or its model is unknown

    @property
    def link(self) -> SafeString | str:
        """The row, as a link if the admin has a page for it."""
        shown = self.row is not None and admin.site.is_registered(type(self.row))
        return link(self.row, f"{self.held.pk}: {self.row}") if shown else self.held.pk

    @property
    def holder(self) -> tuple[str, str]:
        """Host and process of the holder."""
        return party(self.held.owner)

    @property
    def waiting(self) -> list[tuple[str, str, float]]:
        """Host, process and seconds waited of each waiter."""
        return [(*party(waiter.owner), waiter.seconds) for waiter in self.held.waiting]


def party(owner: str) -> tuple[str, str]:
    """Host and process of an owner id, host/process/random.number."""
    host, process, _ = owner.split("/", 2)
    return host, process


def lines(found: list[Held]) -> list[Line]:
    """Held rows with their models and rows, by one query for each model; most waiters first, then longest held."""
    shown = []
    for label in {held.label for held in found}:
        model, mine = fenced(label), [held for held in found if held.label == label]
        rows = model._base_manager.in_bulk([pk for held in mine if (pk := key(model, held.pk))]) if model else {}
        name = str(model._meta.verbose_name) if model else label
        shown += [Line(held, name, rows.get(key(model, held.pk)) if model else None) for held in mine]
    return sorted(shown, key=lambda line: (-len(line.held.waiting), -line.held.seconds_held))


def fenced(label: str) -> type[FencedModel] | None:
    """The model of a label; None if the lock is on a name, not on a row."""
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        return None
    return model if issubclass(model, FencedModel) else None


def key(model: type[models.Model], pk: str) -> Any:
    """A primary key as its model's type; None if it does not fit."""
    try:
        return model._meta.pk.to_python(pk)
    except ValidationError:
        return None


@admin.register(RowLock)
class RowLockAdmin(Record):
    """The list is read from Redis. Its only action raises the row's fence, so that the holder can no longer write."""

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        return [
            path("", guarded(self.changelist_view), name="payments_rowlock_changelist"),
            path("<str:label>/<str:pk>/release/", guarded(self.release), name="payments_rowlock_release"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context: dict[str, Any] = {"may_release": self.may_release(request), "read_at": timezone.now()}
        try:
            context["lines"] = lines(holders.current())
            context["limit"] = holders.LIMIT
            counts, context["processes"] = metrics.everywhere()
            context["counts"] = [figures(label, each) for label, each in sorted(counts.items())]
        except REDIS_ERRORS:
            context |= {"away": True, "refuses": settings.LOCKS_WITHOUT_REDIS == "refuse"}
        return self.page(request, "payments_admin/locks.html", _("Row locks"), context)

    def release(self, request: HttpRequest, label: str, pk: str) -> HttpResponse:
        """Ask for a reason, then take the row from its holder. The log entry is written first."""
        if not self.may_release(request):
            raise PermissionDenied
        back = HttpResponseRedirect(reverse("admin:payments_rowlock_changelist"))
        try:
            held = holders.look(label, pk)
        except REDIS_ERRORS:
            messages.error(request, _("Redis does not answer: nothing was released."))
            return back
        if held is None:
            messages.warning(request, _("Nobody holds this row any more."))
            return back
        (line,) = lines([held])
        if line.row is None:
            raise Http404  # a lock on a name, not on a row, ends with its lease
        form = Reason(request.POST or None, initial={"fence": line.held.fence})
        if not form.is_valid():
            context = {"line": line, "form": form}
            return self.page(request, "payments_admin/lock_release.html", _("Take this row away?"), context)
        if (
            form.cleaned_data["fence"] != line.held.fence
        ):  # a holder that comes after this check is fenced out, which is safe
            messages.warning(request, _("Somebody else holds the row by now: nothing was released."))
            return back
        self.take_away(request, line, form.cleaned_data["reason"])
        return back

    def take_away(self, request: HttpRequest, line: Line, reason: str) -> None:
        """Log it, release the row, and say in a message what happened."""
        assert line.row
        facts = f"from {line.held.owner}, fence {line.held.fence}, {len(line.held.waiting)} waiting"
        self.log_change(request, line.row, f"Lock taken {facts}. Reason: {reason}")
        try:
            fenced_out = holders.force_release(type(line.row), line.row.pk)
        except REDIS_ERRORS:
            self.log_change(request, line.row, "Lock not taken: Redis did not answer.")
            messages.error(request, _("Redis does not answer: nothing was released."))
            return
        if fenced_out:
            messages.success(request, _("The row is free. Who held it cannot write it any more."))
        else:
            self.log_change(request, line.row, "Its holder's transaction is open and keeps the row until it ends.")
            messages.warning(
                request, _("The lock is free, but its holder's transaction is open: the database keeps the row for it.")
            )

    def may_release(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.release_rowlock")

    def page(self, request: HttpRequest, template: str, title: str, context: dict[str, Any]) -> HttpResponse:
        shared = {**self.admin_site.each_context(request), "title": title, "opts": self.model._meta}
        return TemplateResponse(
            request, template, {**shared, **context}, headers={"Cache-Control": "no-store, private"}
        )


def figures(label: str, counts: metrics.Counts) -> dict[str, Any]:
    """What happened to one model's locks, with means in milliseconds."""
    model, taken = fenced(label), counts["taken"] or 1
    return {
        **counts,
        "name": str(model._meta.verbose_name) if model else label,
        "wait": counts["waited"] / taken * 1000,
        "longest_wait": counts["longest_wait"] * 1000,
        "hold": counts["held"] / taken * 1000,
        "longest_hold": counts["longest_hold"] * 1000,
    }
