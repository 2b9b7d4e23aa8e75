"""The page where a person, merchant's or operator, switches the second factor on and off."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

import segno
from django import forms
from django.contrib import messages
from django.contrib.auth import authenticate, update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from payments.models import SecurityEvent, User
from payments.refusals import translated
from payments.services import second_factor, security
from payments.services.errors import ServiceError
from payments.web.sessions import CodeForm
from woovi.ratelimit import device
from woovi.ratelimit.login import CODE, attempt

KEY = "offered_second_factor"  # key of the session: shown, not yet confirmed
OFFERED_FOR = 600  # seconds; whoever saw the page longer ago knows another secret
SHOWN = 220  # pixels of the QR code


class OnForm(CodeForm):
    """The password too, so that nobody who finds an open browser locks the owner out."""

    field_order = ["password", "code"]
    password = forms.CharField(
        label=_("Password"), strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        self.fields["code"].widget.attrs.pop("autofocus")


@login_required
@never_cache
@sensitive_post_parameters("password", "code")
def show(request: HttpRequest) -> HttpResponse:
    """What is on, and the forms to change it. Each needs a code."""
    return _while_on(request) if second_factor.is_on(_user(request)) else _while_off(request)


def _while_off(request: HttpRequest) -> HttpResponse:
    user, form = _user(request), OnForm(request.POST or None)
    secret = _secret(request)
    if form.is_valid():
        if authenticate(request, username=user.email, password=form.cleaned_data["password"]) != user:
            form.add_error("password", _("The password is wrong."))
        elif codes := _done(request, form, lambda code: second_factor.switch_on(user, secret, code)):
            del request.session[KEY]
            stay(request, user, SecurityEvent.Kind.FACTOR_ON)
            return render(request, "web/recovery_codes.html", {"codes": codes})
    context = {
        "form": form,
        "qr": segno.make(second_factor.address(user, secret)).svg_data_uri(scale=4, border=2),
        "size": SHOWN,
        "secret": second_factor.for_typing(secret),
    }
    return render(request, "web/second_factor_off.html", context)


def _secret(request: HttpRequest) -> str:
    """What this session is offered. A reload keeps it, for a while."""
    offered = request.session.get(KEY)
    if offered is None or offered["until"] < time.time():
        offered = {"secret": second_factor.new_secret(), "until": time.time() + OFFERED_FOR}
        request.session[KEY] = offered
    return str(offered["secret"])


def _while_on(request: HttpRequest) -> HttpResponse:
    user, form = _user(request), CodeForm(request.POST or None)
    if form.is_valid() and _done(request, form, lambda code: second_factor.check(user, code)):
        if "recovery" in request.POST:
            codes = second_factor.new_recovery_codes(user)
            return render(request, "web/recovery_codes.html", {"codes": codes})
        second_factor.switch_off(user)
        stay(request, user, SecurityEvent.Kind.FACTOR_OFF)
        messages.success(request, _("The second factor is off."))
        return redirect("web:second-factor")
    context = {"form": form, "left": second_factor.recovery_codes_left(user)}
    return render(request, "web/second_factor_on.html", context)


def stay(request: HttpRequest, user: User, kind: SecurityEvent.Kind) -> None:
    """Keep this session and this known browser, where the user's others end; and note what has ended them."""
    update_session_auth_hash(request, user)
    device.trust(request, user)
    security.note(user, kind, request)


def right_code(request: HttpRequest, form: CodeForm) -> bool:
    """Whether the form's `code` is one of the person's second factor, counted as a try. If not, an error at the field."""
    return bool(_done(request, form, lambda code: second_factor.check(_user(request), code)))


def proves(request: HttpRequest, form: CodeForm) -> bool:
    """As `right_code`, and an error at the field where the person has no second factor."""
    if not second_factor.is_on(_user(request)):
        form.add_error("code", _("Switch on your second factor first."))
        return False
    return right_code(request, form)


def code_form(data: Any = None) -> CodeForm:
    """A form of a code on a page where it is not the first thing to type."""
    form = CodeForm(data)
    form.fields["code"].widget.attrs.pop("autofocus")
    return form


def _done(request: HttpRequest, form: CodeForm, act: Callable[[str], Any]) -> Any:
    """What `act` returns for the form's code, counted as a try. Something false, and an error at the field, if it fails."""
    done: Any = None
    refusal: ServiceError | None = None
    with attempt(request, _user(request).email, CODE) as tried:
        try:
            done = act(form.cleaned_data["code"])
        except ServiceError as error:
            refusal = error
        if done:
            tried.succeeded()
    if not done:
        form.add_error("code", translated(refusal) if refusal else _("This code is wrong, or was used before."))
    return done


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)
