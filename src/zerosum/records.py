"""JSON lines: what a run writes down while it goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zerosum.errors import UserError
from zerosum.files import disk_errors, write_text


class Numbers(dict[str, float]):
    """In a form: numbers by name."""


class Names(list[str]):
    """In a form: texts."""


Form = Mapping[str, Any]
"""What each row of a file must have, beside its place on the clock: types, or forms of parts."""
LOG_ROW: Form = {"values": Numbers}
SCORE_ROW: Form = {
    "scores": Numbers,
    "reference": Numbers,
    "reference_note": str,
    "protocol": {"real": str, "fake": int, "seed": int},
}
CHECKUP_ROW: Form = {"signals": Numbers, "failures": Names}
EVENT_ROW: Form = {
    **dict.fromkeys(("failure", "signal", "evidence", "remedy", "override", "action"), str),
    **dict.fromkeys(("step", "window"), int),
    **dict.fromkeys(("value", "threshold"), float),
}


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
    except (ValueError, RecursionError):
        return None
    return row if _fits(row, {"seen": int, **form}) else None


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value that JSON gave is of a kind, as a form has it."""
    if isinstance(kind, Mapping):
        return isinstance(value, dict) and all(_fits(value.get(n), k) for n, k in kind.items())
    if kind is Numbers:
        return isinstance(value, dict) and all(_fits(one, float) for one in value.values())
    if kind is Names:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if kind in (int, float):
        return isinstance(value, (int, kind)) and not isinstance(value, bool)
    return isinstance(value, kind)


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
