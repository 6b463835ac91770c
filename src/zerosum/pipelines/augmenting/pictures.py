"""More pictures of a rare class."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from zerosum.data.fields import Category
from zerosum.data.source import Source
from zerosum.errors import UserError, nearest
from zerosum.modalities.images.augmenting import chances, pictures_of, shifted
from zerosum.pipelines.augmenting.gains import (
    FEWEST,
    NOTHING,
    WEIGHTS,
    Augmented,
    compared,
)
from zerosum.pipelines.generate import Generator

SHIFTED, GENERATED = "shifted copies", "generated pictures"


def augment_pictures(
    generator: Generator,
    *,
    value: str = "",
    add: int = 0,
    seeds: int = 5,
    on_progress: Callable[[int, int], None] | None = None,
) -> Augmented:
    """Add pictures of a class and measure what a small network gains on real ones kept aside.

    The network tells the class from all others. Beside generated pictures: the class weighed as
    much as all others, as many copies of its training pictures, each moved by a few pixels, and
    nothing. Each seed has pictures and a network of its own.

    Args:
        generator: A model that draws pictures of a class.
        value: The class; empty takes the rarest.
        add: How many pictures; 0 makes the class as frequent as all others together.
        seeds: How often it is done.
        on_progress: Called with what is done, and of how many.

    Raises:
        UserError: The model is told no class, there is no such class, or too few pictures to test
            on.
    """
    field = generator.conditions.get("label")
    if not isinstance(field, Category):
        raise UserError(
            f"{generator.name} draws no pictures of a class that is asked for: augment with a "
            "run of cgan, acgan, projection, biggan or another that is told the class"
        )
    split = generator.open()
    if split.heldout is None or not isinstance(split.train, Source):
        raise UserError(
            "there are no pictures to test on: train with data.holdout=0.3, or on a set that has "
            "a test part"
        )
    train, held = (part.finished(range(len(part))) for part in (split.train, split.heldout))
    counts = torch.bincount(train["label"], minlength=field.count)
    names = list(field.names) or [str(number) for number in range(field.count)]
    if value and value not in names:
        raise UserError(f"--class {value}: there is no such class: {nearest(value, names)}")
    number = names.index(value) if value else int(counts.argmin())
    here, there = (part["label"] == number for part in (train, held))
    if not here.any() or here.all():
        raise UserError(
            f"{int(here.sum())} of {len(here)} training pictures are of {names[number]}"
        )
    if min(int(there.sum()), int((~there).sum())) < FEWEST:
        raise UserError(
            f"the pictures kept aside hold {int(there.sum())} of {names[number]} and "
            f"{int((~there).sum())} others: {FEWEST} of each are the least to test on"
        )
    add = add or max(int((~here).sum()) - int(here.sum()), 1)
    pictures, tested = pictures_of(train), pictures_of(held)
    said: dict[str, list[NDArray[np.float64]]] = {}
    done = 0
    for seed in range(seeds):
        drawn = pictures_of(generator.draw(add, seed=seed, label=number))
        more = {
            NOTHING: None,
            WEIGHTS: None,
            SHIFTED: shifted(pictures[here], add, seed),
            GENERATED: drawn,
        }
        for way, added in more.items():
            whole = pictures if added is None else torch.cat([pictures, added])
            truth = here if added is None else torch.cat([here, torch.ones(add, dtype=torch.bool)])
            weight = None
            if way == WEIGHTS:
                share = float(here.float().mean())
                weight = torch.tensor([0.5 / (1 - share), 0.5 / share])
            said.setdefault(way, []).append(chances(whole, truth, tested, weight, seed))
            done += 1
            if on_progress is not None:
                on_progress(done, seeds * len(more))
    return Augmented(
        "label",
        names[number],
        (len(here), int(here.sum())),
        (len(there), int(there.sum())),
        add,
        split.heldout_note,
        "a small convolutional network",
        "pictures",
        compared(there.numpy(), said),
    )
