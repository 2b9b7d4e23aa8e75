"""What operators see of people's second factor: whether it is on, and a way to switch it off for who lost the phone.

Secrets and recovery codes are nobody's to see, so django-otp's own pages are taken away.
"""

from __future__ import annotations

from typing import Any

import django_otp.plugins.otp_static.admin
import django_otp.plugins.otp_totp.admin  # noqa: F401  (these register their pages, which are then taken away)
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from payments.admin.confirm import confirmed, on_each
from payments.models import User
from payments.services import second_factor
from payments.services.errors import Invalid

admin.site.unregister([TOTPDevice, StaticDevice])


class SecondFactor:
    """A part of the page of people."""

    @admin.display(description=_("Second factor"))
    def second_factor(self, user: User) -> SafeString:
        """On or off. Everybody changes it on a page of the platform's own, as merchants do."""
        state = _("On") if second_factor.is_on(user) else _("Off")
        return format_html('<a href="{}">{}</a>', reverse("web:second-factor"), state)

    @admin.action(description=_("Switch the second factor off"), permissions=["change"])
    def switch_off(self: Any, request: HttpRequest, people: QuerySet[User]) -> HttpResponse | None:
        def act(user: User) -> str:
            if not self.has_change_permission(request, user):
                raise Invalid("Only superusers may change another operator")
            second_factor.switch_off(user)
            return str(_("Second factor switched off."))

        question = _("Switch the second factor off for these people? A password will be enough to log in.")
        if answer := confirmed(self, request, people, "switch_off", question):
            return answer
        on_each(self, request, people, act)
        return None
