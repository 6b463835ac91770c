"""`zerosum doctor`: what is wrong with a run, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerosum.cli.tables import show

if TYPE_CHECKING:
    from zerosum.pipelines.examine import Opinion


def doctor(
    run: Annotated[Path, typer.Argument(help="Folder of a run, finished or stopped.")],
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Also the game's eigenvalues and the duality gap; slower."),
    ] = False,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write signals and events to this file too.")
    ] = None,
    module: Annotated[
        str | None, typer.Option(help="Module or .py file of a model of your own.")
    ] = None,
) -> None:
    """Name what goes wrong in a run, with the evidence and the remedy.

    Example: zerosum doctor runs/clothes
    """
    from zerosum.files import must_be_json, write_text
    from zerosum.pipelines.examine import examine

    must_be_json(json)
    opinion = examine(run, module=module, deep=deep)
    try:  # before anything is printed, which may fail as well
        if json is not None:
            write_text(json, _dumped(opinion))
    finally:
        _signals(opinion)
        _verdict(opinion)
    if json is not None:
        print(f"written to {json}")


def _signals(opinion: Opinion) -> None:
    """The newest signals, with the limit that each must keep."""
    from zerosum.doctor.rules import RULES

    last = opinion.checkups[-1]["signals"] if opinion.checkups else {}
    limits = {rule.signal.removesuffix("/*"): rule for rule in RULES}
    rows = [["signal", "now", "healthy", "else"]]
    for name, value in (last | opinion.now).items():
        rule = limits.get(name.partition("/")[0]) or limits.get(name)
        healthy = f"{'<' if rule.above else '>'} {rule.limit:g}" if rule else ""
        rows.append([name, f"{value:.3g}", healthy, rule.failure if rule else ""])
    show("", rows, ("signal", "healthy", "else"))


def _verdict(opinion: Opinion) -> None:
    from dataclasses import fields

    from zerosum.doctor.event import Event

    known = [field.name for field in fields(Event)]
    for event in opinion.data:
        print(event)
    for row in opinion.events:
        if row["failure"] == "data problem" and opinion.data:
            continue
        print(f"at {row['seen']:,} examples  {Event(**{name: row[name] for name in known})}")
    if opinion.eigenvalues is not None:
        shown = ", ".join(f"{v.real:.3g} {v.imag:+.3g}i" for v in opinion.eigenvalues.tolist())
        growing = any(v.real > 1e-6 for v in opinion.eigenvalues.tolist())
        print(f"eigenvalues of the game: {shown} ({'some grow' if growing else 'none grows'})")
    if opinion.gap is not None:
        whole, critic, generator = opinion.gap
        print(
            f"duality gap {whole:.3g}: the critic can still gain {critic:.3g}, the generator "
            f"{generator:.3g} (0 at an equilibrium)"
        )
    if not opinion.data and not opinion.events:
        watched = f"{len(opinion.checkups)} checkups" if opinion.checkups else "it was not watched"
        look = f"; one look at its end shows {', '.join(opinion.shown)}" if opinion.shown else ""
        print(f"no failure was named ({watched}){look}")


def _dumped(opinion: Opinion) -> str:
    import json

    values = opinion.eigenvalues
    tree = {
        "signals": opinion.now,
        "events": opinion.events,
        "data": [event.row() for event in opinion.data],
        "checkups": opinion.checkups,
        "eigenvalues": None if values is None else [[v.real, v.imag] for v in values.tolist()],
        "duality_gap": opinion.gap,
    }
    return json.dumps(tree, indent=1) + "\n"
