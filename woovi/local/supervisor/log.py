"""The lines of many processes on one stream, each with its process's name before it."""

from __future__ import annotations

import os
import threading
from typing import TextIO

COLOURS = (36, 33, 35, 32, 34, 31)  # ANSI: cyan, yellow, magenta, green, blue, red


class Log:
    """Writes lines. In colour on a terminal, unless NO_COLOR is set (https://no-color.org).

    `broken` becomes true when nobody reads the stream any more.
    """

    def __init__(self, stream: TextIO, names: list[str]) -> None:
        self.broken = False
        self._stream = stream
        self._lock = threading.Lock()
        self._width = max(len(name) for name in names)
        self._colours = dict(zip(names, COLOURS * len(names), strict=False)) if self._coloured() else {}

    def line(self, name: str, text: str) -> None:
        prefix = f"{name:<{self._width}} |"
        if name in self._colours:
            prefix = f"\x1b[{self._colours[name]}m{prefix}\x1b[0m"
        self.write(f"{prefix} {text}\n")

    def write(self, text: str) -> None:
        with self._lock:
            try:
                if not self.broken:
                    self._stream.write(text)
                    self._stream.flush()
            except (OSError, ValueError):
                self.broken = True

    def _coloured(self) -> bool:
        return self._stream.isatty() and not os.environ.get("NO_COLOR")
