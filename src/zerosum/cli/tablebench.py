"""`zerosum bench tables`: every system for tables on several of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from zerosum.limits import LARGEST_CLOCK, MOST_SEEDS


def tables(
    sets: Annotated[
        str | None, typer.Option(help="Of these tables only, such as german,wine.", metavar="A,B")
    ] = None,
    systems: Annotated[
        str | None, typer.Option(help="Of these systems only, such as ctgan,tvae.", metavar="A,B")
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=MOST_SEEDS, help="Trainings of each system.")
    ] = 3,
    examples: Annotated[
        int,
        typer.Option(min=0, max=LARGEST_CLOCK, help="Rows seen; 0 for the preset's length."),
    ] = 0,
    out: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("runs/tables"),
    page: Annotated[
        Path | None, typer.Option(help="Page whose table to bring up to date.")
    ] = None,
    train: Annotated[
        bool, typer.Option(help="--no-train shows what is there, without training more.")
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Train and score all systems for tables beside the baselines; goes on where it stopped.

    Example: zerosum bench tables --sets german,wine --systems ctgan,tvae --seeds 1
    """
    from zerosum.bench import tables as bench
    from zerosum.bench.pages import between_marks, demand
    from zerosum.errors import UserError

    if page is not None:
        demand(page, "tables: all")
    chosen = bench.chosen(_words(sets), list(bench.SETS), "table")
    names = bench.chosen(_words(systems), bench.systems(), "system")
    trials = [
        bench.Trial(data, name, seed, examples, out)
        for seed in range(seeds)
        for data in chosen
        for name in names
    ]
    results = {}
    for trial in trials:
        found = trial.result
        if found is None and train:
            found = bench.play(
                trial,
                rivals=trial.name == names[0],
                say=lambda line: None if quiet else print(line, file=sys.stderr, flush=True),
            )
        if found is not None:
            results[trial] = found
    if not results:
        raise UserError(f"{out} holds no results of these yet: run without --no-train")
    words = ["zerosum bench tables"]
    words += [f"--sets {','.join(chosen)}"] if sets else []
    words += [f"--systems {','.join(names)}"] if systems else []
    words += [f"--seeds {seeds}"] + ([f"--examples {examples}"] if examples else [])
    text = f"{bench.table(results)}\n\n{bench.note(results, ' '.join(words))}"
    print(text)
    if page is not None:
        between_marks(page, "tables: all", text)


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]
