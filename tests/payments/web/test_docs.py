"""The help: every page of docs/ is there for everybody, keeps to the content policy, and leads somewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag

import pytest
from django.conf import settings
from django.test import Client

from payments.web import docs

ROOT = Path(settings.BASE_DIR)
LINK = re.compile(r"\]\(([^)\s]+)\)")
WEB = ("https://", "http://")


class Seen(HTMLParser):
    """A page's links, ids, and what the content policy would refuse."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.refused: list[str] = []
        self.next = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(given["href"])
        if "id" in given:
            self.ids.append(given["id"])
        if given.get("id") == "next":
            self.next = given["href"]
        inline = tag == "style" or (tag == "script" and "src" not in given)
        if inline or any(name == "style" or name.startswith("on") for name in given):
            self.refused.append(tag)


def pages() -> dict[str, Seen]:
    client = Client()
    return {f"/docs/{slug}": Seen(client.get(f"/docs/{slug}").content.decode()) for slug in docs.titles()}


def test_every_link_leads_to_a_page_and_every_page_to_the_next() -> None:
    """Nobody is logged in, and no page reads the database, which this test has none of."""
    seen = pages()
    assert set(seen) == {f"/docs/{file.stem}" for file in ROOT.glob("docs/*.md")}
    wrong, links = [], 0
    for page, found in seen.items():
        for link in found.links:
            path, anchor = urldefrag(link)
            if path.startswith(WEB) or path in {"/", "/docs"}:  # the console, and the first page
                continue
            target = seen.get(path or page)
            links += 1
            if target is None or (anchor and anchor not in target.ids):
                wrong.append((page, link))
    assert (wrong, links > 300) == ([], True)
    way = ["/docs/quick-start"]
    while (after := seen[way[-1]].next) != way[0]:
        way.append(after)
    assert sorted(way) == sorted(seen), "the next steps lead through all pages, and back to the first"


def test_no_page_has_what_the_content_policy_refuses() -> None:
    for page, found in pages().items():
        assert found.refused == [], page
        assert len(found.ids) == len(set(found.ids)), page
    assert Seen('<p style="color:red">').refused == ["p"], "the control"


@pytest.mark.parametrize("file", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]), ids=lambda file: file.stem)
def test_every_link_of_a_file_leads_to_a_file(file: Path) -> None:
    wrong = []
    for link in LINK.findall(file.read_text()):
        path, anchor = urldefrag(link)
        target = file.parent / path if path else file
        known = target.parent == ROOT / "docs" and target.suffix == ".md"
        there = target.exists() and (not anchor or not known or f'id="{anchor}"' in docs.read(target.stem).html)
        if not link.startswith(WEB) and not there:
            wrong.append(link)
    assert wrong == []


def test_the_frame_is_in_the_readers_language_and_says_which_one_the_text_is_in() -> None:
    client = Client(headers={"Accept-Language": "pt-BR"})
    page = client.get("/docs").content.decode()
    assert "Como funciona" in page
    assert '<article class="prose" lang="en">' in page
    assert "How it works" in Client(headers={"Accept-Language": "en"}).get("/docs").content.decode()


@pytest.mark.parametrize("slug", ["nothing", "..", "decisions", "quick-start.md"])
def test_other_files_are_no_pages(slug: str) -> None:
    assert Client().get(f"/docs/{slug}").status_code == 404


TEXT = """# Odd
## Twice & `once`
## Twice & `once`
<script>alert(1)</script> [bad](javascript:alert(1)) [out](../woovi/settings.py) [api.md](api.md#conventions)

| a | b |
| --- | --: |
| 1 | 2 |
"""


def test_markdown_is_rendered_safely(monkeypatch: pytest.MonkeyPatch) -> None:
    titles = docs.titles()
    monkeypatch.setattr(docs, "_file", lambda slug: TEXT)
    monkeypatch.setattr(docs, "titles", lambda: titles)
    page: Any = docs.read.__wrapped__("api")
    assert "<script>" not in page.html
    assert "javascript:" not in Seen(page.html).links
    assert Seen(page.html).links == ["/docs/api#conventions"], "a file that is no page is not linked"
    assert ">The API</a>" in page.html, "a page is named by its title"
    assert "out" in page.html
    assert "style" not in page.html
    assert page.sections == [("twice--once", "Twice & once"), ("twice--once-1", "Twice & once")]
