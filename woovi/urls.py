"""Which part of the platform answers which path."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from woovi.health import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health),
    path("", include("payments.api.urls")),
]
