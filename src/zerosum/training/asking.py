"""What metrics may ask a game itself, besides its samples."""

from __future__ import annotations

from functools import partial

from zerosum.core.game import Game
from zerosum.core.likelihood import has_likelihood, likelihood
from zerosum.core.returning import Returning, returned
from zerosum.data.fields import Batch
from zerosum.metrics.sets import Asked


def asked(game: Game, answers: Batch, held_out: Batch | None, seed: int) -> Asked:
    """What a game says of examples that it never saw, and of its own answers.

    Args:
        game: With the weights that are asked.
        answers: Its samples.
        held_out: Examples that it never saw; None where none are kept aside.
        seed: Of all that is drawn on the way.
    """
    probable = back = None
    if held_out and has_likelihood(game):
        probable = partial(likelihood, game, held_out, seed)
    if isinstance(game, Returning):
        back = partial(returned, game, answers)
    return Asked(probable, returned=back)
