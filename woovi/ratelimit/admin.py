"""Operators' side: limits, plans and lists to edit; who is limited now, by what, and the button that lets them go."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from woovi.ratelimit import alarm, seen, store
from woovi.ratelimit.models import LimitEntry, LimitPlan, LimitPolicy
from woovi.ratelimit.policy import Policy


class Audited(admin.ModelAdmin):  # type: ignore[type-arg]
    """The log says what a field was and what it became."""

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        if add:
            return _("Added: %(row)s.") % {"row": form.instance}
        changes = (
            f"{name}: {form.initial.get(name)!r} → {form.cleaned_data.get(name)!r}" for name in form.changed_data
        )
        return "; ".join(changes) or _("Nothing changed.")


@admin.register(LimitPolicy)
class LimitPolicyAdmin(Audited):
    """Policies by plan and subject, with who is limited now."""

    list_display = ("name", "plan", "subject", "limit", "per", "burst", "mode", "without_redis", "in_force")
    list_filter = ("mode", "plan")
    search_fields = ("name", "plan", "subject")
    change_list_template = "ratelimit/policies.html"

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.name == "name":
            field.help_text = _("One of: %(names)s") % {"names": ", ".join(sorted(store.shipped()))}
        return field

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: type[ModelForm[Any]] = super().get_form(request, obj, change, **kwargs)

        class Known(form):  # type: ignore[valid-type,misc]
            def clean(self) -> Any:
                data = super().clean() or {}
                shipped = store.shipped().get(data.get("name", ""))
                if shipped is None:
                    self.add_error("name", _("No limit of the platform has this name."))
                elif data.get("key") != shipped.key:
                    self.add_error("key", _("%(name)s counts by %(key)s.") % {"name": shipped.name, "key": shipped.key})
                return data

        return Known

    def get_urls(self) -> list[URLPattern]:
        own = self.admin_site.admin_view
        return [
            path("now/", own(self.now), name="ratelimit_now"),
            path("unblock/", own(self.unblock), name="ratelimit_unblock"),
            *super().get_urls(),
        ]

    def now(self, request: HttpRequest) -> HttpResponse:
        """Who waits, who was refused most, what shadows would have refused, and what is in force."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        limited, counts, away = [], {}, False
        try:
            seen.flush()
            limited, counts = seen.limited(), seen.counts()
        except (RedisError, OSError):
            away = True
        context = {
            **self.admin_site.each_context(request),
            "title": _("Limited now"),
            "opts": self.model._meta,
            "away": away,
            "alarm": alarm.seconds(),
            "limited": limited,
            "policies": _in_force(counts),
            "may_change": self.has_change_permission(request),
        }
        return TemplateResponse(request, "ratelimit/now.html", context)

    def unblock(self, request: HttpRequest) -> HttpResponse:
        who = request.user.pk
        if request.method != "POST" or not self.has_change_permission(request) or who is None:
            raise PermissionDenied
        policy, digest, label = (request.POST.get(name, "")[:200] for name in ("policy", "digest", "label"))
        reason = request.POST.get("reason", "").strip()[:200]
        if not reason:
            messages.error(request, _("Say why, for the log."))
            return redirect("admin:ratelimit_now")
        try:
            seen.unblock(policy, digest)
        except (RedisError, OSError):
            messages.error(request, _("Redis does not answer: try again."))
        else:
            told = _("Unblocked %(label)s. Reason: %(reason)s") % {"label": label, "reason": reason}
            LogEntry.objects.create(user_id=who, action_flag=CHANGE, object_repr=policy, change_message=told)
            free = _("%(label)s is free again for %(policy)s, everywhere within two seconds.")
            messages.success(request, free % {"label": label, "policy": policy})
        return redirect("admin:ratelimit_now")


def _in_force(counts: dict[str, dict[str, int]]) -> list[dict[str, Any]]:
    """Each policy as it counts for everybody, by name."""
    made = {row.name: row for row in LimitPolicy.objects.filter(plan="", subject="")}
    defaults = sorted(store.read().defaults.items())
    return [_row(policy, counts.get(name, {}), made.get(name)) for name, policy in defaults]


def _row(policy: Policy, counts: dict[str, int], made: LimitPolicy | None) -> dict[str, Any]:
    """A policy, what it did, and the address of the form that changes it."""
    allowed, refused, shadow = (counts.get(what, 0) for what in ("allowed", "refused", "shadow"))
    said_no = shadow if policy.mode == "shadow" else refused
    fields: dict[str, str | int] = {
        "name": policy.name,
        "key": policy.key,
        "limit": policy.limit,
        "per": f"{policy.per:g}",
        "burst": policy.burst,
        "blocks": ",".join(map(str, policy.blocks)),
        "without_redis": policy.without_redis,
        "mode": policy.mode,
    }
    add = f"{reverse('admin:ratelimit_limitpolicy_add')}?{urlencode(fields)}"
    return {
        "policy": policy,
        "mode": dict(LimitPolicy._meta.get_field("mode").flatchoices)[policy.mode],
        "allowed": allowed,
        "refused": refused,
        "shadow": shadow,
        "share": 100 * said_no / (allowed + said_no) if allowed + said_no else 0.0,
        "change": reverse("admin:ratelimit_limitpolicy_change", args=[made.pk]) if made else add,
    }


@admin.register(LimitPlan)
class LimitPlanAdmin(Audited):
    """Which subjects are on which plan."""

    list_display = ("subject", "plan", "in_force")
    list_filter = ("plan",)
    search_fields = ("subject",)


@admin.register(LimitEntry)
class LimitEntryAdmin(Audited):
    """Allowed and denied subjects and networks."""

    list_display = ("kind", "who", "until", "reason", "created_at", "in_force")
    list_filter = ("kind",)
    search_fields = ("who", "reason")
