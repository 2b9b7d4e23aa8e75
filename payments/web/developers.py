"""The developers' pages: webhooks, their deliveries with request and answer, and the AppIDs' names."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from payments.models import Application, WebhookDelivery, WebhookEndpoint
from payments.refusals import translated
from payments.rights import MANAGE
from payments.selectors import webhooks as select
from payments.services import webhooks
from payments.services.errors import NotFound, ServiceError
from payments.services.webhooks import deliveries
from payments.web.access import MerchantRequest, merchant, needs
from payments.web.forms import Text

PAGE = 25  # deliveries


class WebhookForm(forms.Form):
    """A new webhook."""

    name = Text(label=_("Name"), max_length=100)
    event = forms.ChoiceField(
        label=_("Event"), choices=[(name, name) for name in webhooks.EVENTS], initial=webhooks.DEFAULT_EVENT
    )
    url = Text(
        label=_("Address"),
        max_length=2000,
        widget=forms.URLInput({"placeholder": "https://", "spellcheck": "false"}),
    )
    authorization = Text(
        label=_("Authorization header"),
        max_length=500,
        required=False,
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )


@require_safe
@merchant
def show(request: MerchantRequest) -> HttpResponse:
    """The webhooks and the AppIDs."""
    context = {
        "webhooks": select.with_counts(webhooks.listing(request.company)),
        "applications": Application.objects.filter(company=request.company).order_by("-is_active", "-created_at"),
    }
    return render(request, "web/developers.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@needs(MANAGE)
@sensitive_post_parameters("authorization")
def new(request: MerchantRequest) -> HttpResponse:
    """The form of a new webhook. Its address must accept a test call; the answer shows its key, once."""
    form = WebhookForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            made = webhooks.create(request.company, **form.cleaned_data)
        except ServiceError as error:
            form.add_error(error.field if error.field in form.fields else None, translated(error))
        else:
            return render(request, "web/webhook_made.html", {"webhook": made})
    return render(request, "web/webhook_new.html", {"form": form}, status=422 if form.errors else 200)


@require_safe
@merchant
def webhook(request: MerchantRequest, public_id: str) -> HttpResponse:
    """One webhook with its deliveries."""
    found = _find(request, public_id)
    status, before = request.GET.get("status", ""), request.GET.get("before", "")
    status = status if status in WebhookDelivery.Status else ""
    older_than = int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else 0
    rows = select.deliveries(found, status, older_than, PAGE + 1)
    context = {
        "webhook": found,
        "deliveries": rows[:PAGE],
        "older": rows[PAGE - 1].pk if len(rows) > PAGE else "",
        "paged": bool(before),
        "status": status,
        "statuses": ["", *WebhookDelivery.Status.values],
    }
    return render(request, "web/parts/webhook.html" if request.htmx else "web/webhook.html", context)


@require_safe
@merchant
@needs(MANAGE)
def leave(request: MerchantRequest, public_id: str) -> HttpResponse:
    """Ask whether to delete the webhook."""
    return render(request, "web/webhook_delete.html", {"webhook": _find(request, public_id)})


@require_safe
@merchant
@needs(MANAGE)
def stop(request: MerchantRequest, public_id: str) -> HttpResponse:
    """Ask whether to pause the webhook."""
    return render(request, "web/webhook_stop.html", {"webhook": _find(request, public_id)})


@require_POST
@merchant
@needs(MANAGE)
def act(request: MerchantRequest, public_id: str, action: str) -> HttpResponse:
    """Do one of ACTIONS to the webhook. A refusal is shown on its page."""
    found = _find(request, public_id)
    try:
        messages.success(request, ACTIONS[action](request, found))
    except NotFound:  # deleted meanwhile
        raise Http404 from None
    except ServiceError as error:
        messages.error(request, translated(error))
    return redirect("web:developers") if action == "delete" else redirect("web:webhook", public_id)


def _test(request: MerchantRequest, webhook: WebhookEndpoint) -> str:
    webhooks.send_test(request.company, webhook.public_id)
    return str(_("The test call was accepted."))


def _pause(request: MerchantRequest, webhook: WebhookEndpoint) -> str:
    webhooks.change(request.company, webhook.public_id, {"is_active": False})
    return str(_("The webhook is paused: nothing is sent to it."))


def _activate(request: MerchantRequest, webhook: WebhookEndpoint) -> str:
    webhooks.change(request.company, webhook.public_id, {"is_active": True})
    return str(_("The test call was accepted: the webhook is active."))


def _delete(request: MerchantRequest, webhook: WebhookEndpoint) -> str:
    webhooks.delete(request.company, webhook.public_id)
    return str(_("The webhook is deleted."))


def _resend(request: MerchantRequest, webhook: WebhookEndpoint) -> str:
    return str(_("Deliveries that are sent again: %(count)s.")) % {"count": deliveries.resend_failed(webhook)}


ACTIONS: dict[str, Callable[[MerchantRequest, WebhookEndpoint], str]] = {
    "test": _test,
    "pause": _pause,
    "activate": _activate,
    "delete": _delete,
    "resend": _resend,
}


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@needs(MANAGE, "POST")
def delivery(request: MerchantRequest, public_id: str, event_id: UUID) -> HttpResponse:
    """One delivery, with each request and its answer; a POST sends it again."""
    found = select.delivery(request.company, public_id, event_id)
    if found is None:
        raise Http404
    if request.method == "POST":
        try:
            deliveries.resend(found)
        except ServiceError as error:
            messages.error(request, translated(error))
        else:
            messages.success(request, _("It is being sent again."))
        return redirect("web:delivery", public_id, event_id)
    return render(request, "web/parts/delivery.html" if request.htmx else "web/delivery.html", {"delivery": found})


def _find(request: MerchantRequest, public_id: str) -> WebhookEndpoint:
    return get_object_or_404(select.with_counts(webhooks.listing(request.company)), public_id=public_id)
