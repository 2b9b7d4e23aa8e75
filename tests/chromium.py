"""The Chromium that the page tests drive. `python -m tests.chromium` installs one where none is, for `make test`.

Of Debian's two the one without windows comes first: for each profile that a test opens the other begins a window of tabs, which
takes four times the CPU. Both are the same engine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests import packages

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Playwright's own copy, in the place where it is put.
CACHES = (Path.home() / ".cache" / "ms-playwright", Path.home() / "Library" / "Caches" / "ms-playwright")
OWN = (
    "chromium_headless_shell-*/chrom*/*headless*shell",
    "chromium-*/chrome-linux*/chrome",
    "chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
)


def find() -> str | None:
    """Path of a Chromium that starts, or None. CHROMIUM names another."""
    candidates = [os.environ.get("CHROMIUM"), *map(shutil.which, NAMES)]
    caches = [Path(os.environ["PLAYWRIGHT_BROWSERS_PATH"])] if "PLAYWRIGHT_BROWSERS_PATH" in os.environ else CACHES
    candidates += [str(path) for cache in caches for pattern in OWN for path in sorted(cache.glob(pattern))]
    return next((path for path in candidates if path and _starts(path)), None)


def install() -> bool:
    """From the system's packages, else (or where those have none) Playwright's own. Whether it worked."""
    if any(packages.install(name) and find() for name in NAMES[:2]):
        return True
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
    return find() is not None


def _starts(path: str) -> bool:
    # Some systems have a `chromium` that only says how to install it.
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def wanted() -> bool:
    """Whether there is none, or not the first, which the system's packages have."""
    first = NAMES[0]
    return not find() or (not (os.environ.get("CHROMIUM") or shutil.which(first)) and packages.known(first))


if __name__ == "__main__" and wanted() and not install():
    sys.exit("The page tests need Chromium, and none could be installed: install it, or set CHROMIUM to its path.")
