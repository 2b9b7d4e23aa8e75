"""Sign-up in the sandbox: a company, its owner, and on to the first charge. In production there is no such page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from payments.models import User
from payments.refusals import translated
from payments.services.errors import ServiceError
from payments.services.sign_up import sign_up
from payments.web.forms import Text
from woovi.ratelimit.middleware import charge


class SignUpForm(forms.Form):
    """A company and its owner."""

    name = Text(label=_("Company"), max_length=100, widget=forms.TextInput({"autocomplete": "organization"}))
    email = forms.EmailField(label=_("E-mail"), max_length=254, widget=forms.EmailInput({"autocomplete": "username"}))
    password = forms.CharField(
        label=_("Password"), strip=False, widget=forms.PasswordInput({"autocomplete": "new-password"})
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "password" in data:
            try:
                validate_password(data["password"], User(email=data.get("email", "")))
            except ValidationError as error:
                self.add_error("password", error)
        return data


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters("password")
def show(request: HttpRequest) -> HttpResponse:
    """The form. Whoever has signed up is logged in, in front of a new charge."""
    if settings.PRODUCTION:
        raise Http404
    form = SignUpForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        charge(request, "reset.address", "reset.network")
        try:
            user = sign_up(**form.cleaned_data)
        except ServiceError as error:
            form.add_error(error.field, translated(error))
        else:
            login(request, user)
            return redirect("web:charge-new")
    return render(request, "web/sign_up.html", {"form": form}, status=422 if form.errors else 200)
