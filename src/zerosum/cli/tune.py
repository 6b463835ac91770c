"""`zerosum tune`: a search for the best recipe around a preset."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from zerosum.limits import LARGEST_SEED
from zerosum.progress import ProgressBar

MOST_TRIALS = 1000
"""Trials have three digits, and the sampler's work grows with the cube of their number."""
MOST_SECONDS = 1e7
"""Four months of one core."""


def tune(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="SYSTEM[/PRESET] [PATH=VALUE]...",
            help="What to tune (see `zerosum list`), and overrides that stay.",
            show_default=False,
        ),
    ],
    trials: Annotated[
        int,
        typer.Option(min=1, max=MOST_TRIALS, help="Trainings; the first is the preset itself."),
    ] = 12,
    seconds: Annotated[
        float,
        typer.Option(min=0, max=MOST_SECONDS, help="Processor time of each on one thread."),
    ] = 60,
    data: Annotated[
        str | None,
        typer.Option(help="Folder, archive, file or named set to learn from."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the search.  [default: runs/tune-SYSTEM-PRESET]"),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Of the trainings and the search.")
    ] = 1000,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Trainings at a time.  [default: one per core]")
    ] = None,
    module: Annotated[
        str | None, typer.Option(help="Module or .py file of a model of your own.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Search for a better recipe: rates, betas, averaging, penalties. Goes on where it stopped.

    Example: zerosum tune rpgan/digits --trials 12 --seconds 20
    """
    from zerosum.core.overrides import parse
    from zerosum.core.registry import recipe as find
    from zerosum.errors import UserError
    from zerosum.pipelines.tune import tune as search
    from zerosum.pipelines.tune.search import in_words
    from zerosum.training.pool import cores

    names = [word for word in what if "=" not in word]
    if len(names) != 1:
        raise UserError(f"name one system to tune, not {len(names)}; overrides are PATH=VALUE")
    recipe = find(names[0], module)
    if data is not None:
        recipe = recipe.with_data(data)
    recipe = recipe.override(dict(parse(word) for word in what if "=" in word))
    folder = out or Path("runs") / f"tune-{recipe.system}-{recipe.preset}"
    bar = ProgressBar(quiet)

    def show() -> None:
        bar("trials", len(list(folder.glob("trials/*/result.json"))), trials)

    def say(line: str) -> None:
        bar.note(line)
        show()

    show()
    try:
        found = search(
            recipe,
            folder,
            trials=trials,
            seconds=seconds,
            seed=seed,
            jobs=jobs or cores(),
            module=module,
            say=say,
        )
    except KeyboardInterrupt:
        again = shlex.join(["zerosum", *sys.argv[1:]])
        print(f"stopped; what was trained is saved. To go on:  {again}", file=sys.stderr)
        raise typer.Exit(130) from None
    finally:
        bar.close()
    best, ends = found.trials[found.best][1], [one.state for _, one in found.trials]
    print(f"preset     {in_words(found.trials[0][1])}")
    print(
        f"best       {in_words(best)} (trial {best.number} of {len(ends)}; "
        f"{ends.count('stopped early')} stopped early, {ends.count('failed')} failed)"
    )
    print(f"cost       {found.cost:,.0f} s of processor time, scores included")
    print(f"page       {folder / 'index.html'}, {folder / 'trials.csv'}")
    print(f"recipe     {folder / 'recipe.json'}")
    print(f"next       {found.command}")
