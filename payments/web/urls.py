"""Merchants' pages."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.templatetags.static import static
from django.urls import path, re_path
from django.views.generic import RedirectView
from django.views.i18n import set_language

from payments.web import (
    batches,
    charges,
    dashboard,
    developers,
    docs,
    passwords,
    pay,
    payments,
    refunds,
    second_factor,
    sessions,
    sign_up,
    statement,
    team,
)

app_name = "web"
urlpatterns = [
    path("", dashboard.show, name="dashboard"),
    path("balance", dashboard.balance, name="balance"),
    path("charges", charges.listing, name="charges"),
    path("charges/new", charges.blank, name="charge-new"),
    path("charges/new/<uuid:correlation_id>", charges.new, name="charge-form"),
    path("charges/<slug:public_id>", charges.show, name="charge"),
    path("charges/<slug:public_id>/refund", refunds.new, name="refund"),
    path("developers", developers.show, name="developers"),
    path("developers/webhooks/new", developers.new, name="webhook-new"),
    path("developers/webhooks/<slug:public_id>", developers.webhook, name="webhook"),
    path("developers/webhooks/<slug:public_id>/leave", developers.leave, name="webhook-leave"),
    path("developers/webhooks/<slug:public_id>/<uuid:event_id>", developers.delivery, name="delivery"),
    re_path(
        rf"^developers/webhooks/(?P<public_id>\w+)/(?P<action>{'|'.join(developers.ACTIONS)})$",
        developers.act,
        name="webhook-act",
    ),
    path("team", team.show, name="team"),
    re_path(rf"^team/(?P<user_id>\d{{1,18}})/(?P<action>{'|'.join(team.ACTIONS)})$", team.act, name="team-act"),
    path("statement", statement.show, name="statement"),
    re_path(r"^statement\.(?P<form>csv|ofx)$", statement.export, name="statement-file"),
    re_path(r"^receipts/(?P<kind>pix|refund|payment)/(?P<public_id>\w+)$", statement.receipt, name="receipt"),
    path("payments", payments.listing, name="payments"),
    path("payments/new", payments.blank, name="payment-new"),
    path("payments/new/<uuid:correlation_id>", payments.new, name="payment-form"),
    path("payments/<slug:public_id>", payments.show, name="payment"),
    re_path(
        rf"^payments/(?P<public_id>\w+)/(?P<action>{'|'.join(payments.ACTIONS)})$", payments.act, name="payment-act"
    ),
    path("batches", batches.listing, name="batches"),
    path("batches/template.csv", batches.template, name="batch-template"),
    path("batches/<slug:public_id>", batches.show, name="batch"),
    path("batches/<slug:public_id>/result.csv", batches.export, name="batch-export"),
    re_path(rf"^batches/(?P<public_id>\w+)/(?P<action>{'|'.join(batches.ACTIONS)})$", batches.act, name="batch-act"),
    path("pay/<uuid:payment_link_id>", pay.show, name="pay"),
    re_path(r"^pay(?:/|$)", pay.missing),
    path("docs", docs.show, name="docs"),
    path("docs/<slug:slug>", docs.show, name="doc"),
    path("signup", sign_up.show, name="sign-up"),
    path("login", sessions.Login.as_view(), name="login"),
    path("login/code", sessions.code, name="login-code"),
    path("password", passwords.forgotten, name="password"),
    path("password/<uidb64>/<token>", passwords.Choose.as_view(), name="password-choose"),
    path("second-factor", second_factor.show, name="second-factor"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("language", set_language, name="language"),
    # Browsers ask for it where a page, such as the admin's, names no icon.
    path("favicon.ico", RedirectView.as_view(url=static("payments/mark.svg"))),
]
