"""A service's refusal in the reader's language."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from django.utils import translation

from payments import refusals
from payments.refusals import translated
from payments.services import frozen, pix_key_tokens
from payments.services.batches import xml_parts
from payments.services.errors import Invalid, Unavailable
from payments.services.payments import approving
from payments.services.payments import creating as creating_payments
from payments.services.subaccounts import moving, opening

PAYMENTS = Path(refusals.__file__).parent


@cache
def told() -> list[str]:
    """What services and the admin refuse with, with 7 wherever they fill something in."""
    texts = [
        text for part in ("services", "admin") for path in (PAYMENTS / part).rglob("*.py") for text in told_by(path)
    ]
    texts += [f"The company's {kind} are frozen" for kind in frozen.KINDS]
    texts += [*approving.DECIDED.values(), approving.CONFIRMED, xml_parts.TOO_LARGE]
    texts += [moving.MAIN_TOO_LOW, moving.TOO_LOW, moving.EMPTY, opening.BUSY]
    return [*texts, creating_payments.ALREADY, pix_key_tokens.REFUSAL]


def told_by(path: Path) -> list[str]:
    texts = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            message = node.exc.args[0]
            parts = message.values if isinstance(message, ast.JoinedStr) else [message]
            texts.append("".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in parts))
    return texts


@pytest.mark.parametrize(
    "pattern", [pattern for pattern, _ in refusals.REFUSALS], ids=lambda pattern: str(pattern).replace(" ", "-")[:40]
)
def test_every_refusal_that_is_translated_is_still_told(pattern: str) -> None:
    assert [
        text for text in told() if re.match(pattern, text) or re.match(pattern, text.replace("7: 7", "customer.taxID"))
    ]


@pytest.mark.parametrize(
    ("error", "english", "portuguese"),
    [
        (Invalid("The charge is not paid"), "This charge is not paid.", "Esta cobrança não está paga."),
        (
            Invalid("value must be from 1 to what is left of the charge, 950 centavos", "value"),
            "Of this charge only R$ 9,50 are left.",
            "Desta cobrança restam só R$ 9,50.",
        ),
        (Invalid("fee_maximum must be from 0 to 9"), "It must be from 0 to 9.", "Deve ser de 0 a 9."),
        (
            Invalid("url cannot be called: its host has no address", "url"),
            "This address cannot be called: its host has no address.",
            "Este endereço não pode ser chamado: o servidor não tem endereço.",
        ),
        (
            Invalid("url did not accept the test request: ReadTimeout: the call did not end in time", "url"),
            "The address did not accept the test call: it did not answer in time.",
            "O endereço não aceitou a chamada de teste: não respondeu a tempo.",
        ),
        (Unavailable("Something new"), "It cannot be done just now", "Não pode ser feito agora"),
        (Invalid("Something new"), "It was refused: Something new", "Foi recusado: Something new"),
    ],
)
def test_it_is_said_in_the_readers_language(error: Invalid, english: str, portuguese: str) -> None:
    for language, words in (("en", english), ("pt-br", portuguese)):
        with translation.override(language):
            assert translated(error).replace("\u00a0", " ").startswith(words)
