"""Times of a query, which are whole milliseconds, against times in the database, which are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db.models import Q

END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)  # callers that want no end send the last moment that there is


def between(field: str, start: datetime | None, end: datetime | None) -> Q:
    """The condition that the time `field` is from `start` to `end`, both included; the whole last millisecond too."""
    found = Q()
    if start:
        found &= Q(**{f"{field}__gte": start})
    if end and end < END_OF_TIME:
        found &= Q(**{f"{field}__lt": end + timedelta(milliseconds=1)})
    return found
