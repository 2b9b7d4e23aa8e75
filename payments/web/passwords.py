"""Forgotten passwords: ask for a mail, follow its link, choose another. The second factor is asked for as ever."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.views import PasswordResetConfirmView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from payments.models import SecurityEvent
from payments.services import passwords, security
from woovi.ratelimit import device
from woovi.ratelimit.middleware import charge

STRANGERS = ("reset.address", "reset.network", "reset.account")
ACQUAINTANCES = ("reset.device",)


class ForgottenForm(forms.Form):
    """Whose password it is."""

    email = forms.EmailField(
        label=_("E-mail"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )


@never_cache
def forgotten(request: HttpRequest) -> HttpResponse:
    """Send the mail. Known and unknown e-mails cost and take the same, and get the same answer."""
    form = ForgottenForm(request.POST or None)
    if form.is_valid():
        email = form.cleaned_data["email"]
        account = device.account_of(email)
        known = device.known(request.COOKIES, email)
        # As at the log-in: who uses up the account's mails from elsewhere takes none from the owner's browser.
        names = STRANGERS if known is None else ACQUAINTANCES
        charge(request, *names, account=account, device=f"{account} {known}")
        passwords.ask_for_link(email)
        return render(request, "web/password_sent.html")
    return render(request, "web/password_forgotten.html", {"form": form})


class Choose(PasswordResetConfirmView):
    """Choose the new password. The link's token is moved to the session, so that it is in no later address."""

    template_name = "web/password_choose.html"
    success_url = reverse_lazy("web:login")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, _("Your password was changed. Log in with the new one."))
        changed = super().form_valid(form)
        security.note(form.user, SecurityEvent.Kind.PASSWORD, self.request)
        return changed
