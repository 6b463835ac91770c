"""Put the page together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from zerosum.core.draw import given_inputs
from zerosum.data.source import Source
from zerosum.errors import UserError
from zerosum.files import write_text
from zerosum.modalities.modality import Panel
from zerosum.pipelines.evaluate import Evaluator
from zerosum.pipelines.generate import Generator
from zerosum.pipelines.page import template
from zerosum.pipelines.report import figures
from zerosum.pipelines.report.facts import Facts, read
from zerosum.pipelines.report.scores import scores, verdict

Doing = Callable[[str, int, int], None]
COMPARED = 1_000
"""Samples that are compared with as many real ones."""
LOOKED_AT = 400
"""Samples whose nearest training examples are searched."""
SEARCHED = 5_000
"""Training examples among which they are searched."""


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
    generator = Generator.load(path, device=device, module=module)
    if samples:
        generator.check_number(samples)
    evaluator = (
        Evaluator(samples=samples, seed=seed, device=device, on_progress=on_progress)
        if samples
        else None
    )
    found = scores(facts, path, evaluator, module)
    extra, twins = _looks(generator, facts, seed)
    text = template("zerosum.pipelines.report").render(
        facts=facts,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        over_time=figures.over_time(facts.sheets),
        curves=[figures.drawn(panel, title) for title, panel in figures.panels(facts).items()],
        looks=[figures.drawn(panel, title) for title, panel in extra.items()],
        twins=twins,
        scores=found,
        verdict=verdict(facts, found),
    )
    page, picture = path / "report.html", path / "report.png"
    write_text(page, text)
    figures.summary(picture, facts, extra)
    return page, picture


def _looks(generator: Generator, facts: Facts, seed: int) -> tuple[dict[str, Panel], str]:
    """Panels on fresh samples, and the picture of nearest neighbours where there is one."""
    try:
        split = generator.open()
    except UserError:  # moved or deleted since
        return {}, ""
    if not isinstance(split.train, Source):
        return {}, ""
    kind, count = generator.modality, min(COMPARED, 2 * len(split.train))
    inputs, _ = given_inputs(generator.game, split.train, split.heldout, count)
    fake = generator.drawn_on(inputs, count, seed)
    wide = split.train.some(SEARCHED)
    real = {name: value[:COMPARED] for name, value in wide.items()}
    few = {name: value[:LOOKED_AT] for name, value in fake.items()}
    twins = kind.twins(few, wide, split.codec)
    shown = "" if twins is None else figures.picture(twins, 900)
    enough = len(split.train) > 1  # panels show spreads, and one example has none
    return kind.panels(real, fake, split.codec) if enough else {}, shown
