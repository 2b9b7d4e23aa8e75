"""The simulator's paths."""

from __future__ import annotations

from django.urls import path

from bank_simulator.views import account, cobv, directory, pages, pix, tools
from bank_simulator.views.http import methods

urlpatterns = [
    path("oauth/token", methods(POST=pix.token)),
    path("cob", methods(GET=pix.list_charges, POST=pix.post_charge)),
    path("cob/<str:txid>", methods(PUT=pix.put_charge, GET=pix.get_charge, PATCH=pix.patch_charge)),
    path("cobv/<str:txid>", methods(PUT=cobv.put_charge, GET=cobv.get_charge, PATCH=cobv.patch_charge)),
    path("pix", methods(GET=pix.list_received)),
    path("pix/<str:end_to_end_id>", methods(GET=pix.get_received)),
    path("pix/<str:end_to_end_id>/devolucao/<str:return_id>", methods(PUT=pix.put_return, GET=pix.get_return)),
    path("webhook/<str:key>", methods(PUT=pix.put_webhook, GET=pix.get_webhook, DELETE=pix.delete_webhook)),
    path("qr/v2/cob/<str:token>", methods(GET=pix.payload)),
    path("qr/v2/cobv/<str:token>", methods(GET=cobv.payload)),
    path("sim/pix/<str:send_id>", methods(PUT=account.put_sent, GET=account.get_sent)),
    path("sim/balance", methods(GET=account.get_balance)),
    path("sim/statement", methods(GET=account.get_statement)),
    path("sim/account", methods(GET=directory.get_account)),
    path("sim/participants", methods(GET=directory.get_participants)),
    path("dict/entries/<str:key>", methods(GET=directory.get_entry, DELETE=directory.delete_entry)),
    path("dict/entries", methods(POST=directory.post_entry)),
    path("sim/pay", methods(POST=tools.pay)),
    path("sim/return", methods(POST=tools.make_return)),
    path("sim/faults", methods(GET=tools.get_faults, PUT=tools.put_faults, DELETE=tools.delete_faults)),
    path("", pages.home, name="home"),
    path("pay", pages.pay, name="pay"),
    path("paid", pages.paid, name="paid"),
    path("faults", pages.faults_page, name="faults"),
    path("static/<str:name>", pages.static, name="static"),
]
