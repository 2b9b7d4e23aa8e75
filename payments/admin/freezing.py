"""Freeze and release companies: an action with a choice and a reason, by those who have the right to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from payments.admin.reason import Reason, asked
from payments.models import Company
from payments.services import freezing

NAMES = {"payments": _("Payments out"), "refunds": _("Refunds"), "charges": _("New charges")}


class What(Reason):
    """What to freeze or release."""

    kinds = forms.MultipleChoiceField(label=_("What"), choices=list(NAMES.items()), widget=forms.CheckboxSelectMultiple)
    field_order = ("kinds", "reason")


class Freezing:
    """A part of the page of companies."""

    def has_freeze_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.freeze_company")

    @admin.display(description=_("Frozen"))
    def frozen(self, company: Company) -> str:
        return ", ".join(str(NAMES[kind]) for kind in freezing.frozen(company)) or "-"

    @admin.action(description=_("Freeze"), permissions=["freeze"])
    def freeze(self, request: HttpRequest, companies: QuerySet[Company]) -> HttpResponse | None:
        return self._each(request, companies, "freeze", _("What are these companies to do no more?"), freezing.freeze)

    @admin.action(description=_("Release what is frozen"), permissions=["freeze"])
    def release(self, request: HttpRequest, companies: QuerySet[Company]) -> HttpResponse | None:
        return self._each(request, companies, "release", _("What may these companies do again?"), freezing.release)

    def _each(
        self: Any,
        request: HttpRequest,
        rows: QuerySet[Company],
        action: str,
        question: Any,
        act: Callable[..., list[str]],
    ) -> HttpResponse | None:
        page, given = asked(self, request, rows, action, str(question), What)
        if page:
            return page
        for company in rows:
            was, now = freezing.frozen(company), act(company, given["kinds"])
            values = f"{', '.join(was) or '-'} → {', '.join(now) or '-'}"
            self.log_change(request, company, f"{action}. Frozen: {values}. Reason: {given['reason']}")
            messages.success(request, _("%(company)s: frozen %(values)s.") % {"company": company, "values": values})
        return None
