"""The Chromium that the page tests drive. `python -m tests.chromium` installs one where none is, for `make test`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Playwright's own copy, in the place where it is put.
CACHES = (Path.home() / ".cache" / "ms-playwright", Path.home() / "Library" / "Caches" / "ms-playwright")
OWN = ("chromium-*/chrome-linux*/chrome", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*")


def find() -> str | None:
    """Path of a Chromium that starts, or None. CHROMIUM names another."""
    candidates = [os.environ.get("CHROMIUM"), *map(shutil.which, NAMES)]
    caches = [Path(os.environ["PLAYWRIGHT_BROWSERS_PATH"])] if "PLAYWRIGHT_BROWSERS_PATH" in os.environ else CACHES
    candidates += [str(path) for cache in caches for pattern in OWN for path in sorted(cache.glob(pattern))]
    return next((path for path in candidates if path and _starts(path)), None)


def install() -> bool:
    """As root from the system's packages, else (or where those have none) Playwright's own. Whether it worked."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        apt = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
        for step in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
            subprocess.run([*apt, *step], env=environment, stdin=subprocess.DEVNULL, check=False)
        if find():
            return True
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
    return find() is not None


def _starts(path: str) -> bool:
    # Some systems have a `chromium` that only says how to install it.
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


if __name__ == "__main__" and not find() and not install():
    sys.exit("The page tests need Chromium, and none could be installed: install it, or set CHROMIUM to its path.")
