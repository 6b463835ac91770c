"""`zerosum dock`: how well molecules fit a protein, by AutoDock Vina."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zerosum.progress import ProgressBar

_SHOWN = 3


def dock(
    data: Annotated[
        str, typer.Argument(help="Molecules: .smi, .csv, .tsv, .sdf (.gz), or a named set.")
    ],
    target: Annotated[
        str,
        typer.Option(help="A target of dockstring, or a folder with receptor.pdbqt and a box."),
    ] = "",
    out: Annotated[Path, typer.Option(help="The table of scores.")] = Path("docked.csv"),
    poses: Annotated[
        Path | None, typer.Option(help="An .sdf file for the docked poses, best first.")
    ] = None,
    column: Annotated[str, typer.Option(help="Column of SMILES, where it is not found.")] = "",
    exhaustiveness: Annotated[
        int, typer.Option(min=1, max=1024, help="Runs of the search; the time grows with it.")
    ] = 1,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 2, help="Of shapes and search.")] = 0,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=1e6, help="Seconds for each molecule.")
    ] = 120.0,
    atoms: Annotated[
        int, typer.Option(min=1, max=200, help="Heavy atoms up to which molecules are docked.")
    ] = 50,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=1024, help="Processes at a time.  [default: one per processor]"),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder of kept dockings.  [default: ZEROSUM_CACHE/scores]"),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Dock molecules into a protein: score in kcal/mol and per heavy atom, and poses.

    Every docking is kept, so the same command goes on where it was stopped.

    Example: zerosum dock new.smi --target CA2 --out docked.csv --poses best.sdf
    """
    from zerosum.chem.scorers import Settings, processors
    from zerosum.errors import UserError
    from zerosum.names import printable
    from zerosum.pipelines.dock import dock as dock_all

    if not target:
        raise UserError("name the protein with --target, such as --target CA2")
    settings = Settings(cache, workers or processors(), timeout, seed, exhaustiveness, atoms)
    progress = ProgressBar(quiet)
    try:
        found = dock_all(
            data,
            target,
            out,
            poses=poses,
            column=column,
            settings=settings,
            on_progress=lambda done, total: progress("docking", done, total),
        )
    finally:
        progress.close()
    for smiles, score in found.best[:_SHOWN]:
        print(f"  {score:7.2f} kcal/mol  {printable(smiles)}")
    without = sum(found.reasons.values())
    print(f"{found.lines - without:,} of {found.lines:,} lines have a score", end="")
    print(f" ({found.counts.calls:,} docked now, {found.counts.cached:,} known from before)")
    if without:
        told = ", ".join(f"{count:,} {why}" for why, count in found.reasons.most_common())
        print(f"{without:,} without: {printable(told)}")
    print(f"written to {out}" + (f", poses to {poses}" if poses is not None else ""))
