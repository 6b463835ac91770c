"""What presets on the small named sets have in common, so that each reads as a row of a table."""

from __future__ import annotations

from collections.abc import Mapping

from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train
from zerosum.data.spec import GameConfig
from zerosum.modalities.images.config import Images

NO_SOURCES: Mapping[str, str] = {}
TWICE = Evaluate(every=100_000, samples=1_500)


def on_digits(
    model: GameConfig,
    optim: dict[str, Optim],
    *,
    examples: int,
    half_life: float = 2_000,
    channels_last: bool = False,
    evaluate: Evaluate = TWICE,
    about: str = "",
    sources: Mapping[str, str] = NO_SOURCES,
) -> Recipe:
    """A preset on the 8x8 digits that ship with scikit-learn: about a minute on one core.

    Args:
        model: What the game is built from.
        optim: How each player moves.
        examples: Length of the run.
        half_life: Of the averaged weights, in examples.
        channels_last: Whether images are laid out so.
        evaluate: Scores on the way.
        about: What is special about it.
        sources: Where published numbers come from, by setting.
    """
    return Recipe(
        model=model,
        data=Images(path="digits"),
        optim=optim,
        ema=Averaging(half_life=half_life),
        train=Train(
            examples=examples,
            checkpoint_every=100_000,
            sheet_every=50_000,
            log_every=4_000,
            channels_last=channels_last,
        ),
        evaluate=evaluate,
        about=about,
        sources=dict(sources),
    )
