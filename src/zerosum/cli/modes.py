"""`zerosum bench modes`: how many modes of a known law methods find."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerosum.cli.tables import show
from zerosum.limits import LARGEST_CLOCK, MOST_SEEDS
from zerosum.progress import ProgressBar

if TYPE_CHECKING:
    from zerosum.bench.modes.report import Report


def modes(
    suite: Annotated[
        str, typer.Option(help="ring, grid or stacked-mnist; several with commas.")
    ] = "ring",
    profile: Annotated[
        str,
        typer.Option(
            help="smoke: ours, minutes on two cores; paper: as published; r3gan: R3GAN's networks "
            "on stacked-mnist."
        ),
    ] = "smoke",
    models: Annotated[
        str | None, typer.Option(help="Of the methods only, such as gan,rpgan_r1r2.")
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_SEEDS, help="How many, trained side by side.  [default: the profile's]"
        ),
    ] = None,
    updates: Annotated[
        int | None,
        typer.Option(
            min=1, max=LARGEST_CLOCK, help="Updates of the generator.  [default: the profile's]"
        ),
    ] = None,
    trials: Annotated[
        int,
        typer.Option(
            min=0,
            help="Pairs of learning rates, up to 9, that each method tries on the ring first; "
            "its best serves ring and grid.",
        ),
    ] = 0,
    out: Annotated[Path, typer.Option(help="Folder of results, pictures and checkpoints.")] = Path(
        "runs/modes"
    ),
    json: Annotated[
        Path | None, typer.Option("--json", help="Write all results to this file too.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Write the table between the markers of this page too.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:1.")] = "cpu",
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Count the modes that methods find on laws whose modes are known; goes on where it stopped.

    Example: zerosum bench modes --suite ring --seeds 4
    """
    from zerosum.bench.modes.bench import demand_search, run
    from zerosum.bench.modes.methods import methods
    from zerosum.bench.modes.report import mark, shown
    from zerosum.bench.modes.settings import setting
    from zerosum.bench.pages import between_marks, demand
    from zerosum.files import must_be_json, write_text

    names = list(dict.fromkeys(part.strip() for part in suite.split(",")))
    for name in names:  # all refusals before the first training
        setting(name, profile)
        demand_search(name, profile, trials)
        if page is not None:
            demand(page, mark(name, profile))
    if models is not None:
        methods(models)
    must_be_json(json)
    reports = []
    progress = ProgressBar(quiet)
    try:
        for name in names:
            report = run(
                name,
                profile,
                models=models,
                seeds=seeds,
                updates=updates,
                trials=trials,
                out=out,
                device=device,
                on_progress=progress,
            )
            reports.append(report)
            if page is not None:
                between_marks(page, report.mark, report.markdown())
    finally:
        progress.close()
    if json is not None:
        write_text(json, shown(reports))
    for report in reports:
        _show(report)
    if json is not None:
        print(f"results written to {json}")
    print(f"pictures in {out}/SUITE-PROFILE/METHOD/samples.png")


def _show(report: Report) -> None:
    show(f"{report.suite}, {report.profile}", report.table(), ("method", "published"))
    for note in report.notes:
        print(note)
