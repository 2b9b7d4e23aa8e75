"""What is wrong, in words, with what to do next; and the platform's state in four figures. For the first page and for health."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _

from payments.admin.figures import ROWS, WORK, age, figures, whole

# By the names of `selectors.health`; those of Redis' roles are one.
NEXT = {
    "proposals_open": _("Somebody else than who proposed it approves or refuses it."),
    "differences_open": _("Find out why, make it right, then choose “Resolve” and write the explanation."),
    "pix_set_aside": _("It is tried again by itself. Read why; choose “Resolve” for what was dealt with by hand."),
    "payments_unknown": _("Pick them and choose “Ask the bank”. Never send them anew."),
    "payments_quarantined": _("Choose “Ask the bank”; then “Give up” for those that the bank does not have."),
    "payments_contradicted": _("Pick them and choose “Resolve a contradiction”: another operator approves it."),
    "refunds_contradicted": _("Pick them and choose “Resolve a contradiction”: another operator approves it."),
    "outbox_oldest_seconds": _("Nothing is lost. Have an engineer see whether a relay runs."),
    "webhooks_late_seconds": _("Nothing is lost. Have an engineer see whether workers of the queue webhooks run."),
    "refunds_oldest_seconds": _("Does the bank answer? If so, have an engineer see whether workers of the queue bank run."),
    "payments_oldest_seconds": _("Does the bank answer? If so, have an engineer see whether workers of the queue payments run."),
    "chunks_oldest_seconds": _("Does the bank answer? If so, have an engineer see whether workers of the queue batches run."),
    "redis": _("The platform goes on, more slowly. Have an engineer run manage.py redis_doctor."),
    "bank": _("What is under way waits and is looked up, never sent twice. Call the bank; “Switches” stops payments out."),
    "ledger": _("Choose “Check the books now”. If a check fails, freeze the companies that it names and call an engineer."),
}  # fmt: skip
LATE = {
    "webhooks_late_seconds": "webhooks",
    "refunds_oldest_seconds": "bank",
    "payments_oldest_seconds": "payments",
    "chunks_oldest_seconds": "batches",
}


class Alert(NamedTuple):
    """Something that needs a person: its words, its number as people read it, its page, what to do, and whether it is a fault."""

    words: Any
    shown: str
    url: str
    do: Any
    bad: bool = True


def alerts(found: dict[str, Any]) -> list[Alert]:
    """Of what `selectors.health` found: all that is wrong, and what waits for a decision."""
    waits = [figure for figure in figures(found) if figure.waits]
    told = [Alert(each.words, each.shown, each.url, NEXT["proposals_open"], False) for each in waits]
    return [*(_alert(found, name) for name in found["problems"]), *told]


def _alert(found: dict[str, Any], name: str) -> Alert:
    health = reverse("operations:health")
    if name.startswith("redis_"):
        return Alert(f"Redis: {name.removeprefix('redis_')}", now_("does not answer"), health, NEXT["redis"])
    if name == "bank":
        bank = found["bank"]
        return Alert(_("Calls of the bank that failed"), f"{bank['failed']} / {bank['calls']}", health, NEXT["bank"])
    if name == "ledger":
        return Alert(_("The books"), _books(found), health, NEXT["ledger"])
    value, seconds = found["work"][name], name.endswith("seconds")
    if name in LATE:
        work, page, filters = WORK[LATE[name]]
        words: Any = _("%(work)s: the oldest waits") % {"work": work}
    else:
        words, page, filters = ROWS[name]
    url = reverse(f"admin:{page}_changelist", query=filters)
    return Alert(words, age(value) if seconds else whole(value), url, NEXT[name])


def systems(found: dict[str, Any]) -> list[Alert]:
    """The oldest waiting work, Redis, the bank and the books, well or not."""
    url, roles, bank = reverse("operations:health"), found["redis"].values(), found["bank"]
    oldest = max(queue["oldest_seconds"] for queue in found["queues"].values())
    answer, opened = (
        sum(role["answers"] for role in roles),
        sum("open" in role["breakers"].values() for role in roles),
    )
    calls = "-" if bank["calls"] is None else f"{whole(bank['calls'] - bank['failed'])} / {whole(bank['calls'])}"
    wrong = set(found["problems"])
    return [
        Alert(_("Oldest waiting work"), age(oldest), url, "", bool(wrong & set(LATE))),
        Alert(
            _("Roles of Redis that answer"),
            f"{answer} / {len(roles)}",
            url,
            _("Open breakers: %(count)s") % {"count": opened},
            answer < len(roles),
        ),
        Alert(_("Calls that the bank answered, two hours"), calls, url, "", "bank" in wrong),
        Alert(_("The books were proved"), _books(found), url, "", "ledger" in wrong),
    ]


def _books(found: dict[str, Any]) -> str:
    """When the ledger was checked, and how many checks failed."""
    ledger = found["ledger"]
    if not ledger["at"]:
        return now_("never")
    at = date_format(localtime(parse_datetime(ledger["at"])), "SHORT_DATETIME_FORMAT")
    return now_("%(at)s, %(failed)s failed") % {"at": at, "failed": ledger["failed"]} if ledger["failed"] else at
