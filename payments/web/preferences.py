"""The page of what a company likes: how long its charges last, and its logo."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from payments.rights import MANAGE
from payments.services import companies, images
from payments.web.access import MerchantRequest, merchant, needs
from payments.web.charge_form import ChargeForm


class LifeForm(forms.Form):
    """How long a charge may be paid where nobody says it."""

    # The empty one is shown where operators have chosen a time that is none of these.
    expires_in = forms.TypedChoiceField(
        label=_("A new charge expires in"), choices=[("", "—"), *ChargeForm.EXPIRIES], coerce=int
    )


class LogoForm(forms.Form):
    """A picture."""

    logo = forms.FileField(
        label=_("Picture"), widget=forms.FileInput({"accept": "image/png,image/jpeg,image/webp"}), max_length=255
    )


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@needs(MANAGE)
def show(request: MerchantRequest) -> HttpResponse:
    """The page; a POST changes how long charges last."""
    form = LifeForm(request.POST) if request.method == "POST" else None
    if form and form.is_valid():
        companies.update_terms(request.company, charge_expires_in=form.cleaned_data["expires_in"])
        messages.success(request, _("New charges last so long from now on."))
        return redirect("web:preferences")
    return page(request, form, None)


def page(request: MerchantRequest, life: LifeForm | None, logo: LogoForm | None) -> HttpResponse:
    """The page with the form that was refused, if one was."""
    context = {
        "life": life or LifeForm(initial={"expires_in": request.company.charge_expires_in}),
        "logo": logo or LogoForm(),
        "most": images.MOST,
        "least": images.LEAST,
        "kilobytes": images.LARGEST // 1000,
    }
    return render(request, "web/preferences.html", context, status=422 if life or logo else 200)
