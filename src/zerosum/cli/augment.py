"""`zerosum augment`: more examples of a rare class, and what a classifier gains from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerosum.progress import ProgressBar

if TYPE_CHECKING:
    from zerosum.pipelines.augmenting import Augmented


def augment(
    run: Annotated[Path, typer.Argument(help="Folder of a run or of an exported model.")],
    data: Annotated[
        str | None,
        typer.Option(help="The table to augment.  [default: the run's own]", show_default=False),
    ] = None,
    target: Annotated[
        str, typer.Option(help="The column of classes.  [default: data.target, or the last]")
    ] = "",
    value: Annotated[
        str,
        typer.Option("--class", help="The class of which rows are made.  [default: the rarest]"),
    ] = "",
    add: Annotated[
        int,
        typer.Option(min=0, max=10_000_000, help="How many.  [default: as many as are lacking]"),
    ] = 0,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="How often it is measured.")] = 5,
    learner: Annotated[
        str, typer.Option(help="Of a table: boosting, forest or linear.  [default: boosting]")
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="FILE.csv for the training rows and the added ones.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="FILE.json for the scores.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    module: Annotated[
        str | None, typer.Option(help="Module or .py file of a model of your own.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Add generated rows or pictures of a class; measure what a classifier gains from them.

    Beside them: SMOTE (rows) or shifted copies (pictures), class weights, and nothing.

    Example: zerosum augment runs/people --target ill --class yes --out more.csv
    """
    from zerosum.cli.tables import show
    from zerosum.files import must_be_json
    from zerosum.names import printable
    from zerosum.pipelines.augmenting import augment as measure
    from zerosum.pipelines.generate import Generator

    must_be_json(json)
    generator, progress = Generator.load(run, device=device, module=module), ProgressBar(quiet)
    try:
        found = measure(
            generator,
            data or "",
            target=target,
            value=value,
            add=add,
            seeds=seeds,
            learner=learner,
            out=out,
            on_progress=lambda done, total: progress("learning", done, total),
        )
    finally:
        progress.close()
    kind = printable(f"{found.target}={found.value}")
    print(
        f"{kind}: {found.learned[1]:,} of {found.learned[0]:,} training {found.noun}, "
        f"{found.tested[1]:,} of {found.tested[0]:,} of the test (held out: {found.held_out}); "
        f"{found.added:,} {found.noun} added"
    )
    show("", _rows(found), left=(found.noun,))
    print(
        f"{found.learner}, {seeds} seeds; [95 % interval] over tested {found.noun} and seeds; "
        "gain over nothing"
    )
    _write(found, json)
    if out is not None:
        print(f"written to {out}")


def _rows(found: Augmented) -> list[list[str]]:
    names = list(next(iter(found.scores.values())))
    rows = [[found.noun, *[word for name in names for word in (name, f"gain in {name}")]]]
    for number, (way, scores) in enumerate(found.scores.items()):
        cells = []
        for value, gain in scores.values():
            assert gain.interval is not None
            low, high = gain.interval
            said = "-" if not number else f"{gain.value:+.3f} [{low:+.3f}, {high:+.3f}]"
            cells += [f"{value.value:.3f}", said]
        rows.append([way, *cells])
    return rows


def _write(found: Augmented, path: Path | None) -> None:
    from json import dumps

    from zerosum.files import write_text

    if path is None:
        return
    scores = {
        way: {
            name: {
                "value": value.value,
                "interval": value.interval,
                "gain": gain.value,
                "gain_interval": gain.interval,
            }
            for name, (value, gain) in measures.items()
        }
        for way, measures in found.scores.items()
    }
    facts = {"target": found.target, "class": found.value, "added": found.added}
    facts |= {"learned": found.learned, "tested": found.tested, "held_out": found.held_out}
    write_text(path, dumps(facts | {"scores": scores}, indent=2) + "\n")
