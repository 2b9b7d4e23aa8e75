"""Rate limits under four eyes: a row in force changes, and a new one counts, once another operator has approved it.

The pages are those of `woovi.ratelimit.admin`, which knows nothing of proposals. Denied networks and subjects are at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from payments.admin.proposals import propose
from payments.admin.reason import asked, refused
from payments.services import rate_limits
from payments.services.errors import ServiceError
from payments.services.rate_limits import Limit
from woovi.ratelimit import admin as room
from woovi.ratelimit.models import LimitEntry, LimitPlan, LimitPolicy

if TYPE_CHECKING:
    _Page = room.Audited
else:
    _Page = object

ACTS = {LimitPolicy: "change_limit_policy", LimitPlan: "change_limit_plan", LimitEntry: "change_limit_entry"}


class WithReason(forms.ModelForm):  # type: ignore[type-arg]
    """A limit, and why it changes."""

    reason = forms.CharField(label=_("Reason"), max_length=200)


class FourEyes(_Page):
    """Forms and actions that propose."""

    form = WithReason
    actions = ("put_in_force", "take_out")

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"ratelimit.change_{self.model._meta.model_name}")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Of what is not in force: first it is taken out, with a reason."""
        return super().has_delete_permission(request, obj) and not (obj and obj.in_force)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change and not obj.in_force:
            return super().save_model(request, obj, form, change)  # counts for nobody: it is put in force later
        if rate_limits.at_once(obj) and form.initial.get("kind", obj.kind) == obj.kind:
            return super().save_model(request, obj, form, change)
        reason, changed = form.cleaned_data["reason"], [name for name in form.changed_data if name != "reason"]
        after = {name: rate_limits.written(form.cleaned_data[name]) for name in changed}
        if not change:
            obj.in_force = False
            super().save_model(request, obj, form, change)
            after = putting_in_force(obj)
        form.proposed = True
        try:
            if after:
                self._propose(request, obj, reason, after)
        except ServiceError as error:
            refused(request, obj, error)
        return None

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """Nothing of a change that is only proposed: that has an entry of its own."""
        if not add and getattr(form, "proposed", False):
            return ""
        message = super().construct_change_message(request, form, formsets, add)
        return f"{message} {_('Reason')}: {form.cleaned_data['reason']}"

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return super().log_change(request, obj, message) if message else None

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """Without Django's sentence that it was changed: the messages above say what was."""
        return self.response_post_save_change(request, obj)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return self.response_post_save_add(request, obj)

    @admin.action(description=_("Put in force"), permissions=["act"])
    def put_in_force(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        return self._switch(request, rows, "put_in_force", str(_("Are these limits to count?")), True)

    @admin.action(description=_("Take out of force, or lift a denial"), permissions=["act"])
    def take_out(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        return self._switch(request, rows, "take_out", str(_("Are these limits not to count any more?")), False)

    def _switch(
        self: Any, request: HttpRequest, rows: QuerySet[Any], action: str, question: str, to: bool
    ) -> HttpResponse | None:
        page, given = asked(self, request, rows, action, question)
        if page:
            return page
        for row in rows.filter(in_force=not to):
            try:
                if rate_limits.at_once(row):
                    rate_limits.change(row, in_force=to)
                    self.log_change(request, row, f"in_force: {not to} → {to}. Reason: {given['reason']}")
                else:
                    after = putting_in_force(row) if to else {"in_force": False}
                    self._propose(request, row, given["reason"], after)
            except ServiceError as error:
                refused(request, row, error)
        return None

    def _propose(self: Any, request: HttpRequest, row: Limit, reason: str, after: dict[str, Any]) -> None:
        propose(self, request, row, ACTS[type(row)], reason, after)


def putting_in_force(row: Limit) -> dict[str, Any]:
    """With all its values: what is approved is what the other operator has read, should they change meanwhile."""
    return {**rate_limits.values(row), "in_force": True}


admin.site.unregister([LimitPolicy, LimitPlan, LimitEntry])


@admin.register(LimitPolicy)
class PolicyAdmin(FourEyes, room.LimitPolicyAdmin):
    """Policies, changed by two."""


@admin.register(LimitPlan)
class PlanAdmin(FourEyes, room.LimitPlanAdmin):
    """Plans of subjects, changed by two."""


@admin.register(LimitEntry)
class EntryAdmin(FourEyes, room.LimitEntryAdmin):
    """Allowed entries by two, denied ones by one."""
