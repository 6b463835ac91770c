"""JSON lines: what a run writes down while it goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from zerosum.files import disk_errors, write_text


def read_lines(path: Path) -> list[dict]:
    """Rows of a JSON-lines file; a torn last line is left out."""
    if not path.is_file():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


def append_line(path: Path, row: Mapping[str, object]) -> None:
    """Add one JSON line to a file."""
    with (
        disk_errors(path.parent, "the checkpoints written before are intact"),
        path.open("a", encoding="utf-8") as stream,
    ):
        stream.write(json.dumps(row) + "\n")


def forget_after(path: Path, seen: int) -> None:
    """Drop lines beyond a point of the clock: a resumed run writes them again."""
    if path.is_file():
        kept = [row for row in read_lines(path) if row["seen"] <= seen]
        write_text(path, "".join(json.dumps(row) + "\n" for row in kept))
