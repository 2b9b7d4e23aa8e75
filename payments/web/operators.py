"""The operators' admin: in production, nobody without a second factor is let in; and its pages by what they are about."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from payments.services import second_factor

GROUPS = {
    _("Money in"): ("payments.charge", "payments.receivedpix", "payments.refund", "payments.qrcode"),
    _("Payments out"): (
        *("payments.payment", "payments.payoutbatch", "payments.payoutrow", "payments.payoutproblem"),
        *("payments.payoutchunk", "payments.transferperiod", "payments.pixkeymovement"),
    ),
    _("Companies and people"): (
        *("payments.company", "payments.user", "payments.application", "payments.customer", "payments.subaccount"),
        *("payments.furtherkey", "payments.logo", "payments.securityevent", "auth.group"),
    ),
    _("Operators' acts"): ("payments.proposal", "admin.logentry", "payments.switch"),
    _("Ledger"): (
        *("payments.account", "payments.entry", "payments.ledgertransaction", "payments.movementnote"),
        "payments.ledgercheck",
    ),
    _("The bank"): ("payments.bankdifference", "payments.setasidepix", "payments.bankday", "payments.bankcursor"),
    _("Webhooks"): (
        *("payments.webhookdelivery", "payments.webhookendpoint", "payments.webhookattempt"),
        "outbox.outboxevent",
    ),
    _("Rate limits"): ("ratelimit.limitpolicy", "ratelimit.limitplan", "ratelimit.limitentry"),
    _("Platform"): ("payments.rowlock", "payments.cache", "queue.periodicjob"),
}


class OperatorSite(AdminSite):
    """Django's site, for staff who have a second factor. Who has it was asked for a code when logging in."""

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The pages that this operator may see, by what they are about; Django lists them by where their code is."""
        if app_label:
            return list(super().get_app_list(request, app_label))
        apps = self._build_app_dict(request).values()
        pages = {model["model"]._meta.label_lower: model for app in apps for model in app["models"]}
        found = [
            {"name": name, "models": [pages[label] for label in labels if label in pages]}
            for name, labels in GROUPS.items()
        ]
        return [group for group in found if group["models"]]

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and not lacks_factor(request)


def lacks_factor(request: HttpRequest) -> bool:
    """Whether this is an operator who must switch a second factor on first. Asked once a request."""
    user: Any = request.user
    if not settings.OPERATOR_SECOND_FACTOR or not user.is_staff:
        return False
    if not hasattr(request, "lacks_factor"):
        request.lacks_factor = not second_factor.is_on(user)  # type: ignore[attr-defined]
    return bool(request.lacks_factor)  # type: ignore[attr-defined]
