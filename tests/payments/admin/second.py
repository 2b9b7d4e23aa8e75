"""The second operator."""

from __future__ import annotations

import html

from django.test import Client

from payments.models import Proposal, User


def approve_all(language: str = "en") -> str:
    """Approve, as another superuser, all that is proposed. The page that answers."""
    second = User.objects.filter(email="second@example.com").first() or User.objects.create_superuser(
        "second@example.com", "x"
    )
    client = Client(headers={"Accept-Language": language})
    client.force_login(second)
    picked = list(Proposal.objects.filter(status="PROPOSED").values_list("pk", flat=True))
    form = {"action": "approve", "_selected_action": picked, "confirmed": "1"}
    answer = client.post("/admin/payments/proposal/", form, follow=True)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())
