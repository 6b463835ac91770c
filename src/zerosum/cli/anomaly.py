"""`zerosum anomaly`: which examples are unlike what a run learned to be normal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerosum.progress import ProgressBar

if TYPE_CHECKING:
    from zerosum.pipelines.anomaly import Judgement


def anomaly(
    run: Annotated[Path, typer.Argument(help="Folder of a run or of an exported model.")],
    path: Annotated[
        str | None,
        typer.Argument(
            help="What to judge: folder, archive, array, one file; a table for runs on tables.  "
            "[default: the test part of the run's own data]",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The table: file, score, verdict.")] = Path(
        "scores.csv"
    ),
    maps: Annotated[
        Path | None, typer.Option(help="Folder for pictures with the anomalous pixels in red.")
    ] = None,
    threshold: Annotated[
        float,
        typer.Option(help="Share of held-out normal examples that the threshold lets pass."),
    ] = 0.95,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", help="A setting of scoring, such as steps=500 of anogan."),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Name unreadable files in the table, and go on.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    module: Annotated[
        str | None, typer.Option(help="Module or .py file of a model of your own.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Judge examples: a score, a verdict, and where the anomaly is.

    The threshold comes from normal examples that the run held out, never from what is judged.

    Example: zerosum anomaly runs/parts photos/ --out scores.csv --maps maps
    """
    from zerosum.cli.generate import pairs
    from zerosum.pipelines.anomaly import AnomalyDetector, judge_path

    progress = ProgressBar(quiet)
    try:
        detector = AnomalyDetector.load(
            run,
            device=device,
            module=module,
            options=pairs(option or [], "--option"),
            on_progress=progress,
        )
        found = judge_path(detector, path, out, maps=maps, quantile=threshold, skip_bad=skip_bad)
    finally:
        progress.close()
    for line in _said(found):
        print(line)
    where = f" and maps to {maps}" if maps else ""
    print(f"{len(found.names):,} scores written to {out}{where}")


def _said(found: Judgement) -> list[str]:
    called = sum(found.verdicts)
    lines = [
        f"{called:,} of {len(found.names):,} called anomalies: scores above "
        f"{found.threshold:.4g}, which {found.quantile:.4g} of {found.note} do not pass"
    ]
    if found.measures:
        told = [f"{name} {score}" for name, score in found.measures.items()]
        lines.append(f"against the truth: {', '.join(told)} [95 % interval]")
    if found.unreadable:
        first = next(iter(found.unreadable.values()))
        lines.append(f"{len(found.unreadable):,} unreadable, such as: {first}")
    return lines + list(found.notes)
