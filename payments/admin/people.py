"""People who log in."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from payments.admin.records import Page
from payments.admin.second_factor import SecondFactor
from payments.models import User

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


class NewUser(AdminUserCreationForm):  # type: ignore[type-arg]
    """The form of a new user, who logs in by e-mail."""

    class Meta:
        model = User
        fields = ("email", "company")
        field_classes: dict[str, Any] = {}


@admin.register(User)
class PersonAdmin(SecondFactor, Page, UserAdmin):  # type: ignore[type-arg]
    """People are deactivated, not deleted, because the log names them."""

    add_form = NewUser
    list_display = ("email", "company", "is_staff", "is_active", "last_login")
    list_select_related = ("company",)
    list_filter = ("is_staff", "is_active")
    search_fields = ("email", "company__tax_id__exact", "company__public_id__exact")
    search_help_text = _("E-mail, or the company's id or tax id")
    ordering = ("email",)
    autocomplete_fields = ("company",)
    fieldsets = (
        (None, {"fields": ("email", "password", "second_factor", "company", "role", "is_active")}),
        (_("Operator"), {"fields": RIGHTS}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined", "second_factor")
    actions = ("switch_off",)
    add_fieldsets = ((None, {"fields": ("email", "company", "usable_password", "password1", "password2")}),)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only superusers may change another operator: whoever can set its password has its rights."""
        operator = obj is not None and (obj.is_superuser or obj.is_staff) and obj != request.user
        if operator and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Only superusers give rights; otherwise anybody who may edit people could give themselves any."""
        return self.readonly_fields if request.user.is_superuser else (*self.readonly_fields, *RIGHTS)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
