"""Which part of the platform answers which path."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from payments.web.sessions import OperatorLogin
from realtime.graphql.http import graphql
from woovi.health import health
from woovi.ratelimit import views as ratelimit

admin.autodiscover()

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health),
    path("metrics/ratelimit", ratelimit.metrics),
    path("", include("payments.api.urls")),
    path("graphql", graphql),
    path("admin/login/", OperatorLogin.as_view()),  # instead of the admin's own, which asks for no second factor
    path("admin/", include("payments.admin.urls")),
    path("admin/", admin.site.urls),
    path("", include("payments.web.urls")),
]

handler400 = "payments.web.errors.bad_request"
handler403 = "payments.web.errors.permission_denied"
handler404 = "payments.web.errors.not_found"
handler500 = "payments.web.errors.server_error"
