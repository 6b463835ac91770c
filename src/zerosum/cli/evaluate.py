"""`zerosum evaluate`: scores of runs or of folders of images, with intervals and ceilings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerosum.limits import LARGEST_CLOCK, LARGEST_SEED
from zerosum.progress import ProgressBar

WIDEST = 2**16
"""Pixels of the longest side that a recipe may ask for too."""

if TYPE_CHECKING:
    from zerosum.metrics.record import ScoreRecord
    from zerosum.pipelines.evaluate import Evaluation


def evaluate(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RUN",
            help="Folders of runs or of exported models, to be shown side by side.",
            show_default=False,
        ),
    ] = None,
    real: Annotated[
        str | None, typer.Option(help="Real images: folder, archive or named set.")
    ] = None,
    fake: Annotated[
        str | None, typer.Option(help="Generated images, to be scored against --real.")
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            help="Of fd, kd, prdc, is, mind, sliced-wasserstein, vendi, fd-infinity, "
            "birthday-support, authenticity, ct, fld, cas, those of detectors (auroc, ap, f1, "
            "fpr95), and those of the kind of data (images: ms-ssim, "
            "spectrum; tables: shapes, tstr, ...).  [default: by the kind of data]"
        ),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            help="pixels, random-conv, cnn-SET, efficientnet-lite0, dinov2, clip, "
            "inception-2015, onnx:FILE or torchscript:FILE.  [default: by the data]"
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option(max=LARGEST_CLOCK, help="Generated images; at most as many real ones.")
    ] = 2000,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="The same seed gives the same figures.")
    ] = 0,
    size: Annotated[
        str | None, typer.Option(help="With --real: bring images to 64 or 64x128 pixels.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", help="A setting of sampling, such as truncation=0.7."),
    ] = None,
    baselines: Annotated[
        bool,
        typer.Option("--baselines", help="Score honest methods that are no GAN beside it."),
    ] = False,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write all score records to this file too.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    module: Annotated[
        str | None, typer.Option(help="Module or .py file of a model of your own.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Score generators: each score with its interval and with what held-out reals reach.

    Example: zerosum evaluate runs/demo --metrics fd,kd,prdc --samples 2000
    """
    from zerosum.cli.generate import pairs
    from zerosum.errors import UserError
    from zerosum.files import must_be_json
    from zerosum.pipelines.evaluate import Evaluator

    if runs and (real or fake):
        raise UserError("give runs, or --real and --fake, not both")
    if not runs and not (real and fake):
        raise UserError("nothing to score: name the folder of a run, or give --real and --fake")
    if size is not None and runs:
        raise UserError("--size is for --real and --fake: runs have the size they learned at")
    if option and not runs:
        raise UserError("--option is for runs: --fake holds samples that are drawn")
    must_be_json(json)
    progress = ProgressBar(quiet)
    evaluator = Evaluator(
        [] if metrics is None else metrics.split(","),
        features=features,
        samples=samples,
        seed=seed,
        device=device,
        options=pairs(option or [], "--option"),
        on_progress=progress,
    )
    try:
        if runs:
            found = [evaluator.run(run, module) for run in runs]
            found += evaluator.baselines(runs[0], module) if baselines else []
        else:
            assert real is not None and fake is not None
            found = [evaluator.folders(real, fake, _size(size))]
    finally:
        progress.close()
    try:  # before anything is printed, which may fail as well
        if json is not None:
            _write(found, json)
    finally:
        show(found)
    if json is not None:
        print(f"records written to {json}")


def _size(text: str | None) -> tuple[int, int] | None:
    from zerosum.errors import UserError

    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,5})(?:x([0-9]{1,5}))?", text)
    if found is None or not all(1 <= int(side) <= WIDEST for side in found.groups("1")):
        raise UserError(f"--size {text} is no size: write 64 or 64x128 (height x width)")
    return int(found[1]), int(found[2] or found[1])


def show(found: Sequence[Evaluation]) -> None:
    """Print one table of all evaluations, with the ceiling of each real set after its last run."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 60 + sum(max(44, len(one.name) + 4) for one in found)
    columns = _columns(found)
    table = Table(box=SIMPLE_HEAD)
    table.add_column("score", no_wrap=True)
    for name, records in columns:
        table.add_column(f"{name}\n{_counts(records)}", justify="right", overflow="fold")
    for metric in dict.fromkeys(record.metric for one in found for record in one.scores):
        table.add_row(metric, *(_cell(records.get(metric)) for _, records in columns))
    console.print(table, markup=False)
    for line in _notes(found):
        console.print(line, markup=False, soft_wrap=True)


def _columns(found: Sequence[Evaluation]) -> list[tuple[str, dict[str, ScoreRecord]]]:
    columns: list[tuple[str, dict[str, ScoreRecord]]] = []
    for i, one in enumerate(found):
        columns.append((one.name, {record.metric: record for record in one.scores}))
        following = found[i + 1] if i + 1 < len(found) else None
        if one.ceilings and (following is None or following.ceilings != one.ceilings):
            columns.append(("held-out reals (ceiling)", one.ceilings))
    return columns


def _counts(records: dict[str, ScoreRecord]) -> str:
    widest = max(records.values(), key=lambda record: record.n_real)
    return f"{widest.n_fake:,} against {widest.n_real:,}"


def _cell(record: ScoreRecord | None) -> str:
    if record is None:
        return "-"
    text = f"{record.value:.4g}"
    if record.interval is not None:
        text += f" [{record.interval[0]:.4g}, {record.interval[1]:.4g}]"
    return text


def _notes(found: Sequence[Evaluation]) -> list[str]:
    """The protocol, what to mind, and which columns must not be compared."""
    from zerosum.errors import UserError
    from zerosum.metrics.record import compare

    lines: list[str] = []
    for one in found:
        first = one.scores[0]
        weights = {True: ", averaged weights", False: ", last weights", None: ""}[first.averaged]
        held = f"held out: {one.held_out_note}"
        drawn = "".join(f", {name}={value}" for name, value in first.sampling.items())
        lines.append(
            f"against {first.data} ({first.split}; {held}), seed {first.seed}{weights}{drawn}; "
            "[95 % interval]"
        )
        lines += one.notes
    for one in found[1:]:
        try:
            compare(found[0].scores[0], one.scores[0])
        except UserError as error:
            lines.append(f"WARNING {found[0].name} and {one.name}: {error}")
    return list(dict.fromkeys(lines))


def _write(found: Sequence[Evaluation], path: Path) -> None:
    from json import dumps

    from zerosum.files import write_text

    tree = {
        "evaluations": [
            {
                "name": one.name,
                "held_out": one.held_out_note,
                "notes": one.notes,
                "scores": [record.to_dict() for record in one.scores],
                "ceilings": [record.to_dict() for record in one.ceilings.values()],
            }
            for one in found
        ]
    }
    write_text(path, dumps(tree, indent=2, allow_nan=False) + "\n")
