"""Log in. Django does the work; the messages and the next page are ours."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.shortcuts import resolve_url
from django.utils.translation import gettext_lazy as _


class LoginForm(AuthenticationForm):
    """One message for an unknown e-mail, a wrong password and a deactivated person, so that it gives nothing away."""

    error_messages = {key: _("E-mail or password is wrong.") for key in ("invalid_login", "inactive")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.attrs["autocomplete"] = "username"
        self.fields["username"].widget.input_type = "email"


class Login(LoginView):
    """The log-in page; afterwards operators go to the admin."""

    template_name = "web/login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True

    def get_default_redirect_url(self) -> str:
        user = self.request.user
        operator = user.is_authenticated and user.company is None and user.is_staff
        return resolve_url("admin:index" if operator else "web:dashboard")
