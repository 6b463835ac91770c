"""`zerosum impute`: the missing cells of a table filled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerosum.progress import ProgressBar


def impute(
    run: Annotated[Path, typer.Argument(help="Folder of a run or of an exported model.")],
    table: Annotated[str, typer.Argument(help="The table: .csv, .tsv (.gz) or .parquet.")],
    out: Annotated[Path, typer.Option(help="FILE.csv, .tsv, .csv.gz or .parquet.")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed fills the same.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    module: Annotated[
        str | None, typer.Option(help="Module or .py file of a model of your own.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Fill the missing cells of a table; what is there stays to the letter, in its order.

    Example: zerosum impute runs/people broken.csv --out full.csv
    """
    from zerosum.names import printable
    from zerosum.pipelines.impute import Imputer

    imputer = Imputer.load(run, device=device, module=module)
    progress = ProgressBar(quiet)
    try:
        found = imputer.fill_file(
            table,
            out,
            seed=seed,
            on_progress=lambda done, total: progress("filling", done, total),
        )
    finally:
        progress.close()
    for note in found.notes:
        print(printable(note))
    print(
        f"{sum(found.cells.values()):,} cells of {len(found.cells)} columns filled, in "
        f"{found.mended:,} of {found.rows:,} rows"
    )
    print(f"written to {out}")
