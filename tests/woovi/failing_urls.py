"""A page that breaks, behind the platform's own door."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from woovi import urls


def broken(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError("a mistake of ours")


urlpatterns = [path("api/broken", broken), *urls.urlpatterns]
handler500 = urls.handler500
