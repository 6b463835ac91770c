"""`zerosum qsar`: a model of a measured property of molecules, and what it predicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerosum.progress import ProgressBar

if TYPE_CHECKING:
    from zerosum.chem.fitting import Fitted


def qsar(
    data: Annotated[
        str,
        typer.Argument(help="Measured molecules (.csv, .tsv, .sdf); with --predict, a model."),
    ],
    target: Annotated[str, typer.Option(help="Column to predict: numbers or two classes.")] = "",
    predict: Annotated[
        str | None, typer.Option(help="Molecules to predict with the model.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the model, or table of predictions.  "
            "[default: runs/qsar, or predictions.csv]",
            show_default=False,
        ),
    ] = None,
    column: Annotated[str, typer.Option(help="Column of SMILES, where it is not found.")] = "",
    positive: Annotated[str, typer.Option(help="Class to predict, where it is not clear.")] = "",
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Of forests, random split, bootstrap.")
    ] = 0,
    trees: Annotated[int, typer.Option(min=10, max=10_000, help="Of each forest.")] = 300,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Fit a random forest to measured molecules, beside a linear model, and judge both.

    The model goes into a score as qsar:RUN; outside its domain it gives no reward.

    Example: zerosum qsar actives.csv --target pIC50 --out runs/qsar
    Then: zerosum qsar runs/qsar --predict new.smi --out predictions.csv
    """
    from zerosum.pipelines.qsar import predict_qsar, train_qsar

    if predict is not None:
        place = out or Path("predictions.csv")
        lines, good, inside = predict_qsar(Path(data), predict, place, column)
        print(f"{good:,} of {lines:,} lines predicted, {inside:,} inside the model's domain")
        print(f"written to {place}")
        return
    place = out or Path("runs/qsar")
    progress = ProgressBar(quiet)
    try:
        found = train_qsar(
            data,
            target,
            place,
            column=column,
            positive=positive,
            seed=seed,
            trees=trees,
            on_progress=progress,
        )
    finally:
        progress.close()
    for line in _said(found):
        print(line)
    print(f"written to {place}; as a part of a score: qsar:{place}")


def _said(found: Fitted) -> list[str]:
    facts = found.model.facts
    what = f"probability of {facts.positive}" if facts.classes else "a number"
    lines = [
        f"{facts.molecules:,} molecules, {facts.target}: {what}",
        f"  domain   Tanimoto distance up to {facts.limit:.3f} from the nearest of them",
    ]
    for row in found.rows:
        figure = f"{row.value:.3f} [{row.low:.3f}, {row.high:.3f}]"
        lines.append(f"  {row.split:<9}{row.model:<11}{row.metric:<6}{figure}")
    for part in found.parts:
        told = f"  {part.split:<9}{part.train:,} for training, {part.test:,} for the test"
        told += f", {part.inside:.0%} of these inside the domain"
        if part.inside_value == part.inside_value:
            told += f" ({'AUC' if facts.classes else 'R2'} {part.inside_value:.3f} there)"
        if part.covered == part.covered:
            told += f", {part.covered:.0%} within their 90 % interval"
        lines.append(told)
    return lines + [f"  note     {line}" for line in found.notes]
