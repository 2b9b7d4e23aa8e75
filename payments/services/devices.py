"""Mail to users about their log-ins: a browser that is new to their account, a code for it, a changed second factor."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from django.core.mail import send_mail
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from payments.models import User
from payments.services import second_factor
from woovi import outbox
from woovi.ratelimit import limiter
from woovi.ratelimit.device import account_of, new_device
from woovi.ratelimit.middleware import asks

SUBJECT = "Novo acesso à sua conta"
TEXT = """Alguém entrou na sua conta {email} em {at:%d/%m/%Y %H:%M} (UTC), de um navegador que ainda não conhecíamos.
Endereço: {address}

Se foi você, não precisa fazer nada. Se não foi, troque sua senha agora.
"""
CODE_SUBJECT = "Seu código de acesso"
CODE_TEXT = """Para entrar na sua conta {email}, digite o código {code}. Ele vale por dez minutos.

Se não foi você, alguém tem a sua senha: troque-a agora.
"""

FACTOR_SUBJECT = "Segundo fator da sua conta"
FACTOR_TEXT = """O segundo fator da sua conta {email} foi {done}.

Se não foi você, troque sua senha agora e fale conosco.
"""

PERSON_SUBJECT = "Uma pessoa nova na sua empresa"
PERSON_TEXT = """{added} foi incluído(a) em {company} pela operação da plataforma, e pode entrar por um endereço que recebeu.

Se ninguém da empresa pediu isso, fale conosco.
"""


@receiver(new_device)
def queue_mail(sender: object, user: User, request: HttpRequest, **_: Any) -> None:
    """Queue the mail, so that the log-in does not wait for a mail server. None where the owner was just told five times."""
    if not limiter.take(*asks(request, "login.device.mail", account=account_of(user.email))).allowed:
        return
    payload = {
        "user_id": user.pk,
        "address": str(getattr(request, "limit_address", None) or "desconhecido"),
        "at": timezone.now().isoformat(),
    }
    with transaction.atomic():
        outbox.write("task:mail_new_device", str(user.company_id or ""), payload)


def mail(user_id: int, address: str, at: str) -> None:
    """Send the mail. `at`: time of the log-in, ISO 8601 in UTC."""
    user = User.objects.get(pk=user_id)
    text = TEXT.format(email=user.email, at=datetime.fromisoformat(at), address=address)
    send_mail(SUBJECT, text, None, [user.email])


def mail_code(user_id: int, nonce: str, until: float) -> None:
    """Send the code that `second_factor.send_code` queued, unless it counts no longer (`until`: Unix time)."""
    if time.time() >= until:
        return
    user = User.objects.get(pk=user_id)
    text = CODE_TEXT.format(email=user.email, code=second_factor.mailed_code(user_id, nonce))
    send_mail(CODE_SUBJECT, text, None, [user.email])


def mail_second_factor(user_id: int, on: bool) -> None:
    """Tell a user that the second factor was switched on or off."""
    user = User.objects.get(pk=user_id)
    send_mail(
        FACTOR_SUBJECT, FACTOR_TEXT.format(email=user.email, done="ligado" if on else "desligado"), None, [user.email]
    )


def mail_person_added(user_id: int) -> None:
    """Tell a company's people that an operator has added somebody, so that nobody becomes one of them unseen."""
    added = User.objects.select_related("company").get(pk=user_id)
    text = PERSON_TEXT.format(added=added.email, company=added.company)
    others = User.objects.filter(company=added.company, is_active=True).exclude(pk=added.pk)
    for email in others.values_list("email", flat=True):
        send_mail(PERSON_SUBJECT, text, None, [email])
