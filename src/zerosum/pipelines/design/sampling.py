"""Molecules of a generator that nobody has scored yet."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from zerosum.data.config import OnProgress
from zerosum.modalities.molecules.scores import judge
from zerosum.modalities.molecules.smiles import SmilesCodec
from zerosum.pipelines.design.records import Measured, Sampled
from zerosum.pipelines.generate import Generator

BLOCK = 500
"""Samples that are drawn at a time."""
JUDGED = 1_000
"""The first samples of a cycle, of which validity and so on are taken: always as many, for
uniqueness falls with their number."""
MOST = 100
"""Draws for each molecule that is wanted, until a cycle goes on with fewer."""


def sample(
    generator: Generator,
    count: int,
    seed: tuple[int, int],
    train: Collection[str],
    known: Collection[str],
    on_progress: OnProgress,
) -> Sampled:
    """Draw until there are `count` new molecules, or the draws are spent.

    Args:
        generator: Of molecules.
        count: Molecules wanted; of a larger number the first are the same.
        seed: Of the design, and the number of the cycle.
        train: Clean SMILES that the generator learned from.
        known: SMILES that were scored before.
        on_progress: Called now and then with (found, of how many).
    """
    codec = generator.codec
    assert isinstance(codec, SmilesCodec)
    first: list[str | None] = []
    found: dict[str, None] = {}
    draws = 0
    while draws < JUDGED or (len(found) < count and draws < max(MOST * count, JUDGED)):
        words = np.random.SeedSequence([*seed, draws // BLOCK]).generate_state(1)
        texts = codec.smiles(generator.draw(BLOCK, seed=int(words[0])))
        draws += BLOCK
        first += texts[: JUDGED - len(first)]
        for text in texts:
            if text is None or text in found or text in train or text in known:
                continue
            if not codec.refusal(text):  # else the training set could not take it in
                found[text] = None
        on_progress(min(len(found), count), count)
    judged = judge(first, train)
    return Sampled(
        draws=draws,
        judged=len(first),
        validity=Measured.of(judged.validity),
        uniqueness=Measured.of(judged.uniqueness),
        novelty=Measured.of(judged.novelty),
        diversity=Measured.of(judged.diversity),
        smiles=list(found)[:count],
    )
