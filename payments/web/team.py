"""The team's page: who belongs to the company, with which role; invitations."""

from __future__ import annotations

from collections.abc import Callable

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_otp.plugins.otp_totp.models import TOTPDevice

from payments.models import User
from payments.refusals import translated
from payments.rights import APPROVE, MANAGE, PAY, RIGHTS
from payments.services import people
from payments.services.errors import ServiceError
from payments.web.access import MerchantRequest, merchant, needs
from woovi.ratelimit import device
from woovi.ratelimit.middleware import charge

Role = User.Role
MEANINGS = [
    (Role.OWNER, _("does everything, and manages team and developers")),
    (Role.FINANCE, _("makes charges and refunds, and payments for others to approve")),
    (Role.APPROVER, _("approves or denies payments and batches, and makes none")),
    (Role.VIEWER, _("looks, and changes nothing")),
]
LEFT = [
    (MANAGE, _("People who then manage the team")),
    (PAY, _("People who then make payments")),
    (APPROVE, _("People who then approve them")),
]


class InviteForm(forms.Form):
    """Who is invited, as what."""

    email = forms.EmailField(label=_("E-mail"), max_length=254, widget=forms.EmailInput({"autocomplete": "off"}))
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.VIEWER)


class RoleForm(forms.Form):
    """The role that a person shall have."""

    role = forms.ChoiceField(choices=Role.choices)


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@needs(MANAGE)
def show(request: MerchantRequest) -> HttpResponse:
    """The people, and the form that invites one."""
    form = InviteForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        email = form.cleaned_data["email"]
        charge(request, "reset.account", account=device.account_of(email))  # mails to one mailbox
        try:
            people.invite(request.company, email, form.cleaned_data["role"])
        except ServiceError as error:
            form.add_error("email", translated(error))
        else:
            messages.success(request, _("The invitation is on its way."))
            return redirect("web:team")
    found = list(people.listing(request.company))
    phones = set(TOTPDevice.objects.filter(user__in=found, confirmed=True).values_list("user_id", flat=True))
    context = {
        "people": [(person, person.pk in phones) for person in found],
        "form": form,
        "roles": Role.choices,
        "meanings": [(role.label, words) for role, words in MEANINGS],
    }
    return render(request, "web/team.html", context, status=422 if form.errors else 200)


@require_safe
@merchant
@needs(MANAGE)
def leave(request: MerchantRequest, user_id: int) -> HttpResponse:
    """Ask whether to switch a person off, and say who is left."""
    person = get_object_or_404(people.listing(request.company), pk=user_id, is_active=True)
    others = people.listing(request.company).filter(is_active=True).exclude(pk=person.pk)
    left = [RIGHTS[role] for role in others.values_list("role", flat=True)]
    counts = [(words, sum(right in rights for rights in left)) for right, words in LEFT]
    return render(request, "web/team_leave.html", {"person": person, "counts": counts})


@require_POST
@merchant
@needs(MANAGE)
def act(request: MerchantRequest, user_id: int, action: str) -> HttpResponse:
    """Do one of ACTIONS to a person. A refusal is shown on the page."""
    person = get_object_or_404(people.listing(request.company), pk=user_id)
    try:
        ACTIONS[action](request, person)
    except ServiceError as error:
        messages.error(request, translated(error))
    return redirect("web:team")


def _invite(request: MerchantRequest, person: User) -> None:
    charge(request, "reset.account", account=device.account_of(person.email))
    people.invite_again(request.company, person.pk)
    messages.success(request, _("The invitation is on its way."))


def _role(request: MerchantRequest, person: User) -> None:
    form = RoleForm(request.POST)
    if form.is_valid():
        changed = people.set_role(request.company, person.pk, form.cleaned_data["role"])
        told = {"email": changed.email, "role": changed.get_role_display()}
        messages.success(request, _("%(email)s: %(role)s.") % told)


def _off(request: MerchantRequest, person: User) -> None:
    people.set_active(request.company, person.pk, False)
    messages.success(request, _("%(email)s is switched off and logged out everywhere.") % {"email": person.email})


def _on(request: MerchantRequest, person: User) -> None:
    people.set_active(request.company, person.pk, True)
    messages.success(request, _("%(email)s may log in again.") % {"email": person.email})


ACTIONS: dict[str, Callable[[MerchantRequest, User], None]] = {
    "invite": _invite,
    "role": _role,
    "off": _off,
    "on": _on,
}
