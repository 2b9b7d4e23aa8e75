"""The figures of work that waits or is in doubt, in words, each with the list of its rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _

from payments.money import format_reais

# The figures of `selectors.work` by their words, and the list that shows the rows.
ROWS: dict[str, tuple[Any, str, dict[str, str]]] = {
    "proposals_open": (
        _("Proposals that wait for a second operator"),
        "payments_proposal",
        {"status__exact": "PROPOSED"},
    ),
    "differences_open": (_("Differences from the bank, open"), "payments_bankdifference", {"status__exact": "OPEN"}),
    "pix_set_aside": (_("Pix set aside"), "payments_setasidepix", {"resolved_at__isempty": "1"}),
    "payments_unknown": (_("Payments whose end is unknown"), "payments_payment", {"unknown": "1"}),
    "payments_quarantined": (_("Payments in quarantine"), "payments_payment", {"status__exact": "QUARANTINED"}),
    "payments_contradicted": (_("Payments that the bank contradicts"), "payments_payment", {"unknown": "2"}),
    "refunds_contradicted": (_("Refunds that the bank contradicts"), "payments_refund", {"contradicted": "1"}),
    "webhooks_failed": (
        _("Webhooks given up in the last day"),
        "payments_webhookdelivery",
        {"status__exact": "FAILED"},
    ),
    "suspense_centavos": (_("In suspense, not on its way back"), "payments_account", {"kind__exact": "SUSPENSE"}),
    "outbox_waiting": (_("Events that wait for a relay"), "outbox_outboxevent", {"relayed_at__isempty": "1"}),
    "outbox_oldest_seconds": (_("The oldest of them waits"), "outbox_outboxevent", {"relayed_at__isempty": "1"}),
    "batches_running": (_("Batches that are being paid"), "payments_payoutbatch", {"status__exact": "RUNNING"}),
    "requeued_total": (_("Lost or late messages that a sweep put again, ever"), "queue_periodicjob", {}),
    "chunks_in_doubt": (_("Chunks that a worker left behind"), "payments_payoutchunk", {"is_done__exact": "0"}),
}
WORK = {
    "webhooks": (_("Webhooks"), "payments_webhookdelivery", {"status__exact": "PENDING"}),
    "bank": (_("Refunds"), "payments_refund", {"status__exact": "IN_PROCESSING"}),
    "payments": (_("Payments"), "payments_payment", {"status__exact": "PROCESSING"}),
    "batches": (_("Chunks of batches"), "payments_payoutchunk", {"is_done__exact": "0"}),
}


class Figure(NamedTuple):
    """A number of the page: its words, the number as people read it, its rows, and whether it is a problem."""

    words: Any
    shown: str
    url: str
    bad: bool
    waits: bool = False  # for a person, though nothing is wrong


def figures(found: dict[str, Any]) -> Iterator[Figure]:
    """The figures of work that waits or is in doubt."""
    for name, (words, page, filters) in ROWS.items():
        value = found["work"][name]
        shown = format_reais(value) if name.endswith("centavos") else age(value) if "seconds" in name else whole(value)
        url, waits = reverse(f"admin:{page}_changelist", query=filters), name == "proposals_open" and value > 0
        yield Figure(words, shown, url, name in found["problems"], waits)


def whole(number: float) -> str:
    """A count as people read it: 1.234.567."""
    return str(number_format(int(number), force_grouping=True))


def age(seconds: float) -> str:
    """A time as people read it: 45 s, 12 min, 3 h, 2 d."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def queues(found: dict[str, Any]) -> Iterator[tuple[str, Figure, str]]:
    """Each queue: its name, what waits, and since when."""
    for name, (words, page, filters) in WORK.items():
        waits = found["queues"][name]
        late = f"{'refunds' if name == 'bank' else name}_{'late' if name == 'webhooks' else 'oldest'}_seconds"
        url = reverse(f"admin:{page}_changelist", query=filters)
        yield (
            name,
            Figure(words, whole(waits["waiting"]), url, late in found["problems"]),
            age(waits["oldest_seconds"]),
        )
