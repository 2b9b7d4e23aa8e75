"""The help: each Markdown file of docs/ is a page, for everybody, logged in or not.

The files are the only source, also of titles and anchors, so that a link works on both sides. They are read once in a
process. HTML in them is shown as text, and no style is written, so that a page keeps to the content policy.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from markdown_it import MarkdownIt
from markdown_it.token import Token

FOLDER = Path(settings.BASE_DIR) / "docs"
FIRST = "quick-start"
USE = (FIRST, "api", "applications", "webhooks", "payments", "batches", "subaccounts", "charges", "realtime", "graphql")
RUN = ("operations", "bank", "redis", "ratelimit")

_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")


class Section(NamedTuple):
    """A second heading, and its anchor on the page."""

    anchor: str
    title: str


class Page(NamedTuple):
    """A file, rendered."""

    title: str
    html: SafeString
    sections: list[Section]


def show(request: HttpRequest, slug: str = FIRST) -> HttpResponse:
    """A page of the help, with the list of all and the next one. 404 where docs/ has no such file."""
    names = titles()
    if slug not in names:
        raise Http404
    order = list(names)
    after = order[(order.index(slug) + 1) % len(order)]
    context = {"page": read(slug), "slug": slug, "groups": groups(), "next": after, "next_title": names[after]}
    return render(request, "web/docs.html", context)


def groups() -> list[tuple[str | Promise, list[tuple[str, str]]]]:
    """(heading, [(slug, title)]) of the list of pages."""
    names = titles()
    rest = [slug for slug in names if slug not in USE + RUN]
    parts = ((_("Use it"), USE), (_("Run it"), RUN), (_("How it works"), rest))
    return [(heading, [(slug, names[slug]) for slug in slugs]) for heading, slugs in parts]


@cache
def titles() -> dict[str, str]:
    """Each page's title by its slug, in the order of reading."""
    rest = sorted(path.stem for path in FOLDER.glob("*.md"))
    order = dict.fromkeys([*USE, *RUN, *rest])
    return {slug: _file(slug).partition("\n")[0].removeprefix("# ").strip() for slug in order}


@cache
def read(slug: str) -> Page:
    """The file as a page. `slug`: one of `titles`."""
    sections: list[Section] = []
    tokens = _markdown.parse(_file(slug))
    seen: dict[str, int] = {}
    for token, follower in zip(tokens, [*tokens[1:], Token("", "", 0)], strict=True):
        if token.type == "heading_open":
            anchor = _anchor(follower.content, seen)
            token.attrs["id"] = anchor
            if token.tag == "h2":
                sections.append(Section(anchor, follower.content.replace("`", "")))
        elif token.type == "inline" and token.children:
            token.children = _links(token.children)
        token.attrs.pop("style", None)  # of a column's alignment
    html = _markdown.renderer.render(tokens, _markdown.options, {})
    # An empty heading of a column is none. What may be wider than a phone scrolls by itself, also by the keyboard.
    html = html.replace("<th></th>", "<td></td>").replace("<pre>", '<pre tabindex="0">')
    html = html.replace("<table>", '<div class="wide" tabindex="0"><table>').replace("</table>", "</table></div>")
    return Page(titles()[slug], SafeString(html), sections)


def _file(slug: str) -> str:
    return (FOLDER / f"{slug}.md").read_text()


def _anchor(heading: str, seen: dict[str, int]) -> str:
    """The heading's id, as GitHub makes it: its second use on a page ends with `-1`."""
    anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
    number = seen[anchor] = seen.get(anchor, -1) + 1
    return f"{anchor}-{number}" if number else anchor


def _links(children: list[Token]) -> list[Token]:
    """Lead links to files of docs/ to their pages, under their titles; of files that are no page keep the text."""
    kept: list[Token] = []
    target: str | None = None
    for child in children:
        if child.type == "link_open":
            target = _address(str(child.attrs["href"]))
            child.attrs["href"] = target or ""
        elif child.type == "text" and kept and kept[-1].type == "link_open" and child.content.endswith(".md"):
            child.content = titles().get(child.content.removesuffix(".md"), child.content)
        if target is not None or not child.type.startswith("link_"):
            kept.append(child)
    return kept


def _address(href: str) -> str | None:
    """Where a link of a file leads on our pages, or None."""
    if href.startswith(("#", "https://")):
        return href
    file, hash_, anchor = href.partition("#")
    slug = file.removesuffix(".md")
    return f"{reverse('web:doc', args=[slug])}{hash_}{anchor}" if slug in titles() else None
