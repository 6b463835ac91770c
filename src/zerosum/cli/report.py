"""`zerosum report`: one page that explains a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerosum.limits import LARGEST_CLOCK, LARGEST_SEED
from zerosum.progress import ProgressBar


def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of a run.", show_default=False)
    ],
    samples: Annotated[
        int,
        typer.Option(
            min=0, max=LARGEST_CLOCK, help="Samples for scores with intervals; 0 leaves them out."
        ),
    ] = 2000,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of the samples.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    module: Annotated[
        str | None, typer.Option(help="Module or .py file of a model of your own.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Write report.html (one file, no network needed) and report.png into a run's folder.

    Example: zerosum report runs/demo
    """
    from zerosum.pipelines.report import report as write

    progress = ProgressBar(quiet)
    try:
        page, picture = write(
            run, samples=samples, seed=seed, device=device, module=module, on_progress=progress
        )
    finally:
        progress.close()
    print(f"report     {page}, {picture}")
