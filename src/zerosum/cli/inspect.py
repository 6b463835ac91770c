"""`zerosum inspect`: what is in these data, and what is wrong with them?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from zerosum.data.inspect import Report


def inspect(
    path: Annotated[str, typer.Argument(help="Folder, archive, array file or named set.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at a set of images: counts, sizes, classes, duplicates, unreadable files.

    Ends with the exact command to type next. Example: zerosum inspect photos/
    """
    from zerosum.data.inspect import inspect as look

    report = look(path)
    if as_json:
        print(json.dumps(report.to_dict(), indent=2))
        return
    _show(report)


def _show(report: Report) -> None:
    """The report for people: a table, then what to mind, then what to type."""
    sizes = {f"{height}x{width}": count for (height, width), count in report.sizes.items()}
    rows = {
        "images": f"{report.count:,} ({report.train:,} to learn from, held out: "
        f"{report.heldout_note})",
        "sizes": _counts(sizes),
        "modes": _counts(report.modes),
        "channels": f"{report.channels}"
        + (f" (with transparency: {report.transparent:,})" if report.transparent else ""),
        "classes": _counts(report.classes, most=12) if report.classes else "none",
        "duplicates": _names([" = ".join(group) for group in report.duplicates]),
        "near-constant": _names(report.constant),
        "unreadable": _names([f"{name} ({why})" for name, why in report.unreadable.items()]),
        "in memory": f"{report.memory / 2**20:,.1f} MiB",
    }
    print(report.path)
    for name, value in rows.items():
        print(f"  {name:<14}{value}")
    for line in report.notes:
        print(f"  {'note':<14}{line}")
    for line in report.warnings:
        print(f"  {'WARNING':<14}{line}")
    print(f"\nnext: {report.command}")


def _counts(counts: Mapping[str, int], most: int = 6) -> str:
    shown = ", ".join(f"{name}: {count:,}" for name, count in [*counts.items()][:most])
    return shown + (f", and {len(counts) - most} more" if len(counts) > most else "")


def _names(names: Sequence[str], most: int = 5) -> str:
    if not names:
        return "none"
    more = f", and {len(names) - most:,} more" if len(names) > most else ""
    return f"{len(names):,}: {', '.join(names[:most])}{more}"
