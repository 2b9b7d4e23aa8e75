"""`python -m tests.screenshots [NAME]`: pictures of every page, or of those with NAME in their name, into a folder.

A demo system is started for it, in a folder of its own, and stopped. Beside the pictures lie `manifest.json` (page, path,
language, theme, width, what was wrong) and `index.html` to look at. The exit status is 1 where a page has a fault, or could
not be found because its address takes what `sample.py` does not have.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from woovi.local.running import System, started

OUT = Path(__file__).parents[1] / "artifacts" / "screenshots"


def main() -> None:
    """Start, take, stop."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    with tempfile.TemporaryDirectory(prefix="woovi-screenshots-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # PostgreSQL, as its own user, passes through
        for name in ("DATABASE_URL", "REDIS_URL", "WOOVI_ENV"):
            os.environ.pop(name, None)
        os.environ |= {
            "WOOVI_DATA_DIR": folder,
            "DJANGO_SETTINGS_MODULE": "woovi.settings",
            "DJANGO_ALLOW_ASYNC_UNSAFE": "1",
        }
        import django

        with started(Path(folder), PORT="0") as system:
            os.environ["BANK_URL"] = system["bank"]
            django.setup()
            wrong = _take(system, wanted)
    print(*wrong, sep="\n")
    sys.exit(1 if wrong else 0)


def _take(system: System, wanted: str) -> list[str]:
    from playwright.sync_api import sync_playwright

    from tests import chromium
    from tests.screenshots import album, sample, walk

    demo = sample.company()
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium.find(), args=["--no-sandbox", "--disable-gpu"]) as browser,
    ):
        for language in album.LANGUAGES:
            browsers = {who: album.log_in(browser, system, who, language) for who in ("nobody", "merchant", "operator")}
            if language == album.LANGUAGES[0]:
                found, unknown = walk.places(demo, browsers)
                found = [place for place in found if wanted in place.name]
                pictures = album.Album(OUT, found)
            for place in found:
                pictures.take(browsers[place.who], place, language)
    print(f"{len(pictures.taken)} pictures of {len(found)} pages: {OUT}/index.html")
    return [*pictures.close(), *(f"no sample for the address of {name}" for name in unknown)]


if __name__ == "__main__":
    main()
