"""Payout batches: how far each is, what is wrong with its rows, and its pause, resumption, cancellation and retry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from payments.admin.charges import COMPANY_IDS
from payments.admin.confirm import confirmed, on_each
from payments.admin.proposals import propose
from payments.admin.reason import asked, refused
from payments.admin.records import Record, link, reais, rows_link
from payments.models import Payment, PayoutBatch, PayoutChunk, PayoutProblem, PayoutRow
from payments.services import batches
from payments.services.errors import ServiceError
from payments.templatetags.batches import reason


@admin.register(PayoutBatch)
class PayoutBatchAdmin(Record):
    """Payout batches: their progress, and what operators do about them."""

    list_display = ("public_id", "created_at", "company", "name", "worth", "status", "progress", "problems")
    list_filter = ("status",)
    list_select_related = ("company",)
    search_fields = ("public_id__exact", "name", *COMPANY_IDS)
    search_help_text = _("Batch id, file name, or the company's id or tax id")
    ordering = ("-id",)
    exclude = ("total", "reserved", "hold")
    readonly_fields = (
        "worth",
        "left",
        "progress",
        "by_state",
        "payments",
        "rows_of_file",
        "found",
        "chunks",
        "entries",
    )
    actions = ("pause", "resume", "cancel", "retry")

    worth, left = reais("total", _("Value")), reais("reserved", _("Still reserved"))

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.change_payoutbatch")

    @admin.display(description=_("Ended"))
    def progress(self, batch: PayoutBatch) -> str:
        return f"{batch.confirmed + batch.failed} / {batch.rows}"

    @admin.display(description=_("Rows by state"))
    def by_state(self, batch: PayoutBatch) -> str:
        found = batches.progress(batch)
        states = ("confirmed", "failed", "unknown", "quarantined", "waiting")
        return ", ".join(f"{state} {getattr(found, state)}" for state in states)

    @admin.display(description=_("Payments"))
    def payments(self, batch: PayoutBatch) -> SafeString:
        return rows_link(Payment, _("Payments"), q=batch.public_id)

    @admin.display(description=_("Rows"))
    def rows_of_file(self, batch: PayoutBatch) -> SafeString:
        return rows_link(PayoutRow, _("Rows"), q=batch.public_id)

    @admin.display(description=_("Problems"))
    def found(self, batch: PayoutBatch) -> SafeString:
        return rows_link(PayoutProblem, _("Problems"), q=batch.public_id)

    @admin.display(description=_("Chunks"))
    def chunks(self, batch: PayoutBatch) -> SafeString:
        return rows_link(PayoutChunk, _("Chunks"), q=batch.public_id)

    @admin.display(description=_("Hold in the ledger"))
    def entries(self, batch: PayoutBatch) -> SafeString | str:
        return link(batch.hold)

    def _each(
        self, request: HttpRequest, rows: QuerySet[PayoutBatch], action: str, question: Any,
        act: Callable[[PayoutBatch], object],
    ) -> HttpResponse | None:  # fmt: skip
        if page := confirmed(self, request, rows, action, question):
            return page

        def acted(batch: PayoutBatch) -> str:
            before = str(batch)
            return f"{action}: {before} → {act(batch)}"

        on_each(self, request, rows, acted)
        return None

    @admin.action(description=_("Pause"), permissions=["act"])
    def pause(self, request: HttpRequest, rows: QuerySet[PayoutBatch]) -> HttpResponse | None:
        question = _("Send no further rows of these batches for now?")
        return self._each(request, rows, "pause", question, lambda batch: batches.pause(batch, "by an operator"))

    @admin.action(description=_("Resume"), permissions=["act"])
    def resume(self, request: HttpRequest, rows: QuerySet[PayoutBatch]) -> HttpResponse | None:
        return self._each(request, rows, "resume", _("Go on with these batches?"), batches.resume)

    @admin.action(description=_("Cancel"), permissions=["act"])
    def cancel(self, request: HttpRequest, rows: QuerySet[PayoutBatch]) -> HttpResponse | None:
        question = _("Never send the rows of these batches that were not sent?")
        return self._each(request, rows, "cancel", question, batches.cancel)

    @admin.action(description=_("Pay the failed rows again"), permissions=["act"])
    def retry(self, request: HttpRequest, rows: QuerySet[PayoutBatch]) -> HttpResponse | None:
        """The proposal has each batch's count and sum; it is not done where they have changed since."""
        question = _("Pay the failed rows of these batches again?")
        page, given = asked(self, request, rows, "retry", str(question))
        if page:
            return page
        for batch in rows:
            try:
                propose(self, request, batch, "retry_batch", given["reason"])
            except ServiceError as error:
                refused(request, batch, error)
        return None


class _OfBatch(Record):
    """Parts of a batch, found by the batch's id."""

    list_select_related = ("batch",)
    search_help_text = _("The batch's id")
    ordering = ("-id",)


@admin.register(PayoutRow)
class PayoutRowAdmin(_OfBatch):
    """The rows of a batch's file."""

    list_display = ("batch", "line", "reference", "pix_key", "worth", "comment")
    search_fields = ("batch__public_id__exact", "reference__exact", "pix_key__exact")
    exclude = ("value",)
    readonly_fields = ("worth",)

    worth = reais("value", _("Value"))


@admin.register(PayoutProblem)
class PayoutProblemAdmin(_OfBatch):
    """What is wrong with rows of a batch's file."""

    list_display = ("batch", "line", "column", "why")
    search_fields = ("batch__public_id__exact",)
    exclude = ("reason",)
    readonly_fields = ("why",)

    @admin.display(description=_("Reason"))
    def why(self, problem: PayoutProblem) -> str:
        return reason(problem.reason)


@admin.register(PayoutChunk)
class PayoutChunkAdmin(_OfBatch):
    """The chunks in which a batch is paid, with who is at them."""

    list_display = ("batch", "number", "first_line", "last_line", "is_done", "attempts", "leased_until", "at_line")
    list_filter = ("is_done",)
    search_fields = ("batch__public_id__exact",)
