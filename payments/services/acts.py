"""The acts of operators that take two: each with the right that it needs, the values that it changes, and what it does.

`perform` may call a bank, so it runs outside transactions, and it is safe to run twice: the service either refuses the second
run, or answers it as the first. To
put another act under four eyes, add it here and have its page call `proposals.propose`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Model

from payments.models import (
    Account,
    BankDifference,
    Charge,
    Company,
    Payment,
    PayoutBatch,
    Proposal,
    Refund,
    SetAsidePix,
)
from payments.money import format_reais
from payments.services import adjustments, batches, companies, payments, rate_limits, transfer_limits
from payments.services.charges import refunds
from payments.services.errors import Invalid
from payments.services.reconciliation import bank_days, contradictions, set_aside, suspense
from woovi.ratelimit.models import LimitEntry, LimitPlan, LimitPolicy

FEES_AND_LIMITS = ("fee_basis_points", "fee_minimum", "fee_maximum", *transfer_limits.LIMITS)


@dataclass(frozen=True)
class Act:
    """An act on a row of `model`.

    Args:
        permission: what proposer and decider need.
        before: the values that it changes, as they are; raises Invalid where the act makes no sense.
        perform: does it with the row and the proposal, and returns what came of it.
        repeatable: a second run for the same proposal answers as the first, although `before` holds no longer.
    """

    model: type[Model]
    permission: str
    before: Callable[[Any], dict[str, Any]]
    perform: Callable[[Any, Proposal], str]
    repeatable: bool = False


def _terms(company: Company) -> dict[str, Any]:
    return {field: getattr(company, field) for field in FEES_AND_LIMITS}


def _difference(row: BankDifference) -> dict[str, Any]:
    if row.status != BankDifference.Status.OPEN:
        raise Invalid("This difference is not open any more")
    return {"status": row.status, "bank_value": row.bank_value, "our_value": row.our_value}


def _set_aside(row: SetAsidePix) -> dict[str, Any]:
    if row.resolved_at:
        raise Invalid("This Pix is resolved already")
    return {"resolved": False}


def _contradicted(refund: Refund) -> dict[str, Any]:
    if refund.contradicted_at is None:
        raise Invalid("The bank does not contradict this refund")
    return {"status": refund.status}


def _contradicted_payment(payment: Payment) -> dict[str, Any]:
    if payment.contradicted_at is None:
        raise Invalid("The bank does not contradict this payment")
    return {"status": payment.status}


def _rejected(refund: Refund) -> dict[str, Any]:
    return {"status": refund.status, "left": suspense.left(refund)}


def _failed_rows(batch: PayoutBatch) -> dict[str, Any]:
    rows, value = batches.failed_rows(batch)
    if batch.status != PayoutBatch.Status.PARTIAL:
        raise Invalid(f"The batch is {batch.status}")
    if not rows:
        raise Invalid("No row has failed")
    return {"rows": rows, "value": value, "round": batch.round}


def _resolve_difference(row: BankDifference, proposal: Proposal) -> str:
    bank_days.resolve(row, proposal.reason)
    return "Resolved."


def _resolve_set_aside(row: SetAsidePix, proposal: Proposal) -> str:
    set_aside.resolve(row, proposal.reason)
    return "Resolved: it is not tried again."


def _change_terms(company: Company, proposal: Proposal) -> str:
    companies.update_terms(company, **proposal.after)
    return "Changed."


def _change_limit(row: rate_limits.Limit, proposal: Proposal) -> str:
    rate_limits.change(row, **proposal.after)
    return f"In force within two seconds: {row}" if row.in_force else "Out of force within two seconds."


def _paid(charge: Charge) -> dict[str, Any]:
    if charge.status != Charge.Status.COMPLETED:
        raise Invalid("The charge is not paid")
    if not charge.left:
        raise Invalid("value must be from 1 to what is left of the charge, 0 centavos", "value")
    return {"left": charge.left}


def _refund(charge: Charge, proposal: Proposal) -> str:
    """The correlationID is the proposal's, so that it is asked for once."""
    made = refunds.request(
        charge.company, charge, f"operator-{proposal.public_id}", proposal.after["value"], maker=proposal.proposer
    )
    return f"Asked for, as refund {made.public_id}."


def _adjustable(account: Account) -> dict[str, Any]:
    """Nothing is kept of the balance: it goes on moving, and the outcome says what it was and became."""
    adjustments.check(account)
    return {}


def _adjust(account: Account, proposal: Proposal) -> str:
    """The correlationID is the proposal's, so that it is booked once; `check_ledger` looks for both."""
    given = proposal.after
    before, after = adjustments.adjust(account, given["value"], f"operator-{proposal.public_id}", given.get("note", ""))
    if before == after:
        return "Booked before its process died."
    return f"Booked. Available: {format_reais(before)} → {format_reais(after)}"


ACTS: dict[str, Act] = {
    "change_terms": Act(Company, "payments.change_company", _terms, _change_terms, repeatable=True),
    "resolve_difference": Act(BankDifference, "payments.change_bankdifference", _difference, _resolve_difference),
    "resolve_set_aside": Act(SetAsidePix, "payments.change_setasidepix", _set_aside, _resolve_set_aside),
    "resolve_contradiction": Act(
        Refund, "payments.change_refund", _contradicted,
        lambda refund, _: f"The bank was asked: it is {contradictions.resolve(refund).status} now.",
    ),
    "correct_payment": Act(
        Payment, "payments.change_payment", _contradicted_payment,
        lambda payment, _: f"The bank was asked: it is {payments.correct(payment).status} now.",
    ),
    "retry_suspense": Act(
        Refund, "payments.change_refund", _rejected,
        lambda refund, _: f"Asked for again, as refund {suspense.retry(refund).public_id}.",
    ),
    "credit_suspense": Act(
        Refund, "payments.change_refund", _rejected,
        lambda refund, _: f"Booked as transaction {suspense.credit(refund).pk}.",
    ),
    "adjust": Act(Account, "payments.change_account", _adjustable, _adjust, repeatable=True),
    "refund": Act(Charge, "payments.change_charge", _paid, _refund, repeatable=True),
    **{
        act: Act(model, f"ratelimit.change_{model._meta.model_name}", rate_limits.values, _change_limit, repeatable=True)
        for act, model in (
            ("change_limit_policy", LimitPolicy),
            ("change_limit_plan", LimitPlan),
            ("change_limit_entry", LimitEntry),
        )
    },
    "retry_batch": Act(
        PayoutBatch, "payments.change_payoutbatch", _failed_rows,
        lambda batch, proposal: f"Now {batches.retry(batch, proposal.before['rows'], proposal.before['value'])}.",
    ),
}  # fmt: skip
