"""Takes a page's pictures in both themes and all sizes, and keeps what was taken and what was wrong."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page
from playwright.sync_api import TimeoutError as Late

from tests.screenshots.walk import Place

SIZES, THEMES, LANGUAGES = (375, 768, 1440), ("light", "dark"), ("pt-BR", "en-US")
HIGHEST = 3_000  # pixels of a picture; a longer page is cut
LIVE = '#pulse:not([data-state="connecting"]), body:not(:has(#pulse))'


def log_in(browser: Browser, system: Any, who: str, language: str) -> BrowserContext:
    """A browser of a merchant, an operator or nobody."""
    context = browser.new_context(base_url=system["web"], locale=language, reduced_motion="reduce")
    if who != "nobody":
        page = context.new_page()
        page.goto("/login")
        page.fill("#id_username", system[who]["user"])
        page.fill("#id_password", system[who]["password"])
        with page.expect_navigation():
            page.click("form.card button")
        page.close()
    return context


class Album:
    """The folder of pictures, with `manifest.json` and `index.html`."""

    def __init__(self, folder: Path, places: list[Place]) -> None:
        self.folder, self.taken = folder, list[dict[str, Any]]()
        self.files = _files(places)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def take(self, browser: BrowserContext, place: Place, language: str) -> None:
        """Open the page once, and take it in each theme and size."""
        page = browser.new_page()
        told: list[str] = []
        page.on("console", lambda message: told.append(message.text) if message.type in {"error", "warning"} else None)
        page.goto(place.path)
        try:
            page.wait_for_selector(LIVE, state="attached", timeout=5_000)
        except Late:
            told.append("not live within 5 s")
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            for width in SIZES:
                file = f"{self.files[place]}-{language[:2]}-{theme}-{width}.png"
                wrong = [*told, *_shoot(page, self.folder / file, width)]
                self.taken.append(
                    {
                        "file": file,
                        **place._asdict(),
                        "language": language,
                        "theme": theme,
                        "width": width,
                        "wrong": wrong,
                    }
                )
        page.close()

    def close(self) -> list[str]:
        """Write the manifest and the page of all pictures. Returns what was wrong."""
        (self.folder / "manifest.json").write_text(json.dumps(self.taken, indent=1, ensure_ascii=False) + "\n")
        parts = ['<!doctype html><meta charset="utf-8"><title>Pages</title>']
        for (name, path), pictures in groupby(self.taken, lambda one: (one["name"], one["path"])):
            parts.append(f"<h2>{html.escape(name)} <small>{html.escape(path)}</small></h2>")
            parts += [
                f'<a href="{one["file"]}"><img loading="lazy" height="420" src="{one["file"]}"></a>' for one in pictures
            ]
        (self.folder / "index.html").write_text("\n".join(parts))
        return sorted({f"{one['name']} {one['path']}: {wrong}" for one in self.taken for wrong in one["wrong"]})


def _files(places: list[Place]) -> dict[Place, str]:
    """How each place's pictures are called: by its name, and a number where several places have that."""
    seen: Counter[str] = Counter()
    files = {}
    for place in places:
        name = re.sub(r"\W+", "-", place.name)
        seen[name] += 1
        files[place] = f"{name}-{seen[name]}" if seen[name] > 1 else name
    return files


def _shoot(page: Page, file: Path, width: int) -> list[str]:
    """Take one picture. Returns what is wrong with it."""
    page.set_viewport_size({"width": width, "height": 900})
    wide, high = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    # As high as the page: in a picture of a longer page a phone's tab bar would lie across its middle.
    page.set_viewport_size({"width": width, "height": min(high, HIGHEST)})
    page.screenshot(
        caret="initial", path=file
    )  # hiding it, the default, would inject a style that the content policy refuses
    return ["scrolls sideways"] if wide > width else []
