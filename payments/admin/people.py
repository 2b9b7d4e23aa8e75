"""People who log in."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from payments.admin.confirm import confirmed, on_each
from payments.admin.records import Page
from payments.admin.second_factor import SecondFactor
from payments.models import User
from payments.services import passwords, people

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")
# Of a merchant's person: with another e-mail or password, an operator could log in as that person.
MERCHANTS_OWN = ("email", "company", "is_staff", "is_superuser")


class NewUser(AdminUserCreationForm):  # type: ignore[type-arg]
    """The form of a new user, who logs in by e-mail. A merchant's person chooses the password by a mailed link."""

    class Meta:
        model = User
        fields = ("email", "company")
        field_classes: dict[str, Any] = {}

    def clean(self) -> Any:
        data = super().clean() or self.cleaned_data
        if data.get("company") and data.get("set_usable_password", True):
            raise forms.ValidationError(
                _(
                    "A merchant's person chooses the password: switch the authentication by password off here, a link is mailed."
                )
            )
        return data


@admin.register(User)
class PersonAdmin(SecondFactor, Page, UserAdmin):  # type: ignore[type-arg]
    """People are deactivated, not deleted, because the log names them. Nobody here can become a merchant's person."""

    add_form = NewUser
    list_display = ("email", "company", "is_staff", "is_active", "last_login")
    list_select_related = ("company",)
    list_filter = ("is_staff", "is_active", "groups")
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
    actions = ("switch_off", "mail_link")
    add_fieldsets = ((None, {"fields": ("email", "company", "usable_password", "password1", "password2")}),)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only superusers may change another operator: whoever can set its password has its rights."""
        operator = obj is not None and (obj.is_superuser or obj.is_staff) and obj != request.user
        if operator and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Only superusers give rights; otherwise anybody who may edit people could give themselves any."""
        fixed = (*self.readonly_fields, *(MERCHANTS_OWN if obj is not None and obj.company_id else ()))
        if obj is not None and not obj.company_id:
            fixed = (*fixed, "company")  # who was an operator's person becomes no merchant's
        return fixed if request.user.is_superuser else (*fixed, *RIGHTS)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change and obj.company_id:
            people.added_by_operator(obj)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Not of a merchant's person: whoever set that password could log in as that person."""
        person = self.get_object(request, id)
        if person is not None and person.company_id:
            raise PermissionDenied
        return super().user_change_password(request, id, form_url)

    @admin.action(description=_("Mail a link to choose another password"), permissions=["change"])
    def mail_link(self, request: HttpRequest, rows: QuerySet[User]) -> HttpResponse | None:
        if page := confirmed(
            self, request, rows, "mail_link", _("Mail these people a link to choose another password?")
        ):
            return page

        def act(user: User) -> str:
            passwords.ask_for_link(user.email)
            return "A link to choose another password was mailed."

        on_each(self, request, rows, act)
        return None
