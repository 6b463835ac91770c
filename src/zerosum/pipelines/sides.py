"""The two sides of an evaluation, real and generated, and whether they can be compared."""

from __future__ import annotations

from dataclasses import dataclass

from zerosum.data.fields import Batch, size_of
from zerosum.data.source import Split
from zerosum.errors import UserError
from zerosum.modalities.modality import Modality
from zerosum.pipelines.cache import row_hashes

FEW, FEWEST = 2, 10
"""Samples that are the least: where each has its true answer, and where only sets compare."""


@dataclass(frozen=True)
class Reference:
    """The real side: training examples, held-out ones, and how both were prepared."""

    modality: Modality
    split: Split
    train: Batch
    held_out: Batch
    title: str
    prepared: str


def check_counts(name: str, reference: Reference, count: int, made: int, truth: Batch) -> None:
    """Refuse a side that is too small to be scored; true answers are looked at one by one."""
    noun = reference.modality.noun
    if count < FEWEST:
        held = f" (held out: {reference.split.heldout_note})" if reference.held_out else ""
        raise UserError(
            f"{reference.title} gives {count} {noun} to score against{held}: {FEWEST} are the "
            "least, so add some"
        )
    if made < FEWEST and not truth:
        raise UserError(f"{name} gives {made} {noun} to be scored: {FEWEST} are the least")


def check_alike(name: str, real: Batch, fake: Batch) -> None:
    """Refuse samples whose shapes are not those of the real examples."""
    for key in set(real) & set(fake):
        if real[key].shape[1:] != fake[key].shape[1:]:
            raise UserError(
                f"{name} makes samples of shape {tuple(fake[key].shape[1:])} and the reals have "
                f"{tuple(real[key].shape[1:])}: the data are not those it was trained on"
            )


def shared_by(reference: Reference, fake: Batch) -> str:
    """What to mind where fakes are real examples themselves; "" where none is."""
    names = sorted(set(reference.train) & set(fake))
    parts = [part for part in (reference.train, reference.held_out) if part]
    reals = {one for part in parts for one in row_hashes(part, names)}
    both = sum(one in reals for one in row_hashes(fake, names))
    if not both:
        return ""
    return (
        f"both sides share {reference.modality.noun}: {both:,} of {size_of(fake):,} fakes equal a "
        "real one, of the training part or held out; scores take that for quality"
    )
