"""Paths that programs call: the API under both of its prefixes, its documentation, QR images, the bank's callback."""

from __future__ import annotations

from functools import partial

from django.urls import path
from ninja.openapi.views import openapi_view

from payments.api import bank_callback, images, metrics, testing
from payments.api.app import api

_patterns, _app, _namespace = api.urls

urlpatterns = [
    path("api/v1/", (_patterns, _app, _namespace)),
    path("api/openpix/v1/", (_patterns, _app, "api-legacy")),
    path("api/docs", partial(openapi_view, api=api), name="api-docs"),
    path("api/image/qrcode/base64/<str:identifier>", images.base64_image),
    path("openpix/pixQrCode/brcode/image/<uuid:payment_link_id>.png", images.png_image),
    path("openpix/charge/brcode/image/<uuid:payment_link_id>.png", images.png_image, name="qr-png"),
    path("openpix/charge/brcode/image/<uuid:payment_link_id>.svg", images.svg_image, name="qr-svg"),
    path("openpix/testing", testing.pay),
    path("woovi/testing", testing.pay),  # as Woovi's documentation prints it
    path("metrics/work", metrics.show),
    path("metrics/api", metrics.api),
    path("bank/pix", bank_callback.receive, name="bank-callback"),
]
