"""`zerosum bench families`: every image system on one set at one budget."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from zerosum.limits import MOST_SEEDS


def families(
    data: Annotated[str, typer.Option("--set", help="digits or fashion.")] = "digits",
    systems: Annotated[
        str | None, typer.Option(help="Of these systems only, such as gan,vae.", metavar="A,B")
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=MOST_SEEDS, help="Trainings of each system.")
    ] = 3,
    seconds: Annotated[
        float | None,
        typer.Option(
            help="Processor time of a training; 0 for the preset's length.  "
            "[default: 45, fashion 600]"
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=MOST_SEEDS,
            help="Of a search around each preset, for a second row; 0 for presets only.  "
            "[default: 8; none with --seconds 0]",
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Trainings at a time.  [default: one per core]")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("runs/families"),
    json: Annotated[
        Path | None, typer.Option("--json", help="Write all results to this file too.")
    ] = None,
    pages: Annotated[
        Path | None,
        typer.Option(help="Documentation folder whose tables and pictures to bring up to date."),
    ] = None,
    train: Annotated[
        bool, typer.Option(help="--no-train shows what is there, without training more.")
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Train, tune and score all image systems on one set at one budget; goes on where it stopped.

    Example: zerosum bench families --set digits --systems gan,vae,rpgan --seeds 3
    """
    from json import dumps

    from zerosum.bench.families.chart import draw_progress, draw_spectra
    from zerosum.bench.families.protocol import protocol
    from zerosum.bench.families.publish import publish
    from zerosum.bench.families.run import Trial, chosen, run
    from zerosum.bench.families.search import usual_trials
    from zerosum.bench.families.table import note, table
    from zerosum.errors import UserError
    from zerosum.files import must_be_json, write_text
    from zerosum.training.pool import cores

    must_be_json(json)
    judge = protocol(data)
    names = chosen([name.strip() for name in systems.split(",")] if systems else [], data)
    budget = judge.seconds if seconds is None else seconds
    if budget < 0:
        raise UserError(f"--seconds {budget:g}: a budget is 0 (the preset's length) or above")
    tries = usual_trials(budget) if trials is None else trials
    if tries and not budget:
        raise UserError(
            f"--trials {tries} with --seconds 0: a trial gets a quarter of the seconds, and the "
            "preset's length has none: give --seconds, or --trials 0"
        )
    rows = [0, tries] if tries else [0]  # the preset, and the best of a search around it
    if tries and train:
        _demand_optuna()
    wanted = [
        Trial(name, data, seed, budget, out, row)
        for row in rows
        for seed in range(seeds)
        for name in names
    ]
    if train:

        def say(line: str) -> None:
            if not quiet:
                print(line, file=sys.stderr, flush=True)

        results = run(wanted, jobs or cores(), say)
    else:
        results = [result for trial in wanted if (result := trial.result) is not None]
    if not results:
        raise UserError(f"{out} holds no results of this set yet: run without --no-train")
    rivals = judge.rivals()
    folder = out / data
    draw_progress(folder / "progress.png", judge, results, rivals)
    draw_spectra(folder / "spectra.png", judge, results)
    if json is not None:
        write_text(json, dumps({"results": results, "rivals": rivals}, indent=1) + "\n")
    changed = publish(pages, judge, results, rivals, folder) if pages is not None else []
    print(table(results, rivals))
    print(f"\n{note(judge, results)}")
    for path in changed:
        print(path, file=sys.stderr)


def _demand_optuna() -> None:
    """Refuse, before the first training, what would fail hours later."""
    from zerosum.errors import UserError, require

    try:
        require("optuna", "tune")
    except UserError as error:
        raise UserError(f"{error}, or give --trials 0 for the presets only") from error
