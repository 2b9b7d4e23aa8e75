"""Pages of payout batches: upload a file, approve it, watch it, stop it, pay failed rows again, read the result."""

from __future__ import annotations

from collections.abc import Callable

from django import forms
from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from payments.models import PayoutBatch
from payments.refusals import translated
from payments.rights import APPROVE, PAY
from payments.selectors import batches as select
from payments.services import batches, second_factor
from payments.services.batches.columns import TEMPLATE
from payments.services.errors import ServiceError
from payments.web.access import MerchantRequest, merchant, needs, require
from payments.web.downloads import streamed
from payments.web.second_factor import code_form, right_code
from payments.web.sessions import CodeForm

PAGE = 50  # batches


class UploadForm(forms.Form):
    """A file of payouts."""

    file = forms.FileField(label=_("CSV or XLSX file"))


class RetryForm(forms.Form):
    """The failed rows as they were shown, so that no others are paid."""

    count = forms.IntegerField(min_value=1)
    total = forms.IntegerField(min_value=1)


class SignatureForm(forms.Form):
    """The batch as it was shown."""

    signature = forms.CharField(max_length=64)


@require_http_methods(["GET", "HEAD", "POST"])
@merchant
@needs(PAY, "POST")
def listing(request: MerchantRequest) -> HttpResponse:
    """The batches, and the form that uploads one."""
    sent = request.method == "POST"
    form = UploadForm(request.POST, request.FILES) if sent else UploadForm()
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            batch = batches.upload(request.company, request.user, file.name, file.file)
        except ServiceError as error:
            form.add_error("file", translated(error))
        else:
            return redirect("web:batch", batch.public_id)
    found = select.listing(request.company)[:PAGE]
    return render(request, "web/batches.html", {"batches": found, "form": form}, status=422 if form.errors else 200)


@require_safe
@merchant
def show(request: MerchantRequest, public_id: str) -> HttpResponse:
    """One batch: its problems, or its progress, and what the reader may do."""
    return _page(request, _find(request, public_id))


def _page(request: MerchantRequest, batch: PayoutBatch, wrong: CodeForm | None = None) -> HttpResponse:
    count, total = batches.failed_rows(batch) if batch.status == PayoutBatch.Status.PARTIAL else (0, 0)
    context = {
        "batch": batch,
        "progress": batches.progress(batch),
        "is_maker": batch.maker_id == request.user.pk,
        "failed_count": count,
        "failed_total": total,
        "code": wrong or code_form(),
        "has_second_factor": batch.status == PayoutBatch.Status.AWAITING_APPROVAL and second_factor.is_on(request.user),
    }
    template = "web/parts/batch.html" if request.htmx else "web/batch.html"
    return render(request, template, context, status=422 if wrong else 200)


@require_safe
@merchant
@needs(PAY)
def leave(request: MerchantRequest, public_id: str) -> HttpResponse:
    """Ask whether to cancel the batch, and say what that leaves unpaid."""
    batch = _find(request, public_id)
    return render(request, "web/batch_leave.html", {"batch": batch, "progress": batches.progress(batch)})


@require_POST
@merchant
@sensitive_post_parameters("code")
def act(request: MerchantRequest, public_id: str, action: str) -> HttpResponse:
    """Do one of ACTIONS to the batch. A refusal is shown on its page."""
    batch = _find(request, public_id)
    require(request, APPROVE if action == "approve" else PAY)
    try:
        wrong = ACTIONS[action](request, batch)
    except ServiceError as error:
        messages.error(request, translated(error))
    else:
        if isinstance(wrong, CodeForm):
            return _page(request, batch, wrong)
    return redirect("web:batch", batch.public_id)


def _approve(request: MerchantRequest, batch: PayoutBatch) -> CodeForm | None:
    """Approve it with a code of the second factor. Returns the form where the code is wrong."""
    form, code = SignatureForm(request.POST), code_form(request.POST)
    if not second_factor.is_on(request.user):
        messages.error(request, _("Switch on your second factor first: who approves a payment proves it with a code."))
        return None
    if not code.is_valid() or not right_code(request, code):
        return code
    batches.approve(batch, request.user, form.cleaned_data["signature"] if form.is_valid() else "")
    return None


def _retry(request: MerchantRequest, batch: PayoutBatch) -> None:
    form = RetryForm(request.POST)
    shown = (form.cleaned_data["count"], form.cleaned_data["total"]) if form.is_valid() else (0, 0)
    batches.retry(batch, *shown)


ACTIONS: dict[str, Callable[[MerchantRequest, PayoutBatch], object]] = {
    "submit": lambda request, batch: batches.submit(batch),
    "approve": _approve,
    "pause": lambda request, batch: batches.pause(batch),
    "resume": lambda request, batch: batches.resume(batch),
    "cancel": lambda request, batch: batches.cancel(batch),
    "retry": _retry,
}


@require_safe
@merchant
def export(request: MerchantRequest, public_id: str) -> StreamingHttpResponse:
    """What came of every row, as CSV."""
    batch = _find(request, public_id)
    return streamed(request, batches.export(batch), f"{batch.public_id}.csv", "text/csv")


@require_safe
@merchant
def template(request: MerchantRequest) -> HttpResponse:
    """The file to fill in. With UTF-8's mark, without which Excel takes it for another encoding."""
    headers = {"Content-Disposition": 'attachment; filename="pagamentos.csv"'}
    return HttpResponse("\ufeff" + TEMPLATE, content_type="text/csv; charset=utf-8", headers=headers)


def _find(request: MerchantRequest, public_id: str) -> PayoutBatch:
    return get_object_or_404(select.listing(request.company), public_id=public_id)
