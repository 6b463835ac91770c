"""`zerosum bench doctor`: does the doctor name what is wrong, and only that?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from zerosum.cli.tables import show
from zerosum.limits import MOST_SEEDS

WORDS = ("case", "planted", "actions")


def ward(
    names: Annotated[
        str | None, typer.Option("--cases", help="Of these cases only, such as hot,few,rpgan.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=MOST_SEEDS, help="Trainings of each case.")] = 3,
    act: Annotated[
        bool, typer.Option("--act", help="Train the broken runs with doctor.policy=act too.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Trainings at a time.  [default: one per core]")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("runs/ward"),
    json: Annotated[
        Path | None, typer.Option("--json", help="Write all results to this file too.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Write the tables between the markers of this page too.")
    ] = None,
    train: Annotated[
        bool, typer.Option(help="--no-train shows what is there, without training more.")
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Train runs broken on purpose, and healthy ones, and print what the doctor said of each.

    Example: zerosum bench doctor --seeds 1 --cases hot,few,rpgan
    """
    from json import dumps

    from zerosum.bench.pages import between_marks, demand
    from zerosum.bench.ward.report import endings, markdown, matrix, totals, treated
    from zerosum.bench.ward.run import Trial, cases, run
    from zerosum.errors import UserError
    from zerosum.files import must_be_json, write_text
    from zerosum.training.pool import cores

    must_be_json(json)
    chosen = cases([name.strip() for name in names.split(",")] if names else [])
    if act:  # treated runs are compared with their healthy twins
        twins = {case.twin for case in chosen} - {case.name for case in chosen}
        chosen += [case for case in cases([]) if case.name in twins]
    if page is not None:
        demand(page, "ward watch")
        demand(page, "ward act")

    def say(line: str) -> None:
        if not quiet:
            print(line, file=sys.stderr, flush=True)

    watched = [Trial(case, seed, "watch", out) for seed in range(seeds) for case in chosen]
    acted = [
        Trial(case, seed, "act", out)
        for seed in range(seeds if act else 0)
        for case in chosen
        if case.failure
    ]
    trials = [*watched, *acted]
    if train:
        run(trials, jobs or cores(), say)
    results = [result for trial in watched if (result := trial.result) is not None]
    ends = [result for trial in acted if (result := trial.result) is not None]
    if not results:
        raise UserError(f"{out} holds no results yet: run without --no-train")
    found = matrix(chosen, results)
    if json is not None:
        write_text(json, dumps({"watch": results, "act": ends}, indent=1) + "\n")
    if page is not None:
        between_marks(page, "ward watch", f"{markdown(found)}\n\n{totals(results)}.")
        if ends:
            table = markdown(treated(chosen, results, ends))
            between_marks(page, "ward act", f"{table}\n\n{endings(chosen, results, ends)}.")
    show("what the doctor said, by the number of seeds", found, WORDS)
    print(totals(results))
    if ends:
        show("runs treated with doctor.policy=act", treated(chosen, results, ends), WORDS)
        print(endings(chosen, results, ends))
    if json is not None:
        print(f"results written to {json}")
