"""Which part of the simulator answers which path."""

from __future__ import annotations

from django.urls import path

from bank_simulator.views import own, pages, pix
from bank_simulator.views.http import methods

urlpatterns = [
    path("oauth/token", methods(POST=pix.token)),
    path("cob", methods(GET=pix.list_charges, POST=pix.post_charge)),
    path("cob/<str:txid>", methods(PUT=pix.put_charge, GET=pix.get_charge, PATCH=pix.patch_charge)),
    path("pix", methods(GET=pix.list_received)),
    path("pix/<str:end_to_end_id>", methods(GET=pix.get_received)),
    path("pix/<str:end_to_end_id>/devolucao/<str:return_id>", methods(PUT=pix.put_return, GET=pix.get_return)),
    path("webhook/<str:key>", methods(PUT=pix.put_webhook, GET=pix.get_webhook, DELETE=pix.delete_webhook)),
    path("qr/v2/cob/<str:token>", methods(GET=pix.payload)),
    path("sim/pix/<str:send_id>", methods(PUT=own.put_sent, GET=own.get_sent)),
    path("sim/balance", methods(GET=own.get_balance)),
    path("sim/statement", methods(GET=own.get_statement)),
    path("sim/pay", methods(POST=own.pay)),
    path("sim/return", methods(POST=own.make_return)),
    path("sim/faults", methods(GET=own.get_faults, PUT=own.put_faults, DELETE=own.delete_faults)),
    path("", pages.home, name="home"),
    path("pay", pages.pay, name="pay"),
    path("paid", pages.paid, name="paid"),
    path("faults", pages.faults_page, name="faults"),
    path("static/<str:name>", pages.static, name="static"),
]
