"""Lists of money: a period, the total of what is listed, and a file of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import lookup_field
from django.contrib.contenttypes.models import ContentType
from django.db.models import Count, Model, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import strip_tags
from django.utils.translation import gettext_lazy as _

from payments.admin.records import Record
from payments.money import format_reais
from payments.services.csv_lines import line, reais

MOST = 100_000  # rows of a file: more is a report's work


class Period(admin.FieldListFilter):
    """Rows of some days in local time, both included, by the address's `FIELD_from` and `FIELD_to` (YYYY-MM-DD)."""

    template = "payments_admin/period.html"

    def __init__(self, field: Any, request: HttpRequest, params: Any, model: Any, page: Any, field_path: str) -> None:
        self.start, self.end = f"{field_path}_from", f"{field_path}_to"
        self.address = [(name, value) for name, values in request.GET.lists() for value in values]
        self.others: list[tuple[str, str]] = []
        super().__init__(field, request, params, model, page, field_path)

    def expected_parameters(self) -> list[str | None]:
        return [self.start, self.end]

    def day(self, name: str) -> str:
        """What the address says, as it was sent."""
        found = cast(Any, self.used_parameters.get(name, ""))
        return str(found[-1]) if isinstance(found, list) else str(found)

    @property
    def first(self) -> str:
        return self.day(self.start)

    @property
    def last(self) -> str:
        return self.day(self.end)

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        for name, lookup, days in ((self.start, "gte", 0), (self.end, "lt", 1)):
            if text := self.day(name):
                try:
                    at = datetime.combine(date.fromisoformat(text) + timedelta(days=days), time.min)
                except (ValueError, OverflowError) as error:
                    raise IncorrectLookupParameters from error
                rows = rows.filter(**{f"{self.field_path}__{lookup}": timezone.make_aware(at)})
        return rows

    def choices(self, changelist: Any) -> Iterator[Any]:
        mine, today = {self.start, self.end, "p", "e"}, timezone.localdate()
        self.others = [(name, value) for name, value in self.address if name not in mine]
        for words, back in ((_("Any date"), None), (_("Today"), 0), (_("Past 7 days"), 6), (_("Past 30 days"), 29)):
            first = "" if back is None else (today - timedelta(days=back)).isoformat()
            query = changelist.get_query_string({self.start: first} if first else {}, [self.start, self.end])
            yield {"selected": self.first == first and not self.last, "query_string": query, "display": words}


class MoneyList(Record):
    """A list with a period, totals, and export. The total is told of a period or a search: of all would cost.

    `summed` is the field that totals add up; `in_reais` names the columns that show one, by its field.
    """

    actions: Any = ("export",)
    unbounded = ("export",)
    summed = "value"
    in_reais: ClassVar[dict[str, str]] = {"worth": "value"}

    def has_export_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.export_records")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        found: Any = super().get_changelist_instance(request)
        flat = [(name, value) for name, values in request.GET.lists() for value in values]
        if found.query or any(name.endswith(("_from", "_to")) and value for name, value in flat):
            total = found.queryset.order_by().aggregate(count=Count("pk"), value=Sum(self.summed))
            found.total = {"count": total["count"], "value": format_reais(total["value"] or 0)}
        return found

    @admin.action(description=_("Export as CSV"), permissions=["export"])
    def export(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        """The columns of the list, of the rows that are picked; who exported how many is in the log."""
        columns = [str(name) for name in self.get_list_display(request)]
        if (count := rows.count()) > MOST:
            messages.error(request, _("At most %(most)s rows: choose a shorter period.") % {"most": MOST})
            return None
        name = f"{self.model._meta.model_name}-{timezone.localtime():%Y%m%d-%H%M}.csv"
        answer = HttpResponse(content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="{name}"'
        answer["Cache-Control"] = "no-store, private"
        answer.write(line(columns))
        for row in self.exported(rows):
            answer.write(line(_cell(self, row, column) for column in columns))
        LogEntry.objects.create(
            user_id=cast(int, request.user.pk),
            content_type=ContentType.objects.get_for_model(self.model),
            action_flag=CHANGE,
            object_repr=name,
            change_message=f"Exported {count} rows of {request.get_full_path()}"[:500],
        )
        return answer

    def exported(self, rows: QuerySet[Any]) -> Iterator[Any]:
        """The rows of a file, with what its columns look up."""
        return rows.select_related(*(self.list_select_related or ())).iterator(chunk_size=1_000)  # type: ignore[misc]


def _cell(page: MoneyList, row: Model, column: str) -> str:
    """A cell as programs read it: values with a point, times in ISO 8601, no tags."""
    if column in page.in_reais:
        centavos: int | None = getattr(row, page.in_reais[column])
        return "" if centavos is None else reais(centavos)
    value = lookup_field(column, row, page)[2]
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, datetime) else strip_tags(str(value))
