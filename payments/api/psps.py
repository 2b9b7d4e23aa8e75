"""GET /psp: the banks and payment institutions that take part in Pix."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from payments import limits
from payments.api import answers
from payments.api.auth import company, needs
from payments.api.fields import Filters, Text255
from payments.selectors import bank_reads
from payments.services.errors import Unavailable
from woovi.cache import LoadFailed

router = Router(tags=["psp"])
Json = dict[str, Any]
MOST = 1_000  # participants, about as many as there are


class PspFilter(Filters):
    """Each filter that is given must match."""

    ispb: Text255 = ""
    name: Text255 = ""
    compe: Text255 = ""


@router.get("/psp", **needs("PSP_GET_LIST"), summary="List the participants of Pix", response=answers.of(answers.Psps))
def listing(request: HttpRequest, filters: Query[PspFilter]) -> Json:
    """The participants by name, all in one answer. The list is at most two days old."""
    with limits.rows(request, str(company(request).pk), MOST) as charged:
        try:
            found = bank_reads.participants(ispb=filters.ispb, name=filters.name, compe=filters.compe)
        except LoadFailed:
            raise Unavailable("The bank does not answer. Ask again in a moment") from None
        charged.settle(len(found))
    rows = [{"name": row.name, "ispb": row.ispb, "code": row.ispb, "compe": row.compe or None} for row in found]
    return {"success": True, "psps": rows}
