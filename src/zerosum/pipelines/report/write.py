"""Put the page together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import torch

from zerosum.core.files import write_text
from zerosum.data.source import Source, finish
from zerosum.errors import UserError
from zerosum.metrics.record import ScoreRecord
from zerosum.pipelines.evaluate import Evaluation, Evaluator
from zerosum.pipelines.generate import Generator
from zerosum.pipelines.page import template
from zerosum.pipelines.report import figures
from zerosum.pipelines.report.facts import Facts, read

Doing = Callable[[str, int, int], None]
SPECTRUM = 1_000
"""Images whose spectra are compared."""
LOOKED_AT = 400
"""Samples whose nearest training images are searched."""


def report(
    run: str | Path,
    *,
    samples: int = 2_000,
    seed: int = 0,
    device: str = "auto",
    module: str | None = None,
    on_progress: Doing | None = None,
) -> tuple[Path, Path]:
    """Write the report of a run: one HTML page that needs no network, and a picture.

    Args:
        run: Folder that `zerosum train` wrote.
        samples: Samples for the scores with intervals; 0 leaves these out.
        seed: Of the samples.
        device: Where networks run.
        module: Module or file of an outside model.
        on_progress: Called with what is being done, done, and of how many.

    Returns:
        `report.html` and `report.png` in the run's folder.

    Raises:
        UserError: The folder holds no run, or no whole checkpoint yet.
    """
    path = Path(run)
    facts = read(path, module)
    evaluator = (
        Evaluator(samples=samples, seed=seed, device=device, on_progress=on_progress)
        if samples
        else None
    )
    scored = _scores(evaluator, path, module) if evaluator else None
    extra, twins = _looks(Generator.load(path, device=device, module=module), facts, seed)
    text = template("zerosum.pipelines.report").render(
        facts=facts,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        over_time=figures.over_time(facts.sheets),
        curves=[figures.drawn(panel, title) for title, panel in figures.panels(facts).items()],
        looks=[figures.drawn(panel, title) for title, panel in extra.items()],
        twins=twins,
        scores=_rows(scored) if scored else [],
        protocol=_protocol(scored) if scored else "",
    )
    page, picture = path / "report.html", path / "report.png"
    write_text(page, text)
    figures.summary(picture, facts, extra)
    return page, picture


def _scores(evaluator: Evaluator, path: Path, module: str | None) -> Evaluation | None:
    """Scores with intervals and ceilings; None where the data cannot be scored."""
    try:
        return evaluator.run(path, module)
    except UserError:  # points, or data that are no longer there
        return None


def _rows(scored: Evaluation) -> list[dict[str, str]]:
    return [
        {
            "name": record.metric,
            "value": f"{record.value:.3g}",
            "interval": _interval(record),
            "ceiling": f"{ceiling.value:.3g}" if ceiling else "",
        }
        for record in scored.scores
        for ceiling in [scored.ceilings.get(record.metric)]
    ]


def _interval(record: ScoreRecord) -> str:
    found = record.interval
    return "" if found is None else f"{found[0]:.3g} to {found[1]:.3g}"


def _protocol(scored: Evaluation) -> str:
    first = scored.scores[0]
    weights = {True: "averaged weights", False: "last weights", None: "weights as exported"}
    text = (
        f"{first.n_fake:,} samples (seed {first.seed}, {weights[first.averaged]}) against "
        f"{first.n_real:,} real ones of {first.data} ({first.split}); 95 % intervals; the ceiling "
        f"is what held-out real samples score ({scored.held_out_note})"
    )
    return "; ".join([text, *scored.notes]) + "."


def _looks(generator: Generator, facts: Facts, seed: int) -> tuple[dict[str, figures.Panel], str]:
    """Panels on fresh samples, and the picture of nearest neighbours where samples are images."""
    try:
        train = facts.recipe.data.open().train
    except UserError:  # moved or deleted since
        return {}, ""
    if not isinstance(train, Source):
        return {}, ""
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0)).tolist()
    field = "image" if "image" in train.shapes else "point"
    fake = generator.draw(min(SPECTRUM, 2 * len(train)), seed=seed)[field]
    real = finish(train.fetch(order[:SPECTRUM]))[field]
    if field == "point":
        return {"Points": figures.points(real, fake)}, ""
    wide = finish(train.fetch(order[:5_000]))[field]
    twins = figures.picture(figures.neighbours(fake[:LOOKED_AT], wide), 900)
    return {"Power spectrum": figures.spectra(real, fake)}, twins
