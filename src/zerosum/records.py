"""JSON lines: what a run writes down while it goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from zerosum.errors import UserError
from zerosum.files import disk_errors, write_text

Form = Mapping[str, type]
"""What each row of a file must have, beside its place on the clock."""
LOG_ROW: Form = {"values": dict}
SCORE_ROW: Form = {"scores": dict, "reference": dict, "reference_note": str, "protocol": dict}
CHECKUP_ROW: Form = {"signals": dict, "failures": list}
EVENT_ROW: Form = {"failure": str, "evidence": str, "remedy": str, "action": str}


def read_lines(path: Path, form: Form | None = None) -> list[dict]:
    """Rows of a JSON-lines file; a torn last line, as a kill leaves it, is left out.

    Args:
        path: The file; there are no rows where it is missing.
        form: What each row must have, beside `seen`.

    Raises:
        UserError: Another line is damaged.
    """
    if not path.is_file():
        return []
    *whole, torn = path.read_bytes().split(b"\n")
    found = [_row(line, form or {}) for line in whole]
    last = _row(torn, form or {})
    if None in found:
        raise UserError(
            f"{path} is damaged in line {found.index(None) + 1}: take that line out, or bring the "
            "file back"
        )
    return [row for row in (*found, last) if row is not None]


def _row(line: bytes, form: Form) -> dict | None:
    """A line as a row; None where it is none."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    wanted = {"seen": int, **form}
    fits = isinstance(row, dict) and all(isinstance(row.get(n), t) for n, t in wanted.items())
    return row if fits else None


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
