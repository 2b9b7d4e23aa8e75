"""The company's logo: its change, and the picture itself, which shoppers see."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import condition, require_http_methods, require_POST, require_safe

from payments.models import Charge, Logo
from payments.refusals import translated
from payments.rights import MANAGE
from payments.selectors import charges, qr_codes
from payments.services import images, logos
from payments.services.errors import ServiceError
from payments.web.access import MerchantRequest, merchant, needs
from payments.web.preferences import LogoForm, page
from woovi.ratelimit.middleware import rate_limit

NEWEST = 1_000  # charges, among which the open ones are counted


@require_POST
@merchant
@needs(MANAGE)
def put(request: MerchantRequest) -> HttpResponse:
    """Change the logo."""
    form = LogoForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            logos.put(request.company, form.cleaned_data["logo"].read(images.LARGEST + 1))
        except ServiceError as error:
            form.add_error("logo", translated(error))
        else:
            messages.success(request, _("Your payers see this logo from now on."))
            return redirect("web:preferences")
    return page(request, None, form)


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@needs(MANAGE)
def remove(request: MerchantRequest) -> HttpResponse:
    """Ask whether to show none any more; a POST does."""
    if request.method == "POST":
        logos.remove(request.company)
        messages.success(request, _("The logo is removed: your payers see your name."))
        return redirect("web:preferences")
    newest = charges.listing(request.company).values_list("status", flat=True)[:NEWEST]
    context = {
        "charges": list(newest).count(Charge.Status.ACTIVE),
        "codes": qr_codes.listing(request.company).count(),
    }
    return render(request, "web/logo_remove.html", context)


@require_safe
@rate_limit("pay.address")
@condition(etag_func=lambda request, key: f'"{key}"')
def picture(request: HttpRequest, key: UUID) -> HttpResponse:
    """The picture, public to whoever has its unguessable address. Another one gets another address, so it may be kept."""
    found: Any = Logo.objects.filter(key=key).values_list("data", "media_type").first()
    if found is None:
        raise Http404
    kept = {"Cache-Control": "public, max-age=31536000, immutable"}
    return HttpResponse(bytes(found[0]), content_type=found[1], headers=kept)
