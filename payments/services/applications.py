"""Applications: what one may do, from where, and with which secret. `may` is the one place that decides.

How an AppID is read and compared is in `companies`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from ipaddress import ip_network

from django.db import transaction

from payments import scopes
from payments.models import Account, Application, Company, User
from payments.rights import APPROVE, RIGHTS
from payments.services import companies
from payments.services.errors import AddressRefused, Forbidden, Invalid, NotFound
from woovi.ratelimit.address import IP, Networks

log = logging.getLogger(__name__)

MOST_NETWORKS = 100  # in one allow-list


def may(application: Application, scope: str, address: IP | None, *, master: bool = False) -> None:
    """Raise unless the application may use the route with this scope from this address.

    Args:
        scope: of `payments.scopes`; "" for a route that every application may use.
        address: the client's; None where it is not known, which is on no list.
        master: whether the route is for applications of type MASTER only.

    Raises:
        AddressRefused: it has an allow-list, and the address is not on it.
        Forbidden: its type or its scopes do not cover the route; or the route sends money, and its approval is awaited.
    """
    if application.allowed_ips and address not in Networks(application.allowed_ips):
        raise AddressRefused("Your IP is not in the allowed list")
    if master and application.type != Application.Type.MASTER:
        raise Forbidden("Wrong API type")
    if scope and application.scopes and scope not in application.scopes:
        raise Forbidden(f"Application does not have required scope: {scope}")
    if application.waits and scope in scopes.SENDING:
        raise Forbidden("Application waits for another person's approval before it sends money")


def create(maker: Application, account_id: str, name: str, wanted: Sequence[str]) -> tuple[Application, str]:
    """Create an application of the maker's company, by the API. Returns it and its AppID, which is shown only now.

    Raises:
        NotFound: the company has no such account.
        Invalid: a scope does not exist.
        Forbidden: the maker has scopes, and would give one that it does not have, or all.
    """
    default = Account.objects.filter(company=maker.company, kind=Account.Kind.MERCHANT, is_default=True)
    if not default.filter(public_id=account_id).exists():
        raise NotFound("Company bank account not found", "accountId")
    given = checked_scopes(wanted)
    _refuse_more(maker, given)
    return companies.issue_application(maker.company, name, scopes=given, allowed_ips=maker.allowed_ips)


def rotate_secret(maker: Application, client_id: str) -> tuple[Application, str]:
    """Give an application of the maker's company another secret. Returns it and its AppID, which is shown only now.

    Whoever gets the AppID may do what it may: so an application gets only those of others that may no more than itself.

    Raises:
        NotFound: the company has no such application.
        Forbidden: it may do something that the maker may not, or be used from elsewhere.
    """
    application = find(maker.company, client_id)
    if application.pk != maker.pk:
        _refuse_more(maker, application.scopes)
        if maker.allowed_ips and not (
            application.allowed_ips and set(application.allowed_ips) <= set(maker.allowed_ips)
        ):
            raise Forbidden("The application may be used from addresses that yours may not be used from")
    return application, companies.rotate_secret(application)


def _refuse_more(maker: Application, given: Sequence[str]) -> None:
    """Raise Forbidden where `given` scopes (none are all) hold one that the maker has not."""
    for scope in given or scopes.ALL:
        if maker.scopes and scope not in maker.scopes:
            raise Forbidden(f"Application does not have required scope: {scope}")


def find(company: Company, client_id: str) -> Application:
    """The company's active application with this client id. Raises NotFound."""
    if found := company.applications.filter(client_id=client_id, is_active=True).first():
        return found
    raise NotFound("Application not found", "clientId")


def delete(company: Company, client_id: str) -> None:
    """Refuse the application's AppID from now on.

    Raises:
        NotFound: the company has no such application.
        Invalid: it is a MASTER, which only operators revoke.
    """
    application = find(company, client_id)
    if application.type == Application.Type.MASTER:
        raise Invalid("You cannot delete a master application", "clientId")
    companies.revoke_application(application)


def change(
    application: Application, *, wanted: Iterable[str], allowed_ips: Iterable[str], person: User | None = None
) -> None:
    """Set its scopes and its allow-list. Programs that are connected are looked at again. Raises Invalid.

    person: of the company, whose change may have to be approved; None for an operator.
    """
    given, networks = checked_scopes(wanted), checked_networks(allowed_ips)
    with transaction.atomic():
        _read_again(application)
        before = _sending(application.scopes)
        application.scopes, application.allowed_ips = given, networks
        if person and _sending(given) - before:
            application.asked_by, application.approved_by = asker(person, given), None
        application.save(update_fields=["scopes", "allowed_ips", "asked_by", "approved_by"])


@transaction.atomic
def rotated_by(person: User, application: Application) -> str:
    """Give it another secret, which is shown to this person, who then could send with it. Returns its new AppID."""
    _read_again(application)
    application.asked_by, application.approved_by = asker(person, application.scopes), None
    application.save(update_fields=["asked_by", "approved_by"])
    return companies.rotate_secret(application)


def _read_again(application: Application) -> None:
    """What it may do, and who approved that, as it is now: two forms at once would undo that one of them must be approved."""
    locked = Application.objects.select_for_update(no_key=True)
    application.refresh_from_db(fields=["scopes", "asked_by", "approved_by"], from_queryset=locked)


def asker(person: User, wanted: Sequence[str]) -> User | None:
    """`asked_by` of an application that this person makes with these scopes: the person, where somebody else has to approve.

    Whoever has an AppID could pay past the second person that payments and batches need on the pages. Who is alone in the
    company could let nothing be approved: then the AppID, and the code that was asked for, are enough.
    """
    may_approve = [role for role, rights in RIGHTS.items() if APPROVE in rights]
    others = User.objects.filter(company=person.company, is_active=True, role__in=may_approve).exclude(pk=person.pk)
    return person if _sending(wanted) and others.exists() else None


def approve(application: Application, person: User, shown: Sequence[str]) -> None:
    """Let it send money. Raises Invalid where it does not wait, the person asked for it, or its scopes are not those `shown`."""
    waiting = Application.objects.filter(pk=application.pk, is_active=True, asked_by__isnull=False, approved_by=None)
    # One statement: somebody who asks for it in the same moment does not approve it.
    theirs = waiting.exclude(asked_by=person)
    if not theirs.filter(scopes=list(shown)).update(approved_by=person):
        if theirs.exists():
            raise Invalid("The application was changed since it was shown", "scopes")
        raise Invalid("Only another person than who asked for it approves an application")
    log.info("Application %s may send money: approved by user %s", application.client_id, person.pk)


def _sending(given: Sequence[str]) -> frozenset[str]:
    """The scopes among these (none are all) by which money is sent."""
    return scopes.SENDING.intersection(given or scopes.ALL)


def checked_scopes(wanted: Iterable[str]) -> list[str]:
    """The scopes in the catalogue's order, each once. Raises Invalid, naming those that do not exist."""
    given = set(wanted)
    if unknown := sorted(given - set(scopes.ALL)):
        raise Invalid(f"Invalid scopes: {', '.join(unknown)}", "scopes")
    return [scope for scope in scopes.ALL if scope in given]


def checked_networks(texts: Iterable[str]) -> list[str]:
    """The addresses and networks as they are compared. Raises Invalid, naming the one that is none."""
    found = []
    for text in texts:
        try:
            network = ip_network(text.strip(), strict=False)
        except ValueError:
            raise Invalid(f"{text} is not an IP address or network", "allowed_ips") from None
        found.append(str(network.network_address) if network.num_addresses == 1 else str(network))
    if len(found) > MOST_NETWORKS:
        raise Invalid(f"allowed_ips may hold {MOST_NETWORKS} addresses and networks", "allowed_ips")
    return sorted(set(found))
