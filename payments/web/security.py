"""The page of a person's own security: the second factor, the password, the sessions, and what happened."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import authenticate
from django.contrib.auth.forms import SetPasswordForm
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from payments.models import SecurityEvent
from payments.services import second_factor
from payments.services import security as service
from payments.web.access import MerchantRequest, merchant
from payments.web.second_factor import stay


class PasswordForm(SetPasswordForm):  # type: ignore[type-arg]
    """The password of now, so that nobody who finds an open browser locks the owner out, and the new one twice."""

    field_order = ["password", "new_password1", "new_password2"]
    password = forms.CharField(
        label=_("Password of now"), strip=False, widget=forms.PasswordInput({"autocomplete": "current-password"})
    )


@require_safe
@merchant
def show(request: MerchantRequest) -> HttpResponse:
    """The page."""
    events = service.events(request.user)
    context = {
        "events": events,
        "sessions": service.sessions(request.user, events),
        "here": request.session.session_key,
        "has_second_factor": second_factor.is_on(request.user),
        "left": second_factor.recovery_codes_left(request.user),
    }
    return render(request, "web/security.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@sensitive_post_parameters()
def password(request: MerchantRequest) -> HttpResponse:
    """The form of another password. This session stays, all others end."""
    user = request.user
    form = PasswordForm(user, request.POST if request.method == "POST" else None)
    if form.is_valid():
        # Counted as a try to log in.
        if authenticate(request, username=user.email, password=form.cleaned_data["password"]) != user:
            form.add_error("password", _("The password is wrong."))
        else:
            form.save()
            stay(request, user, SecurityEvent.Kind.PASSWORD)
            messages.success(request, _("Your password is changed, and all other sessions have ended."))
            return redirect("web:security")
    context: dict[str, Any] = {"form": form, "others": _others(request)}
    return render(request, "web/security_password.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
def sessions(request: MerchantRequest) -> HttpResponse:
    """Ask whether to end all other sessions; a POST does."""
    if request.method == "POST":
        service.end_sessions(request.user)
        stay(request, request.user, SecurityEvent.Kind.OTHERS_ENDED)
        messages.success(request, _("You are logged out everywhere else."))
        return redirect("web:security")
    return render(request, "web/security_sessions.html", {"others": _others(request)})


def _others(request: MerchantRequest) -> list[SecurityEvent]:
    """The sessions but this one."""
    found = service.sessions(request.user, service.events(request.user))
    return [one for one in found if one.session_key != request.session.session_key]
