"""`zerosum bench`: comparisons of many trainings."""

from __future__ import annotations

import typer

from zerosum.cli.families import families
from zerosum.cli.modes import modes
from zerosum.cli.speed import speed
from zerosum.cli.tablebench import tables
from zerosum.cli.ward import ward

app = typer.Typer(
    name="bench",
    help="Benchmarks: comparisons of many trainings.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("modes")(modes)
app.command("families")(families)
app.command("doctor")(ward)
app.command("speed")(speed)
app.command("tables")(tables)


@app.callback()
def group() -> None:
    """Benchmarks: comparisons of many trainings.

    Example: zerosum bench modes --suite ring
    """
