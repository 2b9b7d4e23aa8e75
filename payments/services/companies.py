"""Companies, their accounts and their applications' credentials."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import logging
import re
import secrets
import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, Subquery
from django.utils import timezone

from payments.models import Account, Application, Company, FurtherKey, User
from payments.pix import keys
from payments.services import transfer_limits
from payments.services.errors import Invalid
from woovi import statements

log = logging.getLogger(__name__)

_PHONE = re.compile(r"55[0-9]{10,11}")
NAMES = ("official_name", "trade_name", "city")
TERMS = {  # from, to
    "fee_basis_points": (0, 10_000),
    "fee_minimum": (0, 100_000_00),  # centavos
    "fee_maximum": (0, 100_000_00),
    "charge_expires_in": (300, 31_536_000),  # seconds: as for a charge itself
    **dict.fromkeys(transfer_limits.LIMITS, (0, 999_999_999_999)),  # centavos
}


def dict_key(text: str) -> str:
    """A Pix key in the form that the DICT stores. Text that is not a key is only stripped, and matches no company.

    Some banks leave out the + of a phone. A number of twelve or thirteen digits can be nothing else.
    """
    text = text.strip()
    with contextlib.suppress(keys.InvalidKey):
        return keys.parse(f"+{text}" if _PHONE.fullmatch(text) else text).value
    return text


def by_key(key: str, *, also_removed: bool = False) -> Company | None:
    """The company that has this Pix key (in the DICT's form), as its default one or another; or had it, if `also_removed`."""
    if not key or "\0" in key:
        return None
    further = FurtherKey.objects.filter(pix_key=key, registered_at__isnull=False)
    if not also_removed:
        further = further.filter(removed_at=None)
    latest = further.order_by(F("removed_at").desc(nulls_first=True)).values("company")[:1]
    # One statement: between two, a key that becomes the default one would be found in neither table.
    found = list(Company.objects.filter(Q(pix_key=key) | Q(pk=Subquery(latest))))
    return next((company for company in found if company.pix_key == key), found[0] if found else None)


def has_key(company: Company, key: str, *, also_removed: bool = False) -> bool:
    """Whether the company has this Pix key (in the DICT's form); or had it, if `also_removed`."""
    if key == dict_key(company.pix_key):
        return True
    owner = by_key(key, also_removed=also_removed)
    return owner is not None and owner.pk == company.pk


def onboard(*, official_name: str, trade_name: str, tax_id: str, pix_key: str) -> Company:
    """Create a company with its accounts. `tax_id`: digits only, without punctuation.

    Raises Invalid where another company has the Pix key: what is paid to it would be this one's.
    """
    if by_key(dict_key(pix_key)):
        raise Invalid("Another company has this Pix key", "pix_key")
    with transaction.atomic():
        company = Company.objects.create(
            official_name=official_name,
            trade_name=trade_name,
            tax_id=tax_id,
            pix_key=dict_key(pix_key),
            **transfer_limits.defaults(tax_id),
        )
        Account.objects.bulk_create(
            Account(company=company, kind=kind, may_go_negative=kind in Account.MAY_GO_NEGATIVE)
            for kind in Account.OPENED_AT_ONCE
        )
    return company


def update_terms(company: Company, **terms: Any) -> Company:
    """Change a company's names, city, fees, limits, or the default life of its charges. Returns the company.

    `terms`: fields of TERMS and NAMES. Raises Invalid, naming the field; TypeError for any other field.
    """
    unknown = set(terms) - set(TERMS) - set(NAMES)
    if unknown:
        raise TypeError(f"not a company's terms: {', '.join(sorted(unknown))}")
    with transaction.atomic():
        company = Company.objects.select_for_update(no_key=True).get(pk=company.pk)
        before = {field: getattr(company, field) for field in terms}
        for field, value in terms.items():
            setattr(company, field, value)
        check_terms(**{field: getattr(company, field) for field in TERMS})
        company.save(update_fields=list(terms))
    changed = {field: (old, terms[field]) for field, old in before.items() if old != terms[field]}
    if changed:
        log.info("Terms of company %s changed: %s", company.public_id, changed)
    return company


def check_terms(**terms: int | None) -> None:
    """Raise Invalid, naming the field, where a value is outside its bounds in TERMS. None is no limit."""
    for field, (lowest, highest) in TERMS.items():
        value = terms[field]
        if value is None and field in transfer_limits.LIMITS:
            continue
        if value is None or not lowest <= value <= highest:
            raise Invalid(f"{field} must be from {lowest} to {highest}", field)
    if (terms["fee_minimum"] or 0) > (terms["fee_maximum"] or 0):
        raise Invalid("fee_minimum must not be above fee_maximum", "fee_minimum")


def issue_application(company: Company, name: str, **rights: Any) -> tuple[Application, str]:
    """Create credentials. Returns the application and its AppID, which is not stored and can be shown only now.

    `rights`: `type`, `scopes` and `allowed_ips`, checked by the caller (`applications`); without them it may do all that an
    application of type API may, from anywhere.
    """
    client_id, secret = f"Client_Id_{uuid.uuid4()}", _client_secret(secrets.token_bytes(32))
    application = Application.objects.create(
        company=company, name=name, client_id=client_id, secret_digest=_digest(secret), **rights
    )
    return application, app_id(client_id, secret)


def rotate_secret(application: Application) -> str:
    """Give the application another secret. Returns its new AppID, shown only now; the former is refused at once.

    Woovi documents no time for which both work. A program that must not stop gets a second application first.
    """
    secret = _client_secret(secrets.token_bytes(32))
    application.secret_digest = _digest(secret)
    application.save(update_fields=["secret_digest"])  # not update(), as below
    return app_id(application.client_id, secret)


def revoke_application(application: Application) -> None:
    """Refuse the application's AppID from now on. This is final; new access needs new credentials."""
    application.is_active = False
    application.save(update_fields=["is_active"])  # not update(), which sends no post_save signal


_APPLICATION = f"""
SELECT {statements.columns(Application, "application")}, {statements.columns(Company, "company")}
FROM payments_application application JOIN payments_company company ON company.id = application.company_id
WHERE application.client_id = $1 AND application.is_active
"""  # noqa: S608 (names of our own)


def authenticate(credentials: str) -> Application | None:
    """The active application of an `Authorization` header (an AppID, raw or after `Basic `), or None."""
    scheme, _, rest = credentials.strip().partition(" ")
    token = rest.strip() if scheme.lower() == "basic" else credentials.strip()
    try:
        client_id, _, secret = base64.b64decode(token, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    if not client_id or not secret or "\0" in client_id:
        return None
    application = _active(client_id)
    known = application.secret_digest if application else ""
    if hmac.compare_digest(known, _digest(secret)):
        return _used(application)
    if application and any(hmac.compare_digest(known, former) for former in _former_digests(secret)):
        Application.objects.filter(pk=application.pk, secret_digest=known).update(secret_digest=_digest(secret))
        return _used(application)
    return None


def _active(client_id: str) -> Application | None:
    for application, company in statements.rows((Application, Company), _APPLICATION, client_id):
        application.company = company
        return application  # type: ignore[no-any-return]
    return None


_USED = "UPDATE payments_application SET last_used_at = now() WHERE id = $1"


def _used(application: Application | None) -> Application | None:
    """Note that it is used, once an hour: a write with each request would cost more than the request."""
    before = timezone.now() - timedelta(hours=1)
    if application and (application.last_used_at is None or application.last_used_at < before):
        statements.execute(_USED, application.pk)
    return application


def app_id(client_id: str, secret: str) -> str:
    """The AppID, as Woovi builds it: base64 of `client_id:secret`."""
    return base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def secret_of(app_id: str) -> str:
    """The secret in an AppID that was just made."""
    return base64.b64decode(app_id).decode().partition(":")[2]


def seed_demo() -> dict[str, str]:
    """Create the demo company and its log-ins, once. Returns its AppID, its log-ins and its Pix key.

    The secrets are derived from SECRET_KEY: every start can show them, and no two installations share them.
    """

    def derived(purpose: str) -> bytes:
        return hmac.digest(settings.SECRET_KEY.encode(), b"demo:" + purpose.encode(), "sha256")

    client_id = f"Client_Id_{uuid.UUID(bytes=derived('client')[:16], version=4)}"
    secret = _client_secret(derived("secret"))
    merchant, operator = "loja@demo.example", "operador@demo.example"
    password = derived("password").hex()[:12]
    with transaction.atomic():
        company = Company.objects.filter(tax_id="12345678000195").first() or onboard(
            official_name="Loja Demonstração Ltda",
            trade_name="Loja Demonstração",
            tax_id="12345678000195",
            pix_key="pix@loja.demo.example",
        )
        Application.objects.update_or_create(
            client_id=client_id,
            defaults={
                "company": company,
                "name": "Demo",
                "secret_digest": _digest(secret),
                "type": Application.Type.MASTER,
            },
        )
        for email, fields in (
            (merchant, {"company": company}),
            (operator, {"is_staff": True, "is_superuser": True}),
        ):
            user = User.objects.filter(email=email).first() or User(email=email, **fields)
            if not user.check_password(password):
                user.set_password(password)
            user.save()
    return {
        "app_id": app_id(client_id, secret),
        "merchant": merchant,
        "operator": operator,
        "password": password,
        "pix_key": company.pix_key,
    }


def _client_secret(raw: bytes) -> str:
    return f"Client_Secret_{base64.b64encode(raw).decode()}"


def _digest(secret: str) -> str:
    """SHA-256 of the secret. A slow hash is not needed: 256 random bits cannot be guessed.

    Rejected: an HMAC with our own key. Changing that key would lock out every merchant's program.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def _former_digests(secret: str) -> list[str]:
    """The digests of version 1.0, keyed by SECRET_KEY. `authenticate` replaces them when the AppID is used."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return [hmac.digest(key.encode(), b"application:" + secret.encode(), "sha256").hex() for key in keys]
