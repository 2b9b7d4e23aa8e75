"""Django's admin. Its pages are imported with the URLs and by its checks, not by every command and worker."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks


class LazyAdminConfig(SimpleAdminConfig):
    """The admin without autodiscovery at start: its pages are imported with the URLs."""

    default_site = "payments.web.operators.OperatorSite"

    def ready(self) -> None:
        checks.register(check_dependencies, checks.Tags.admin)
        checks.register(check_pages, checks.Tags.admin)


def check_pages(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """Django's check of the admin's classes, once they are all there."""
    from django.contrib import admin

    admin.autodiscover()
    return check_admin_app(app_configs)
