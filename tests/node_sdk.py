"""Woovi's published SDK for Node, and the Node that runs it. `python -m tests.node_sdk` fetches it, for `make test`.

Node comes as a wheel (requirements-dev.txt). The SDK is fetched alone, without the package that it depends on and never
loads, and is what it was when this was written: its digest is checked.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

PACKAGE, VERSION = "@woovi/node-sdk", "1.3.3"
SHA256 = "4d3611af1405cf4d262b05727f45c4fa16ff55fff427f7ea680b74562af51e35"  # of index.js
FOLDER = Path(__file__).resolve().parent.parent / ".data" / "peers" / f"woovi-node-sdk-{VERSION}"
INDEX = FOLDER / "package" / "dist" / "index.js"


def program(name: str) -> str | None:
    """Path of `node` or `npm`: the virtual environment's, or the system's."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)


def find() -> Path | None:
    """The SDK's module, if it is here and unchanged."""
    if INDEX.exists() and hashlib.sha256(INDEX.read_bytes()).hexdigest() == SHA256 and program("node"):
        return INDEX
    return None


def install() -> bool:
    """Fetch the SDK by npm. Whether it worked."""
    npm = program("npm")
    if not npm:
        return False
    FOLDER.mkdir(parents=True, exist_ok=True)
    command = [npm, "pack", "--silent", f"{PACKAGE}@{VERSION}"]
    try:
        done = subprocess.run(command, cwd=FOLDER, stdin=subprocess.DEVNULL, check=False, timeout=60)
    except subprocess.TimeoutExpired:
        return False
    for archive in FOLDER.glob("*.tgz") if done.returncode == 0 else ():
        with tarfile.open(archive) as packed:
            packed.extractall(FOLDER, filter="data")
    return find() is not None


def required() -> Path:
    """The SDK's module. Where npm could not fetch it the test is skipped: all that a new machine needs is Python's packages."""
    if (found := find()) is None:
        pytest.skip(f"npm could not fetch {PACKAGE} {VERSION}")
    return found


if __name__ == "__main__" and not find() and not install():
    print(f"npm could not fetch {PACKAGE} {VERSION}: two tests of the API are skipped.")
