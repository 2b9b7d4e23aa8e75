"""What an application may be allowed: one scope a route, by Woovi's names and groups.

Source: Woovi's catalogue of scopes (docs/apis/api-scopes of woovibr/woovi-developers) and the `x-required-scope` of its OpenAPI
description. Routes for which Woovi names none have a name of the same form here: an application with scopes can call nothing
that it was not given.
"""

from __future__ import annotations

GROUPS: dict[str, tuple[str, ...]] = {
    "ACCOUNT": ("ACCOUNT_GET", "ACCOUNT_GET_LIST", "ACCOUNT_POST", "ACCOUNT_DELETE", "ACCOUNT_WITHDRAW_POST"),
    "ACCOUNT_LIMITS": ("ACCOUNT_LIMITS_GET",),
    "APPLICATION": ("APPLICATION_POST", "APPLICATION_DELETE", "APPLICATION_ROTATE_POST"),
    "CHARGE": (
        "CHARGE_GET",
        "CHARGE_GET_LIST",
        "CHARGE_POST",
        "CHARGE_PATCH",
        "CHARGE_DELETE",
        "CHARGE_BRCODE_IMAGE_GET",
        "CHARGE_IMAGE_GET",
    ),
    "CHARGE_REFUND": ("CHARGE_REFUND_GET_LIST", "CHARGE_REFUND_POST"),
    "COMPANY": ("COMPANY_GET",),
    "CUSTOMER": ("CUSTOMER_GET", "CUSTOMER_GET_LIST", "CUSTOMER_POST", "CUSTOMER_PATCH"),
    "DECODE": ("DECODE_EMV_POST",),
    "EVENT": ("EVENT_GET_LIST",),  # ours
    "GRAPHQL": ("GRAPHQL_POST",),  # ours: whatever GraphQL can do
    "PAYMENT": ("PAYMENT_GET", "PAYMENT_GET_LIST", "PAYMENT_POST", "PAYMENT_APPROVE_POST"),
    "PIX_KEY": (  # ours
        "PIX_KEY_GET_LIST",
        "PIX_KEY_POST",
        "PIX_KEY_DELETE",
        "PIX_KEY_DEFAULT_PUT",
        "PIX_KEY_CHECK_GET",
        "PIX_KEY_CHECK_POST",
        "PIX_KEY_TOKENS_GET",
        "PIX_KEY_TOKENS_GET_LIST",
    ),
    "PIX_QRCODE": ("PIX_QRCODE_GET", "PIX_QRCODE_GET_LIST", "PIX_QRCODE_POST", "PIX_QRCODE_DELETE"),
    "PSP": ("PSP_GET_LIST",),
    "REFUND": ("REFUND_GET", "REFUND_GET_LIST", "REFUND_POST"),
    "STATEMENT": ("STATEMENT_GET",),
    "SUBACCOUNT": (
        "SUBACCOUNT_GET",
        "SUBACCOUNT_GET_LIST",
        "SUBACCOUNT_POST",
        "SUBACCOUNT_DELETE",
        "SUBACCOUNT_CREDIT_POST",
        "SUBACCOUNT_DEBIT_POST",
        "SUBACCOUNT_TRANSFER_POST",
        "SUBACCOUNT_WITHDRAW_POST",
        "SUBACCOUNT_STATEMENT_GET",
    ),
    "TRANSACTION": ("TRANSACTION_GET", "TRANSACTION_GET_LIST"),
    "TRANSFER": ("TRANSFER_POST",),
    "WEBHOOK": (
        "WEBHOOK_GET_LIST",
        "WEBHOOK_POST",
        "WEBHOOK_PATCH",  # ours
        "WEBHOOK_DELETE",
        "WEBHOOK_IPS_GET",
        "WEBHOOK_EVENTS_GET_LIST",
    ),
}
# By which a program sends the company's money to others: alone, or with one person, who approves what it has made as nobody's own.
# Refunds go back to who paid, a withdrawal to the company itself.
SENDING = frozenset(
    {"PAYMENT_POST", "PAYMENT_APPROVE_POST", "TRANSFER_POST", "SUBACCOUNT_WITHDRAW_POST", "GRAPHQL_POST"}
)
ALL = tuple(scope for scopes in GROUPS.values() for scope in scopes)
