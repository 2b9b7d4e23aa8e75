"""The operators' roles, as groups that `migrate` ships: each may do what its work needs, and no more.

`migrate` sets them to what is written here, so a group of one's own is the way to another mix. Superusers alone say who is in a
group, and may do everything but decide about their own proposals.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission

APPS = ("admin", "auth", "outbox", "payments", "queue", "ratelimit")  # whose models the roles are about

RECORDS = {
    f"payments.view_{model}"
    for model in (
        *(
            "account",
            "application",
            "bankcursor",
            "bankday",
            "bankdifference",
            "charge",
            "company",
            "customer",
            "entry",
        ),
        *("ledgercheck", "ledgertransaction", "payment", "payoutbatch", "payoutchunk", "payoutproblem", "payoutrow"),
        *("pixkeymovement", "receivedpix", "refund", "setasidepix", "user", "webhookattempt", "webhookdelivery"),
        *("webhookendpoint", "proposal", "subaccount", "movementnote", "qrcode", "switch", "transferperiod"),
        *("furtherkey", "logo"),
    )
} | {"outbox.view_outboxevent", "queue.view_periodicjob"}
LOG = {"admin.view_logentry"}
ROLES: dict[str, set[str]] = {
    "Support": RECORDS,
    "Finance": RECORDS
    | LOG
    | {
        "payments.add_company",
        "payments.change_company",
        "payments.export_records",
        "payments.change_account",  # to credit or debit a merchant
        "payments.change_charge",  # to return money of one
        "payments.change_receivedpix",  # to read one again
        "payments.change_bankcursor",
        "payments.change_bankdifference",
        "payments.change_payment",
        "payments.change_payoutbatch",
        "payments.change_proposal",  # of others, and with the right of what is proposed
        "payments.change_refund",
        "payments.change_setasidepix",
        "payments.change_subaccount",  # to let it be withdrawn again
        "payments.change_webhookdelivery",
        "payments.add_ledgercheck",
    },
    "Risk": RECORDS
    | LOG
    | {
        "payments.change_application",  # its scopes and addresses, and to revoke one
        "payments.freeze_company",
        "payments.change_switch",
        "payments.change_proposal",  # of others: of rate limits
        "payments.view_rowlock",
        "payments.release_rowlock",
        "payments.view_cache",
        "payments.view_securityevent",
        "payments.change_cache",
        *(f"ratelimit.{act}_limit{kind}" for act in ("view", "add", "change", "delete") for kind in ("policy", "plan", "entry")),
    },
    "People": LOG | {"payments.view_company", "payments.view_securityevent", "payments.view_user", "payments.add_user", "payments.change_user"},
}  # fmt: skip


def ship(**_: Any) -> None:
    """Make the groups, with exactly these permissions. After each `migrate`."""
    for label in APPS:
        create_permissions(apps.get_app_config(label), verbosity=0)
    by_name = {
        f"{label}.{codename}": pk
        for pk, label, codename in Permission.objects.values_list("pk", "content_type__app_label", "codename")
    }
    for name, wanted in ROLES.items():
        group, _made = Group.objects.get_or_create(name=name)
        group.permissions.set([by_name[permission] for permission in wanted])
