"""Peers that no part of the platform needs: installed once, into a cache folder outside the tracked tree."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(__file__).resolve().parent.parent / ".data" / "peers"


def python(*requirements: str) -> None:
    """Make pinned packages importable, without their dependencies: those the platform has."""
    folder = CACHE / "-".join(sorted(requirements)).replace("=", "")
    if not folder.exists():
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), *requirements]
        subprocess.run(command, check=True)
    sys.path.append(str(folder))


def node(*requirements: str) -> Path | None:
    """A folder whose node_modules hold the packages. None where there is no Node."""
    if not shutil.which("node") or not shutil.which("npm"):
        return None
    folder = CACHE / "+".join(sorted(requirements)).replace(
        "/", "-"
    )  # one for each set: npm prunes what it is not told
    mark = folder / ".installed"
    if not mark.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}\n')
        subprocess.run(["npm", "install", "--silent", "--no-save", *requirements], cwd=folder, check=True, timeout=120)
        mark.touch()
    return folder
