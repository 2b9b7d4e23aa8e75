"""The system's packages, for the programs that tests need and no wheel has."""

from __future__ import annotations

import os
import shutil
import subprocess


def known(name: str) -> bool:
    """Whether we may install a package, and the lists at hand have it."""
    if os.geteuid() != 0 or not shutil.which("apt-cache"):
        return False
    return subprocess.run(["apt-cache", "show", name], capture_output=True, check=False).returncode == 0


def install(*names: str) -> bool:
    """As root on Debian and its like. The lists of packages are fetched only where those at hand do not do. Whether it worked."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    wanted = ["install", "-y", "--no-install-recommends", *names]
    return _apt(*wanted, quiet=True) or (_apt("update") and _apt(*wanted))


def _apt(*words: str, quiet: bool = False) -> bool:
    command = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0", *words]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    errors = subprocess.DEVNULL if quiet else None
    return (
        subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stderr=errors, check=False).returncode == 0
    )
