"""Operators' pages that are no model's, before Django's own addresses."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from payments.admin import dashboard, health, search

app_name = "operations"
guarded = admin.site.admin_view
urlpatterns = [
    path("", guarded(dashboard.show), name="dashboard"),
    path("health/", guarded(health.show), name="health"),
    path("search/", guarded(search.show), name="search"),
    path("health/check-ledger/", guarded(health.check_ledger), name="check-ledger"),
]
