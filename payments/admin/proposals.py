"""What waits for a second operator, and what became of it; approve, refuse, withdraw."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from payments.admin.confirm import confirmed
from payments.admin.reason import asked, refused
from payments.admin.records import Page, Record, link
from payments.models import Proposal, User
from payments.money import format_reais
from payments.refusals import translated
from payments.services import proposals
from payments.services.acts import ACTS
from payments.services.errors import ServiceError
from payments.services.transfer_limits import LIMITS

NAMES = {
    "change_terms": _("Change fees or limits"),
    "resolve_difference": _("Resolve a difference from the bank"),
    "resolve_set_aside": _("Resolve a Pix set aside"),
    "resolve_contradiction": _("Book what the bank says of a refund"),
    "correct_payment": _("Book what the bank says of a payment"),
    "retry_suspense": _("Return out of suspense again"),
    "credit_suspense": _("Give a merchant what cannot be returned"),
    "adjust": _("Credit or debit a merchant"),
    "refund": _("Return money to a payer"),
    "retry_batch": _("Pay failed rows again"),
    "change_limit_policy": _("Change a rate limit"),
    "change_limit_plan": _("Change a plan of rate limits"),
    "change_limit_entry": _("Change who is never counted"),
}
# What proposals keep that is no field of their row.
OTHERS = {
    "value": _("Value"),
    "left": _("Left"),
    "note": _("What the merchant's statement says"),
    "rows": _("Rows"),
    "resolved": _("Resolved"),
}
CENTAVOS = {"value", "left", "fee_minimum", "fee_maximum", "bank_value", "our_value", *LIMITS}


def propose(
    page: Page, request: HttpRequest, row: Model, act: str, reason: str, after: dict[str, Any] | None = None
) -> Proposal:
    """Propose an act on a row, tell the operator, and log it. Raises Invalid as the service."""
    made = proposals.propose(cast(User, request.user), act, row, reason, after)
    page.log_change(request, row, f"Proposed {made.public_id}: {act}. {changes(made)} Reason: {reason}"[:500])
    told = _("%(row)s: proposed. Another operator approves it.") % {"row": row}
    messages.success(request, format_html("{} {}", told, link(made, str(_("The proposal")))))
    return made


def changes(proposal: Proposal) -> str:
    """Old and new values for the log: `fee_minimum: R$ 0,50 → R$ 0,10`, and those that only count with them: `limit: 100`."""
    return "; ".join(_lines(proposal, str))


def in_words(proposal: Proposal) -> list[str]:
    """The same with the fields' names in the reader's language."""
    return _lines(proposal, lambda field: _field_name(proposal, field))


def _lines(proposal: Proposal, named: Callable[[str], str]) -> list[str]:
    before, after = proposal.before, proposal.after
    if not after:
        return [f"{named(field)}: {_value(field, value)}" for field, value in before.items()]
    return [
        f"{named(field)}: {_value(field, value)}"
        if field in before and before[field] == value
        else f"{named(field)}: {_value(field, before.get(field))} → {_value(field, value)}"
        for field, value in after.items()
    ]


def _field_name(proposal: Proposal, field: str) -> str:
    if field in OTHERS or proposal.act not in ACTS:
        return str(OTHERS.get(field, field))
    return capfirst(str(getattr(ACTS[proposal.act].model._meta.get_field(field), "verbose_name", field)))


def _value(field: str, value: Any) -> str:
    if value is None or value == "":
        return "-"
    return format_reais(value) if field in CENTAVOS else str(value)


@admin.register(Proposal)
class ProposalAdmin(Record):
    """Proposals, newest first. Who proposed one does not approve it; deciding needs the right of the act itself, too."""

    list_display = ("created_at", "what", "row", "change", "proposer", "reason", "status", "decider")
    list_filter = ("status",)
    list_select_related = ("company", "proposer", "decider")
    search_fields = ("public_id__exact", "proposer__email__exact", "decider__email__exact")
    search_help_text = _("Proposal id, or the e-mail of who proposed or decided")
    ordering = ("-id",)
    fields = readonly_fields = (
        *("public_id", "what", "row", "company", "change", "reason", "proposer", "created_at"),
        *("status", "decider", "decided_at", "outcome"),
    )
    actions = ("approve", "refuse")

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.change_proposal")

    @admin.display(description=_("What"))
    def what(self, proposal: Proposal) -> str:
        return str(NAMES.get(proposal.act, proposal.act))

    @admin.display(description=_("Of"))
    def row(self, proposal: Proposal) -> SafeString | str:
        model = ACTS[proposal.act].model if proposal.act in ACTS else None
        return link(model(pk=proposal.target), proposal.subject) if model else proposal.subject

    @admin.display(description=_("Old and new values"))
    def change(self, proposal: Proposal) -> SafeString:
        return format_html_join("", "<div>{}</div>", ((line,) for line in in_words(proposal)))

    @admin.action(description=_("Approve: it is done at once"), permissions=["decide"])
    def approve(self, request: HttpRequest, rows: QuerySet[Proposal]) -> HttpResponse | None:
        question = _("Approve these proposals? They are done at once.")
        if page := confirmed(self, request, rows, "approve", question, lambda each: (self._in_words(each), "")):
            return page
        self._each(request, rows, "Approved", lambda each: proposals.approve(each, cast(User, request.user)))
        return None

    @admin.action(description=_("Refuse, or withdraw one's own"), permissions=["decide"])
    def refuse(self, request: HttpRequest, rows: QuerySet[Proposal]) -> HttpResponse | None:
        page, given = asked(self, request, rows, "refuse", str(_("Refuse these proposals?")))
        if page:
            return page

        def act(proposal: Proposal) -> Proposal:
            return proposals.refuse(proposal, cast(User, request.user), given["reason"])

        self._each(request, rows, f"Refused. Reason: {given['reason']}", act)
        return None

    def _in_words(self, proposal: Proposal) -> str:
        return f"{'; '.join(in_words(proposal))}. {proposal.reason} ({proposal.proposer})"

    def _each(
        self, request: HttpRequest, rows: QuerySet[Proposal], words: str, act: Callable[[Proposal], Proposal]
    ) -> None:
        for proposal in rows:
            try:
                ended = act(proposal)
            except ServiceError as error:
                refused(request, proposal, error)
                continue
            told = f"{words} {ended.public_id}: {ended.status}. {ended.outcome}"
            self.log_change(request, ended, told[:500])
            row = ACTS[ended.act].model._default_manager.filter(pk=ended.target).first()
            if row is not None:
                self.log_change(request, row, f"{told} {changes(ended)}"[:500])
            if ended.status == Proposal.Status.FAILED:
                messages.error(request, f"{ended}: {translated(ServiceError(ended.outcome))}")
            else:
                messages.success(request, f"{ended}: {ended.get_status_display()}. {ended.outcome}")
