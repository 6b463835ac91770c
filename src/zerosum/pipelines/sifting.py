"""Draw samples until enough of them fulfil what they should."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zerosum.core.draw import check_finite, draw
from zerosum.core.game import Game, SampleOptions
from zerosum.data.fields import Batch
from zerosum.errors import UserError
from zerosum.modalities.modality import Filters

MOST_TRIES = 500
"""Samples drawn for each that is kept, beyond which the search is given up."""
ROUND = 1_024
"""Samples that are drawn at least at a time."""


@dataclass(frozen=True)
class Sifted:
    """Samples (n, ...) that were kept, and how many were drawn until the last of them."""

    samples: dict[str, Tensor]
    drawn: int


def sift(
    game: Game,
    n: int,
    filters: Filters,
    said: str,
    name: str = "",
    seed: int = 0,
    options: SampleOptions | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Sifted:
    """Draw until n samples fulfil filters; of a seed always the same ones.

    Args:
        game: What draws.
        n: How many to keep.
        filters: What they must fulfil.
        said: The same in words, for the message.
        name: What messages call the model.
        seed: Of the first round; each further one has the next.
        options: Settings of sampling.
        on_progress: Called with (found, n) after each round.

    Raises:
        UserError: Too few fulfil them: `MOST_TRIES` were drawn for each that is wanted.
    """
    kept: list[dict[str, Tensor]] = []
    found, drawn, size = 0, 0, max(n, ROUND)
    while found < n:
        if drawn >= MOST_TRIES * n:
            raise UserError(
                f"{said} holds for {found:,} of {drawn:,} samples: too few to find; ask for less"
            )
        rng = torch.Generator().manual_seed(seed + len(kept))
        samples = draw(game, size, seed + len(kept), filters.condition(size, rng), options)
        check_finite(samples, name)
        rows = filters.holds(samples).nonzero().flatten()[: n - found]
        kept.append({key: value[rows] for key, value in samples.items()})
        found += len(rows)
        drawn += size if found < n else int(rows[-1]) + 1
        if on_progress is not None:
            on_progress(found, n)
    return Sifted({key: torch.cat([part[key] for part in kept]) for key in kept[0]}, drawn)


def mixed(parts: Sequence[Batch], seed: int) -> dict[str, Tensor]:
    """Samples of several draws as one batch, in an order that the seed says."""
    joined = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    count = len(next(iter(joined.values())))
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    return {name: value[order] for name, value in joined.items()}
