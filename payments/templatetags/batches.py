"""What services say about a payout batch, in English, in the reader's language."""

from __future__ import annotations

import re

from django import template
from django.utils.translation import gettext_lazy as _

register = template.Library()

# The pattern of a reason that a row of a file cannot be paid, or that a batch is paused, and the sentence for pages.
REASONS = [
    ("holds a line break", _("holds a line break: a quote before it is left open")),
    (r"must be 1 to (?P<most>\d+) characters", _("must be 1 to %(most)s characters")),
    (r"must be at most (?P<most>\d+) characters", _("must be at most %(most)s characters")),
    ("not an e-mail address of at most 77", _("not an e-mail address of at most 77 characters")),
    ("not a phone number with country code", _("not a phone number with country code, such as +5511987654321")),
    ("not a valid CPF or CNPJ", _("not a valid CPF or CNPJ, nor another Pix key")),
    ("is out of range", _("is out of range")),
    ("is more than the limit of one payment, (?P<most>.+)", _("is more than the limit of one payment, %(most)s")),
    ("is no value in reais", _("is no value in reais, such as 1.234,56")),
    ("the row is hidden", _("the row is hidden: show it in the spreadsheet, or delete it")),
    (r"is that of line (?P<line>\d+) too", _("is that of line %(line)s too")),
    ("was used for another payment", _("was used for another payment")),
    ("is in another batch", _("is in another batch")),
    ("The company's payments are frozen", _("The operators have frozen payments of this company.")),
    (
        "Rows were changed after the approval",
        _("Rows were changed after the approval: nothing more is sent. Talk to us."),
    ),
    ("by an operator", _("An operator paused it.")),
]


@register.filter
def reason(text: str) -> str:
    """The sentence in the reader's language; what has none is shown as it is."""
    for pattern, words in REASONS:
        if match := re.match(pattern, text):
            return str(words) % match.groupdict()
    return text
