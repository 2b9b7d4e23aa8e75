"""The help on a phone and on a desk: it fits, and axe-core finds nothing in any page."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from payments.web import docs
from tests.browser.conftest import DESKTOP, PHONE, shoot
from tests.browser.test_merchants import COLOURS, violations

# All pages have one frame: it is looked at once, with every page's text in it.
GATHER = """async slugs => {
    for (const slug of slugs) {
        const page = new DOMParser().parseFromString(await (await fetch(`/docs/${slug}`)).text(), "text/html");
        const text = page.querySelector("article");
        text.querySelectorAll("[id]").forEach(node => { node.id = `${slug}-${node.id}`; });
        document.querySelector("main").append(text);
    }
    return document.querySelectorAll("article").length;
}"""


def test_no_page_of_the_help_has_a_fault(open_page: Callable[..., Page]) -> None:
    page = open_page(PHONE, color_scheme="dark", reduced_motion="reduce")
    page.goto("/docs")
    shoot(page, "docs-375", full=False)
    assert page.evaluate(GATHER, [slug for slug in docs.titles() if slug != docs.FIRST]) == len(docs.titles())
    assert violations(page) == set()
    shoot(page, "docs-all-375", full=False)
    page.set_viewport_size(DESKTOP)
    page.emulate_media(color_scheme="light")
    page.goto("/docs")
    assert violations(page, COLOURS) == set()
    page.click("#next")
    expect(page.locator("h1")).to_have_text("The API")
    page.click(".contents a:text-is('Running it')")
    page.click(".contents a:text-is('What is forgotten')")
    expect(page.locator("#what-is-forgotten")).to_be_in_viewport()
    shoot(page, "docs-anchor-wide", full=False)
