"""More examples of a rare class, and what a classifier gains from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zerosum.errors import UserError
from zerosum.modalities.images import ImageCodec
from zerosum.pipelines.augmenting.gains import Augmented
from zerosum.pipelines.augmenting.pictures import augment_pictures
from zerosum.pipelines.augmenting.rows import augment_rows
from zerosum.pipelines.generate import Generator

__all__ = ["Augmented", "augment", "augment_pictures", "augment_rows"]


def augment(
    generator: Generator,
    data: str = "",
    *,
    target: str = "",
    value: str = "",
    add: int = 0,
    seeds: int = 5,
    learner: str = "",
    out: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Augmented:
    """Add examples of a class and measure what a classifier gains on real ones kept aside.

    Args:
        generator: A model that draws rows of tables, or pictures of classes.
        data: The table, where it is not the run's own.
        target: The column of classes of a table.
        value: The class; empty takes the rarest.
        add: How many examples; 0 makes the class as frequent as all others together.
        seeds: How often it is done.
        learner: The classifier of a table.
        out: Where to write the longer table.
        on_progress: Called with what is done, and of how many.

    Raises:
        UserError: The model draws neither, there is no such class, or too few examples to test
            on; a setting of tables is given for pictures.
    """
    if not isinstance(generator.codec, ImageCodec):
        settings = {"target": target, "value": value, "add": add, "seeds": seeds}
        rest = {"learner": learner, "out": out, "on_progress": on_progress}
        return augment_rows(generator, data, **settings, **rest)
    given = {"--data": data, "--target": target, "--learner": learner, "--out": out}
    for name, setting in given.items():
        if setting:
            raise UserError(
                f"{name} is for tables: pictures are those of the run, and  zerosum generate RUN "
                "--label CLASS  writes more of them"
            )
    return augment_pictures(generator, value=value, add=add, seeds=seeds, on_progress=on_progress)
