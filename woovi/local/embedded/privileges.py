"""As which user PostgreSQL runs when this process is root, and how that user reaches its files."""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

# <linux/prctl.h>, <linux/securebits.h>, <linux/capability.h>
PR_SET_PDEATHSIG, PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 28, 47, 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


class Unprivileged(Exception):
    """Root cannot give the engine an unprivileged user that reaches its files; the message says what to do."""


def server_user(data: Path) -> tuple[int, int] | None:
    """The (uid, gid) that PostgreSQL, which refuses to run as root, shall have. None where we are not root.

    Who owns the data already stays their owner: a user `postgres` may have come with a package in between.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        return data.stat().st_uid, data.stat().st_gid
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)[2:4]
        except KeyError:
            continue
    raise Unprivileged(
        "PostgreSQL does not run as root, and there is no user postgres or nobody to run it as: "
        "add one (useradd --system postgres), run as another user, or set DATABASE_URL"
    )


def reaches(user: tuple[int, int], *paths: Path) -> bool:
    """Whether the user may read and enter (or execute) each of the paths."""
    test = 'for path; do test -r "$path" && test -x "$path" || exit 1; done'
    command = ["/bin/sh", "-c", test, "sh", *map(str, paths)]
    return subprocess.run(command, user=user[0], group=user[1], extra_groups=[], cwd="/").returncode == 0


def allow_search() -> int:
    """Let this process's children keep one capability when they change their user. Returns that capability.

    A clone in /root (mode 700) is out of reach for every other user. Opening people's folders is not ours to do,
    copying data and binaries elsewhere would hide them; so the server alone may pass through folders. Without
    `NO_SETUID_FIXUP` the kernel would drop the capability for `access(2)`, with which PostgreSQL looks for itself.
    """
    try:
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        permitted = int(status["CapPrm"], 16)
        capability = next(c for c in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if permitted >> c & 1)
        _prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
    except (OSError, StopIteration) as error:
        raise Unprivileged(
            "the user that PostgreSQL runs as cannot reach this folder, and root may not help it here: "
            "move the clone and WOOVI_DATA_DIR to a folder that everybody may enter, or set DATABASE_URL"
        ) from error
    return capability


def in_child(stop: signal.Signals, capability: int | None) -> Callable[[], None]:
    """What runs in an engine's process before its program: keep the capability, and die with the keeper.

    Runs after the change of user, which clears the signal.
    """
    keeper = os.getpid()

    def run() -> None:
        if capability is not None:
            bits = 1 << capability
            header = struct.pack("Ii", CAPABILITY_VERSION_3, 0)
            if _libc.capset(header, struct.pack("6I", bits, bits, bits, 0, 0, 0)) != 0:
                raise OSError(ctypes.get_errno(), "capset")
            _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)
        if hasattr(_libc, "prctl"):  # elsewhere than on Linux, the next keeper stops what a killed one left
            _prctl(PR_SET_PDEATHSIG, stop)
            if os.getppid() != keeper:
                os.kill(os.getpid(), signal.SIGKILL)

    return run


def _prctl(option: int, first: int, second: int = 0) -> None:
    arguments = [ctypes.c_ulong(value) for value in (first, second, 0, 0)]
    if _libc.prctl(ctypes.c_int(option), *arguments) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")
