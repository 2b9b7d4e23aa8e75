"""What people had in their hands stays there: the place of a list, a filter, a half-written form, the focus."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.contrib.sessions.models import Session
from django.utils import timezone
from playwright.sync_api import Page, expect

from payments.services.charges import receiving
from tests.browser.conftest import DESKTOP, PASSWORD, PHONE, Person, assert_never_reloaded, mark, shoot, state
from tests.browser.test_live import forgive
from tests.browser.test_pages import fill
from tests.payments import making


def top(page: Page, selector: str) -> float:
    found: float = page.locator(selector).evaluate("node => node.getBoundingClientRect().top")
    return found


def test_a_list_does_not_move_under_the_eye(make_person: Callable[..., Person]) -> None:
    person = make_person({"width": 375, "height": 500})
    page = person.page
    middle = fill(person.company)["EXPIRED"].public_id
    page.goto("/charges")
    state(page, "live")
    mark(page)
    page.fill("#q", "half a word")
    page.focus(f"#charge-{middle}")
    node = page.locator(f"#charge-{middle}").element_handle()
    page.evaluate("id => getSelection().selectAllChildren(document.querySelector(`#charge-${id} strong`))", middle)
    before, selected = top(page, f"#charge-{middle}"), page.evaluate("String(getSelection())")
    paid = making.charge(person.company, 10_000, created_at=timezone.now())
    receiving.receive(making.pix(paid))  # a new row at the top
    expect(page.locator(".rows li").first).to_contain_text("R$\u00a0100,00")
    assert abs(top(page, f"#charge-{middle}") - before) < 1
    assert page.evaluate("document.activeElement.id") == f"charge-{middle}"
    assert page.evaluate("node => node.isConnected", node), "a click that is under way still has its link"
    assert page.evaluate("String(getSelection())") == selected
    expect(page.locator("#q")).to_have_value("half a word")
    assert_never_reloaded(page)


def test_the_filter_is_there_on_the_way_back(make_person: Callable[..., Person]) -> None:
    person = make_person()
    page = person.page
    fill(person.company)
    page.goto("/charges?status=COMPLETED&q=ana")
    row = page.locator(".row").nth(2)
    wanted = row.get_attribute("id")
    row.click()
    page.click("#refund")
    page.click("form.card a.button")  # cancel
    page.click(".back")
    page.wait_for_url(f"**/charges?status=COMPLETED&q=ana#{wanted}")
    expect(page.locator("#q")).to_have_value("ana")
    assert page.locator(".row").count() > 2


def test_a_form_outlives_a_language_a_log_in_and_a_time_offline(
    make_person: Callable[..., Person], faults: list[str]
) -> None:
    person = make_person(PHONE)
    page = person.page
    page.goto("/charges/new")
    form = page.url
    state(page, "live")
    page.fill("#id_value", "12,34")
    page.fill("#id_comment", "Mesa 4")
    page.select_option("#id_expires_in", "900")

    page.click(".menu summary")
    page.click("button[name=language][value=en]")
    expect(page.locator("h1")).to_have_text("New charge")
    expect(page.locator("#id_value")).to_have_value("12,34")

    page.fill("#id_customer_name", "Bia Costa")
    state(page, "live")
    page.context.set_offline(True)
    page.click("form[data-once] button.primary")
    expect(page.locator("[data-unsent]")).to_contain_text("nothing was sent")
    shoot(page, "unsent-375")
    page.context.set_offline(False)
    expect(page.locator("[data-unsent]")).to_be_hidden()
    state(page, "live")

    Session.objects.all().delete()
    page.click("form[data-once] button.primary")
    expect(page).to_have_url(re.compile(r"/login\?next="), timeout=15_000)
    assert "Bia Costa" not in page.content()
    page.fill("#id_username", person.user.email)
    page.click("button[name=language][value=pt-br]")
    expect(page.locator("#id_username")).to_have_value(person.user.email)
    page.fill("#id_password", PASSWORD)
    page.click("form.card button")
    page.wait_for_url(form)
    for field, typed in {
        "value": "12,34",
        "comment": "Mesa 4",
        "customer_name": "Bia Costa",
        "expires_in": "900",
    }.items():
        expect(page.locator(f"#id_{field}")).to_have_value(typed)
    assert PASSWORD not in page.evaluate("JSON.stringify(sessionStorage)")

    page.fill("#id_comment", "x" * 141)  # as if pasted: nothing is cut
    page.click("form[data-once] button.primary")
    expect(page.locator("#id_comment_error")).to_contain_text("140")
    expect(page.locator("#id_comment")).to_have_value("x" * 141)
    page.goto("/charges")
    page.goto(form)
    expect(page.locator("#id_comment")).to_have_value("")  # left on purpose: forgotten
    forgive(faults)
    faults[:] = [fault for fault in faults if "422" not in fault]


def test_a_log_out_ends_the_other_tabs_within_a_second(make_person: Callable[..., Person]) -> None:
    page = make_person(DESKTOP).page
    second = page.context.new_page()
    second.goto("/charges?q=bia")
    state(second, "live")
    page.click(".menu summary")
    page.click("form[action='/logout'] button")
    # `expect` polls: a wait for the URL fails where one navigation replaces another, as when the page hears of its log-out.
    expect(page).to_have_url(re.compile("/login"), timeout=15_000)
    expect(second).to_have_url(re.compile(r"/login\?next=%2Fcharges%3Fq%3Dbia$"), timeout=10_000)


def test_the_focus_is_never_under_the_tab_bar_and_every_link_has_a_name(make_person: Callable[..., Person]) -> None:
    person = make_person({"width": 375, "height": 560})
    page = person.page
    charges = fill(person.company)
    for path in ("/", "/charges", f"/charges/{charges['ACTIVE'].public_id}", "/charges/new"):
        page.goto(path)
        state(page, "live")
        for key in ("Tab", "Shift+Tab"):
            for _ in range(30):
                page.keyboard.press(key)
                covered = page.evaluate("""() => {
                    const node = document.activeElement, box = node.getBoundingClientRect();
                    const bar = document.querySelector(".tabs"), header = document.querySelector(".top");
                    if (node === document.body || bar.contains(node) || header.contains(node) || node.matches(".skip")) return null;
                    const under = box.bottom > bar.getBoundingClientRect().top || box.top < header.getBoundingClientRect().bottom;
                    return under && box.height < 300 ? node.outerHTML.slice(0, 200) : null;
                }""")
                assert covered is None, path
    nameless = page.eval_on_selector_all(
        "a, button, summary",
        "nodes => nodes.filter(node => node.checkVisibility() && !(node.ariaLabel || node.innerText.trim())).map(node => node.outerHTML)",
    )
    assert nameless == []


def test_who_may_see_nothing_gets_a_way_out(make_person: Callable[..., Person], faults: list[str]) -> None:
    person = make_person(PHONE)
    person.user.company = None
    person.user.save()
    page = person.page
    page.goto("/charges")
    expect(page.locator("h1")).to_be_visible()
    shoot(page, "forbidden-375")
    page.click("form[action='/logout'] button")
    page.wait_for_url("**/login")
    faults[:] = [fault for fault in faults if "403" not in fault]
