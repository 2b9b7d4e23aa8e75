"""Log in: the password, then a code where one is asked for. Nobody is logged in before both were right."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render, resolve_url
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from payments.models import User
from payments.services import second_factor
from payments.web.operators import lacks_factor
from woovi.ratelimit import alarm, device
from woovi.ratelimit.login import CODE, attempt
from woovi.ratelimit.middleware import charge

PENDING = "log_in"  # key of the session
PATIENCE = 600  # seconds between the password and the code


class LoginForm(AuthenticationForm):
    """One message for an unknown e-mail, a wrong password and a deactivated person, so that it gives nothing away."""

    error_messages = {key: _("E-mail or password is wrong.") for key in ("invalid_login", "inactive")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.attrs["autocomplete"] = "username"
        self.fields["username"].widget.input_type = "email"


class Login(LoginView):
    """The log-in page of merchants and operators."""

    template_name = "web/login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user: Any = form.get_user()
        account, until = device.account_of(user.email), time.time() + PATIENCE
        if second_factor.is_on(user):
            nonce = ""
        elif device.known(self.request.COOKIES, user.email) is None and alarm.seconds():
            charge(self.request, "login.code.mail", account=account)
            nonce = second_factor.send_code(user, until)
        else:
            return super().form_valid(form)
        self.request.session.cycle_key()
        self.request.session[PENDING] = {
            "user": user.pk,
            "password": user.get_session_auth_hash(),
            "until": until,
            "next": self.get_redirect_url(),
            "nonce": nonce,
        }
        return redirect("web:login-code")

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        return super().get_context_data(**context, sandbox=not settings.PRODUCTION)

    def get_default_redirect_url(self) -> str:
        return _home(self.request.user)


class OperatorLogin(Login):
    """The same page at the admin's address. Who is logged in and comes back here is no operator."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and not request.user.is_staff:
            raise PermissionDenied
        if lacks_factor(request):
            messages.warning(request, _("Operators need a second factor. Switch it on, then open the admin again."))
            return redirect("web:second-factor")
        return super().dispatch(request, *args, **kwargs)

    def get_default_redirect_url(self) -> str:
        return resolve_url("admin:index")


class CodeForm(forms.Form):
    """A code of six digits, or a recovery code."""

    code = forms.CharField(
        label=_("Code"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}),
    )


class Pending(NamedTuple):
    """Somebody whose password was right."""

    user: User
    next: str
    nonce: str  # of the mail with the code; empty where a phone makes it


@never_cache
@sensitive_post_parameters("code")
def code(request: HttpRequest) -> HttpResponse:
    """Ask for the code, and log in."""
    pending = _pending(request)
    if pending is None:
        return redirect("web:login")
    form = CodeForm(request.POST or None)
    if form.is_valid():
        if _is_right(request, pending, form.cleaned_data["code"]):
            del request.session[PENDING]
            login(request, pending.user)
            return redirect(pending.next or _home(pending.user))
        form.add_error("code", _("This code is wrong, or was used before."))
    return render(request, "web/login_code.html", {"form": form, "by_mail": bool(pending.nonce)})


def _pending(request: HttpRequest) -> Pending | None:
    """Who has given the password in this session, within the last ten minutes; and has not changed it since."""
    told = request.session.get(PENDING)
    if told is None or told["until"] < time.time():
        return None
    user = User.objects.filter(pk=told["user"], is_active=True).first()
    if user is None or not constant_time_compare(user.get_session_auth_hash(), told["password"]):
        return None
    return Pending(user, told["next"], told["nonce"])


def _is_right(request: HttpRequest, pending: Pending, code: str) -> bool:
    with attempt(request, pending.user.email, CODE) as tried:
        if pending.nonce:
            right = second_factor.check_mailed(pending.user, pending.nonce, code)
        else:
            right = second_factor.check(pending.user, code)
        if right:
            tried.succeeded()
    return right


def _home(user: Any) -> str:
    operator = user.is_authenticated and user.company is None and user.is_staff
    return resolve_url("admin:index" if operator else "web:dashboard")
