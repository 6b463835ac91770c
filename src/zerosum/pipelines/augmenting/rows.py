"""More rows of a rare class of a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zerosum.errors import UserError, require
from zerosum.files import must_be_file
from zerosum.modalities.tables import GapCodec, TableCodec
from zerosum.modalities.tables.augmenting import rare_class
from zerosum.modalities.tables.baselines import smote_class
from zerosum.modalities.tables.frames import column, part
from zerosum.modalities.tables.opening import parts_of
from zerosum.modalities.tables.settings import TableSettings
from zerosum.modalities.tables.utility import LEARNERS, chances
from zerosum.modalities.tables.view import views
from zerosum.pipelines.augmenting.gains import (
    FEWEST,
    NOTHING,
    WEIGHTS,
    Augmented,
    compared,
)
from zerosum.pipelines.generate import Generator

if TYPE_CHECKING:
    import pandas as pd

SMOTE, GENERATED = "SMOTE", "generated rows"


def augment_rows(
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
    """Add rows of a class and measure what a classifier gains on real rows kept aside.

    Beside generated rows: the class weighed as much as all others, as many rows of SMOTE, and
    nothing. Each seed has rows and a classifier of its own.

    Args:
        generator: A model that draws rows of tables.
        data: The table, read as the run's own; empty takes that one. The same share of its rows
            is kept aside as when the run was trained: the same rows where it is the run's own.
        target: The column of classes; empty takes the run's target, or the last one.
        value: The class; empty takes the rarest.
        add: How many rows; 0 makes the class as frequent as all others together.
        seeds: How often it is done.
        learner: One of `LEARNERS`; empty takes the first.
        out: Where to write the training rows with the added ones below them; None writes nothing.
        on_progress: Called with what is done, and of how many.

    Raises:
        UserError: The model draws no tables, no such column or class, or too few rows to test on.
    """
    codec, config = generator.codec, generator.recipe.data
    if not isinstance(codec, TableCodec) or isinstance(codec, GapCodec):
        raise UserError(
            f"{generator.name} draws no rows of tables: augment with a run of ctgan, ctabgan, "
            "tvae or medgan"
        )
    assert isinstance(config, TableSettings)
    learner = learner or LEARNERS[0]
    if learner not in LEARNERS:
        raise UserError(f"--learner {learner}: one of {', '.join(LEARNERS)}")
    if out is not None:
        must_be_file(out, "--out")
        codec.check(out)
    target, value = rare_class(codec, target, value)
    if data:
        config = config.model_copy(update={"path": data})
    _, train, held, note = parts_of(config)
    for name in codec.described:
        if name not in train.columns:
            raise UserError(f"{config.path} lacks the column '{name}' that the run has learned")
    held = held.loc[codec.knows(held)] if len(held) else held
    train, held = (f.dropna(subset=[target]).reset_index(drop=True) for f in (train, held))
    here, there = (_of_class(frame, target, value) for frame in (train, held))
    if not here.any() or here.all():
        raise UserError(f"{config.path}: {int(here.sum())} of its rows are of {target}={value}")
    if min(there.sum(), (~there).sum()) < FEWEST:
        raise UserError(
            f"the rows kept aside ({note}) hold {int(there.sum())} of {target}={value} and "
            f"{int((~there).sum())} others: {FEWEST} of each are the least to test on "
            "(train with a larger data.holdout)"
        )
    add = add or max(int((~here).sum()) - int(here.sum()), 1)
    said: dict[str, list[NDArray[np.float64]]] = {}
    pd = require("pandas", "tables")
    kept = [name for name in train.columns if name in codec.described]
    real, total, done = part(train, kept), 4 * seeds, 0
    for seed in range(seeds):
        drawn = codec.decode(generator.draw_where(add, [f"{target}={value}"], seed=seed))
        if seed == 0 and out is not None:
            names = [name for name in train.columns if name in drawn.columns]
            codec.write_rows(pd.concat([train[names], drawn[names]], ignore_index=True), out)
        more = {
            NOTHING: None,
            WEIGHTS: None,
            SMOTE: part(smote_class(train, codec, target, value, add, seed), kept),
            GENERATED: part(drawn, kept),
        }
        for way, rows in more.items():
            frames = [real] if rows is None else [real, rows]
            longer = pd.concat([frame.astype(object) for frame in frames], ignore_index=True)
            longer = longer.astype({name: train[name].dtype for name in kept})
            # Two classes whatever the column holds; views number them in the order of the words.
            binary = [
                frame.assign(**{target: np.where(_of_class(frame, target, value), "a", "b")})
                for frame in (real, longer, part(held, kept))
            ]
            _, learnt, test = views(*binary, target=target)
            found = chances(
                learnt, test, target, 0, seed=seed, learner=learner, weighed=way == WEIGHTS
            )
            said.setdefault(way, []).append(found)
            done += 1
            if on_progress is not None:
                on_progress(done, total)
    return Augmented(
        target,
        value,
        (len(train), int(here.sum())),
        (len(held), int(there.sum())),
        add,
        note,
        learner,
        "rows",
        compared(there, said),
    )


def _of_class(frame: pd.DataFrame, target: str, value: str) -> NDArray[np.bool_]:
    """Which rows (N,) are of a class."""
    return (column(frame, target).astype(str) == value).to_numpy()
