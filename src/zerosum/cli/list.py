"""`zerosum list`: systems and presets."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def list_systems(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    remedies: Annotated[
        bool, typer.Option("--remedies", help="List what a recipe can add to a system instead.")
    ] = False,
) -> None:
    """List the systems that can be trained, with their presets and what each needs.

    Example: zerosum list
    """
    from zerosum.core.registry import list_models, system

    if remedies:
        _remedies(as_json)
        return
    rows = []
    for name in list_models():
        found = system(name)
        presets = {
            preset: {
                "data": recipe.data.title,
                "examples": recipe.train.examples,
                "about": recipe.about,
                "source": recipe.source,
            }
            for preset, recipe in found.presets.items()
        }
        needs = list(found.game.Config.needs)
        rows.append({"name": name, "summary": found.summary, "needs": needs, "presets": presets})
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("system", "what it is", "needs", "presets (data)"):
        table.add_column(column, overflow="fold")
    for row in rows:
        presets = ", ".join(_preset(name, p["data"]) for name, p in row["presets"].items())
        table.add_row(row["name"], row["summary"], ", ".join(row["needs"]) or "-", presets)
    Console().print(table)
    print("\nTrain one with  zerosum train SYSTEM/PRESET,  or on your own data with --data PATH.")


def _remedies(as_json: bool) -> None:
    """The remedies, with the games that can have them, their strength and their paper."""
    from zerosum.core.remedies import REMEDIES

    rows = [
        {"name": name, "needs": kind.needs, "usual": kind.usual, "paper": kind.paper}
        for name, kind in REMEDIES.items()
    ]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("remedy", "needs", "usual", "paper"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row.values())
    Console().print(table)
    print("\nGive a run some with  zerosum train SYSTEM remedies=NAME,NAME")


def _preset(name: str, data: str) -> str:
    return name if name == data else f"{name} ({data})"
