"""Every page that there is, found by the names of the addresses: nobody keeps a list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from django.urls import URLPattern, URLResolver, get_resolver, resolve, reverse
from django.urls.resolvers import RegexPattern
from playwright.sync_api import APIRequestContext, BrowserContext

from payments.models import Company
from tests.screenshots import sample

APIS = {"api-1.0.0", "api-legacy"}  # namespaces that programs call


class Place(NamedTuple):
    """A page: its address's name, its path, and who sees it (merchant, operator, nobody)."""

    name: str
    path: str
    who: str


def names(resolver: URLResolver | None = None, space: str = "") -> Iterator[tuple[str, frozenset[str]]]:
    """(name, arguments) of every address that has a name."""
    for one in (resolver or get_resolver()).url_patterns:
        if isinstance(one, URLResolver):
            if one.namespace not in APIS:
                yield from names(one, f"{one.namespace}:" if one.namespace else space)
        elif isinstance(one, URLPattern) and one.name:
            found = one.pattern.regex.groupindex if isinstance(one.pattern, RegexPattern) else one.pattern.converters
            yield f"{space}{one.name}", frozenset(found)


def places(demo: Company, browsers: dict[str, BrowserContext]) -> tuple[list[Place], list[str]]:
    """Every page that answers, and the names of addresses for which there is no sample.

    `browsers`: of whom, by `who`. What redirects, is a file or part of a page, or takes only a POST, is no page.
    """
    merchants, outer = sample.merchants(demo), sample.arguments(demo)
    found: dict[str, Place] = {}
    unknown = []
    for name, takes in dict.fromkeys(names()):
        if name.startswith(("admin:", "operations:")):
            paths, who = _of_operators(name, takes, browsers["operator"].request), ["operator"]
        elif name in merchants:
            paths, who = merchants[name], ["merchant"]
        else:
            given = [{}] if not takes else outer.get(name, [])
            paths, who = [reverse(name, kwargs=kwargs) for kwargs in given], ["nobody", "merchant"]
        if not paths and name.startswith("web:") and name not in merchants:
            unknown.append(name)
        for path in paths:
            place = next((Place(name, path, one) for one in who if _is_page(browsers[one].request, name, path)), None)
            if place:
                found.setdefault(path, place)
    return sorted(found.values()), unknown


def _of_operators(name: str, takes: frozenset[str], browser: APIRequestContext) -> list[str]:
    """Paths of an operator's page; of a record's, that of the first one in its list."""
    if not takes:
        return [reverse(name)]
    if takes == {"app_label"}:
        return [reverse(name, args=["payments"])]
    changelist = re.sub(r"^(admin:\w+)_(change|history|delete)$", r"\1_changelist", name)
    if takes == {"object_id"} and changelist != name:
        listed = browser.get(reverse(changelist)).text()
        first = re.search(rf'href="{re.escape(reverse(changelist))}([^"/]+)/change/', listed)
        return [reverse(name, args=[first[1]])] if first else []
    return []


def _is_page(browser: APIRequestContext, name: str, path: str) -> bool:
    """Whether it answers with a whole page, or leads to another address of the same name."""
    answer = browser.get(path)
    kind = answer.headers.get("content-type", "")
    if not answer.ok or not kind.startswith("text/html") or answer.text().lstrip()[:9].lower() != "<!doctype":
        return False
    return resolve(urlsplit(answer.url).path).view_name == name
